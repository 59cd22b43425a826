/* The gradient of rule snn2ann against an activation net in double precision, with the spike counts
 * held; running statistics after a batch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ann_oracle.h"
#include "counts_net.h"

/* A max pool of currents. */
static void pooled_layers(small *s, const char *norm, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    small_layer(s, &hk_layer_batchnorm, "bn1", norm);
    small_layer(s, &hk_layer_maxpool2d, "pool1", NULL);
    fire(s, "spike1", "0.4");
    small_layer(s, &hk_layer_conv2d, "conv2", "out=6 padding=1 bias=false");
    small_layer(s, &hk_layer_batchnorm, "bn2", norm);
    fire(s, "spike2", "0.3");
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void check_gradient(const small *s, oracle *o, const float *g)
{
    for (int i = 0; i < s->net.n_param; i++) {
        const hk_param *p = &s->param[i];
        double want, most = 0, worst = 0;
        int node = small_find(s, p->layer), q = 0;
        while (s->node[node].param[q] != p) q++;
        if (p->role == HK_BUFFER || p->role == HK_THRESHOLD) continue;
        const float *got = g + (p->g - (const float *)s->region[HK_R_GRAD]);
        for (size_t k = 0; k < p->n; k++) {
            want = oracle_slope(o, &o->w[node][q][k], LABEL);
            most = fmax(most, fabs(want));
            worst = fmax(worst, fabs(want - (double)got[k]));
        }
        const bool gone = p->role == HK_BIAS && most < 1e-6;      /* a norm takes a bias away */
        if (!(worst <= 2e-5 * most + 1e-6) || (!gone && most < 1e-5))
            fail_msg("%s.%s: off by %g, the largest is %g", p->layer, p->name, worst, most);
    }
}

static void gradient(make_layers *layers, const char *rule, bool masked, bool running, bool constant)
{
    const net_case c = { NULL, NULL, NULL, IMAGE, 6, 4, AT_END, constant, 11 };
    small s = { 0 };
    oracle o;
    layers(&s, running ? "mode=eval" : NULL, "kind=mean");
    s.net_spec.constant_input = constant;
    open_counts(&s, rule, IMAGE, c.T, c.batch);
    random_weights(&s, c.seed);
    oracle_open(&o, &s, masked);
    float *x = random_input(&c, c.seed);
    seen *k = watched_run(&s, x);
    for (int t = 0; t < c.T; t++)
        for (size_t i = 0; i < s.frame; i++)
            o.x[i] += (double)x[(constant ? 0 : (size_t)t * s.frame) + i];
    for (int j = 0; j < s.n; j++)
        for (size_t i = 0; s.node[j].spec->neuron && i < oracle_floats(&s.node[j]); i++)
            o.given[j][i] = k->count[j][i] * (double)s.node[j].out.scale;
    o.running = running;
    assert_true(fabs(oracle_loss(&o, LABEL) - s.net.result.loss) < 1e-5);
    for (int j = 0; j < s.n && !running; j++) {      /* running statistics moved once */
        if (s.node[j].ops != &hk_layer_batchnorm) continue;
        const double n = (double)s.node[j].rows;
        for (size_t i = 0; i < (size_t)s.node[j].out.shape.c; i++) {
            const double m = 0.9 * o.w[j][2][i] + 0.1 * o.mean[j][i];
            const double v = 0.9 * o.w[j][3][i] + 0.1 * o.var[j][i] * n / (n - 1);
            assert_true(fabs((double)s.node[j].param[2]->w[i] - m) < 1e-5);
            assert_true(fabs((double)s.node[j].param[3]->w[i] - v) < 1e-4);
        }
    }
    check_gradient(&s, &o, s.region[HK_R_GRAD]);
    oracle_close(&o);
    free(k);
    free(x);
    small_close(&s);
}

static void gradients(void **state)
{
    (void)state;
    gradient(linear_layers, "unit=resu membrane_dropout=0", true, false, true);
    gradient(linear_layers, "unit=stsu membrane_dropout=0", false, false, false);
    gradient(linear_layers, "unit=stsu membrane_dropout=0", false, true, true);
    gradient(pooled_layers, "unit=resu membrane_dropout=0", true, false, false);
    gradient(pooled_layers, "unit=stsu membrane_dropout=0", false, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(gradients) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
