/* Surrogates that fall off exponentially on both sides of their peak. All are one function of the
 * rate r, the height h and the centre c:
 *
 *   phi(z) = h e^(-r |z - c|)
 *   F(z)   = (h/r) e^(r (z - c)) for z < c, else (h/r) (2 - e^(-r (z - c)))
 *
 *   name                  r         h              c        area
 *   exponential           1         1              0        2
 *   piecewise_exp         alpha     alpha / 2      0        1
 *   slayer                1/width   scale/width    0        2 scale
 *   spike_rate_escape     beta      k              centre   2 k / beta
 *
 * Sources. exponential: Gao et al., arXiv:2411.11082, Eq. 3. piecewise_exp: SpikingJelly. slayer:
 * Shrestha and Orchard, arXiv:1810.08646 (width = tau_rho theta); lava-dl's default is scale 0.05,
 * width 100. spike_rate_escape: Gerstner and Kistler 2002, as in snnTorch, which centres it at 1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef struct laplace {
    float rate, height, centre;
} laplace;

HK_CLONES static void laplace_derivative(size_t n, const float *z, float *phi, laplace p)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = p.height * hk_exp(-p.rate * fabsf(z[i] - p.centre));
}

static double laplace_primitive(double z, laplace p)
{
    const double tail = exp(-(double)p.rate * fabs(z - (double)p.centre));
    return (double)p.height / (double)p.rate * (z < (double)p.centre ? tail : 2 - tail);
}

/* ---- exponential ----------------------------------------------------------------------------- */

static const laplace exponential_shape = { 1, 1, 0 };

static void exponential_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    (void)cfg;
    laplace_derivative(n, z, phi, exponential_shape);
}

static double exponential_primitive(double z, const void *cfg)
{
    (void)cfg;
    return laplace_primitive(z, exponential_shape);
}

const hk_surrogate_ops hk_surrogate_exponential = {
    .info = { "exponential", "e^-|z|, area 2", "Gao et al. 2024, arXiv:2411.11082, Eq. 3",
              0, NULL, 0 },
    .derivative = exponential_derivative, .primitive = exponential_primitive,
};

/* ---- piecewise_exp --------------------------------------------------------------------------- */

typedef struct piecewise_exp_cfg {
    float alpha;
} piecewise_exp_cfg;

static const hk_field piecewise_exp_fields[] = {
    HK_ROW_FLOAT(piecewise_exp_cfg, alpha, 1, 1e-3, 1e3, "1", "rate of the fall"),
};

static laplace piecewise_exp_shape(const void *cfg)
{
    const float alpha = ((const piecewise_exp_cfg *)cfg)->alpha;
    return (laplace){ alpha, 0.5f * alpha, 0 };
}

static void piecewise_exp_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    laplace_derivative(n, z, phi, piecewise_exp_shape(cfg));
}

static double piecewise_exp_primitive(double z, const void *cfg)
{
    return laplace_primitive(z, piecewise_exp_shape(cfg));
}

const hk_surrogate_ops hk_surrogate_piecewise_exp = {
    .info = { "piecewise_exp", "two exponentials, area 1", "SpikingJelly's PiecewiseExp",
              sizeof(piecewise_exp_cfg), piecewise_exp_fields, HK_COUNT(piecewise_exp_fields) },
    .derivative = piecewise_exp_derivative, .primitive = piecewise_exp_primitive,
};

/* ---- slayer ---------------------------------------------------------------------------------- */

typedef struct slayer_cfg {
    float scale, width;
} slayer_cfg;

static const hk_field slayer_fields[] = {
    HK_ROW_FLOAT(slayer_cfg, scale, 1, 1e-6, 1e3, "1", "half the area"),
    HK_ROW_FLOAT(slayer_cfg, width, 1, 1e-3, 1e6, "1", "distance over which it falls to 1/e"),
};

static laplace slayer_shape(const void *cfg)
{
    const slayer_cfg *c = cfg;
    return (laplace){ 1.0f / c->width, c->scale / c->width, 0 };
}

static void slayer_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    laplace_derivative(n, z, phi, slayer_shape(cfg));
}

static double slayer_primitive(double z, const void *cfg)
{
    return laplace_primitive(z, slayer_shape(cfg));
}

const hk_surrogate_ops hk_surrogate_slayer = {
    .info = { "slayer", "spike escape density", "Shrestha and Orchard 2018, arXiv:1810.08646",
              sizeof(slayer_cfg), slayer_fields, HK_COUNT(slayer_fields) },
    .derivative = slayer_derivative, .primitive = slayer_primitive,
};

/* ---- spike_rate_escape ----------------------------------------------------------------------- */

typedef struct escape_cfg {
    float beta, k, centre;
} escape_cfg;

static const hk_field escape_fields[] = {
    HK_ROW_FLOAT(escape_cfg, beta, 1, 1e-3, 1e3, "1", "rate of the fall"),
    HK_ROW_FLOAT(escape_cfg, k, 25, 1e-6, 1e6, "1", "height of the peak"),
    HK_ROW_FLOAT(escape_cfg, centre, 1, -1e3, 1e3, "1", "distance to threshold of the peak"),
};

static laplace escape_shape(const void *cfg)
{
    const escape_cfg *c = cfg;
    return (laplace){ c->beta, c->k, c->centre };
}

static void escape_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    laplace_derivative(n, z, phi, escape_shape(cfg));
}

static double escape_primitive(double z, const void *cfg)
{
    return laplace_primitive(z, escape_shape(cfg));
}

const hk_surrogate_ops hk_surrogate_spike_rate_escape = {
    .info = { "spike_rate_escape", "escape rate, peak off the threshold",
              "Gerstner and Kistler 2002; snnTorch",
              sizeof(escape_cfg), escape_fields, HK_COUNT(escape_fields) },
    .derivative = escape_derivative, .primitive = escape_primitive,
};
