/* Bell-shaped surrogates. N(z; m, s) is the normal density, P(y) its distribution function at m 0,
 * s 1.
 *
 *   gaussian         phi(z) = N(z; 0, sigma)                       F(z) = P(z / sigma)
 *   erf              phi(z) = alpha / sqrt(pi) e^-(alpha z)^2      F(z) = erfc(-alpha z) / 2
 *   erfc             phi(z) = 2 / sqrt(pi) e^-(k z)^2              F(z) = erf(k z) / k
 *   multi_gaussian   phi(z) = f [ (1 + h) N(z; 0, sigma)
 *                                 - h N(z; sigma, s sigma) - h N(z; -sigma, s sigma) ]
 *
 * Sources. gaussian: sigma 0.5 as in SOLSA, ASP-DAC 2024; sigma 0.4 is that of arXiv:2003.02944.
 * erf: SpikingJelly; it is the gaussian with sigma = 1 / (alpha sqrt 2). erfc: Norse; its peak does
 * not grow with k. multi_gaussian: Yin et al., Nature Machine Intelligence 3, 2021,
 * arXiv:2103.12593; it is negative in the tails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

#define PER_SQRT_PI  0.564189583547756287     /* 1 / sqrt(pi)   */
#define PER_SQRT_2PI 0.398942280401432678     /* 1 / sqrt(2 pi) */
#define PER_SQRT_2   0.707106781186547524     /* 1 / sqrt(2)    */

/* phi = height e^-(rate z)^2. */
HK_CLONES static void bell_derivative(size_t n, const float *z, float *phi, float rate,
                                      float height)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = height * hk_exp(-(rate * z[i]) * (rate * z[i]));
}

static double normal_cdf(double y)
{
    return 0.5 * erfc(-y * PER_SQRT_2);
}

/* ---- gaussian -------------------------------------------------------------------------------- */

typedef struct gaussian_cfg {
    float sigma;
} gaussian_cfg;

static const hk_field gaussian_fields[] = {
    HK_ROW_FLOAT(gaussian_cfg, sigma, 0.5, 1e-3, 1e3, "1", "standard deviation"),
};

static void gaussian_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const double sigma = ((const gaussian_cfg *)cfg)->sigma;
    bell_derivative(n, z, phi, (float)(PER_SQRT_2 / sigma), (float)(PER_SQRT_2PI / sigma));
}

static double gaussian_primitive(double z, const void *cfg)
{
    return normal_cdf(z / (double)((const gaussian_cfg *)cfg)->sigma);
}

const hk_surrogate_ops hk_surrogate_gaussian = {
    .info = { "gaussian", "normal density, area 1", "SOLSA, ASP-DAC 2024",
              sizeof(gaussian_cfg), gaussian_fields, HK_COUNT(gaussian_fields) },
    .derivative = gaussian_derivative, .primitive = gaussian_primitive,
};

/* ---- erf ------------------------------------------------------------------------------------- */

typedef struct erf_cfg {
    float alpha;
} erf_cfg;

static const hk_field erf_fields[] = {
    HK_ROW_FLOAT(erf_cfg, alpha, 2, 1e-3, 1e3, "1", "rate of the fall"),
};

static void erf_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float alpha = ((const erf_cfg *)cfg)->alpha;
    bell_derivative(n, z, phi, alpha, (float)(PER_SQRT_PI * (double)alpha));
}

static double erf_primitive(double z, const void *cfg)
{
    return 0.5 * erfc(-(double)((const erf_cfg *)cfg)->alpha * z);
}

const hk_surrogate_ops hk_surrogate_erf = {
    .info = { "erf", "derivative of the error function, area 1", "SpikingJelly's Erf",
              sizeof(erf_cfg), erf_fields, HK_COUNT(erf_fields) },
    .derivative = erf_derivative, .primitive = erf_primitive,
};

/* ---- erfc ------------------------------------------------------------------------------------ */

typedef struct erfc_cfg {
    float k;
} erfc_cfg;

static const hk_field erfc_fields[] = {
    HK_ROW_FLOAT(erfc_cfg, k, 100, 1e-3, 1e4, "1", "rate of the fall; the peak is 1.128 for any k"),
};

static void erfc_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    bell_derivative(n, z, phi, ((const erfc_cfg *)cfg)->k, (float)(2 * PER_SQRT_PI));
}

static double erfc_primitive(double z, const void *cfg)
{
    const double k = ((const erfc_cfg *)cfg)->k;
    return erf(k * z) / k;
}

const hk_surrogate_ops hk_surrogate_erfc = {
    .info = { "erfc", "derivative of the error function, peak fixed", "Norse",
              sizeof(erfc_cfg), erfc_fields, HK_COUNT(erfc_fields) },
    .derivative = erfc_derivative, .primitive = erfc_primitive,
};

/* ---- multi_gaussian -------------------------------------------------------------------------- */

typedef struct multi_gaussian_cfg {
    float sigma, height, spread, factor;
} multi_gaussian_cfg;

static const hk_field multi_gaussian_fields[] = {
    HK_ROW_FLOAT(multi_gaussian_cfg, sigma, 0.5, 1e-3, 1e3, "1",
                 "standard deviation of the centre"),
    HK_ROW_FLOAT(multi_gaussian_cfg, height, 0.15, 0, 10, "1", "share of each side lobe"),
    HK_ROW_FLOAT(multi_gaussian_cfg, spread, 6, 1e-3, 1e3, "1", "width of a side lobe over sigma"),
    HK_ROW_FLOAT(multi_gaussian_cfg, factor, 0.5, 1e-6, 1e3, "1", "factor on the whole"),
};

HK_CLONES static void multi_gaussian_derivative(size_t n, const float *z, float *phi,
                                                const void *cfg)
{
    const multi_gaussian_cfg *c = cfg;
    const double sigma = c->sigma, side = c->spread * c->sigma;
    const double unit = PER_SQRT_2PI * (double)c->factor;
    const float m = c->sigma, rate = (float)(PER_SQRT_2 / sigma);
    const float rate_side = (float)(PER_SQRT_2 / side);
    const float h = (float)(unit * (1 + (double)c->height) / sigma);
    const float h_side = (float)(unit * (double)c->height / side);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float y = rate * z[i], a = rate_side * (z[i] - m), b = rate_side * (z[i] + m);
        phi[i] = h * hk_exp(-y * y) - h_side * (hk_exp(-a * a) + hk_exp(-b * b));
    }
}

static double multi_gaussian_primitive(double z, const void *cfg)
{
    const multi_gaussian_cfg *c = cfg;
    const double sigma = c->sigma, side = c->spread * c->sigma, height = c->height;
    const double lobes = normal_cdf((z - sigma) / side) + normal_cdf((z + sigma) / side);
    return (double)c->factor * ((1 + height) * normal_cdf(z / sigma) - height * lobes);
}

const hk_surrogate_ops hk_surrogate_multi_gaussian = {
    .info = { "multi_gaussian", "bell with negative side lobes",
              "Yin et al. 2021, arXiv:2103.12593",
              sizeof(multi_gaussian_cfg), multi_gaussian_fields, HK_COUNT(multi_gaussian_fields) },
    .derivative = multi_gaussian_derivative, .primitive = multi_gaussian_primitive,
};
