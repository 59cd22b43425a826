/* Weights of one and two bits: the codes and scales, their gradients, and the file that holds nothing
 * else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

#include "layer/codes.h"
#include "run/codes.h"
#include "run/norms.h"

enum { N = 40, OUT = 3, MOST = N * OUT };

static const char PATH[] = "codes.safetensors";

static void draw(float *v, size_t n, uint64_t stream)
{
    for (size_t i = 0; i < n; i++) v[i] = random_at(3, stream, i, -1, 1);
}

/* By hand: |w| mean 1, D 0.7. */
static void known(void **state)
{
    (void)state;
    static const float w[] = { 2, -1, .5f, -.5f, 0 }, one[] = { .8f, -.8f, .8f, -.8f, .8f };
    static const float two[] = { 1.5f, -1.5f, 0, 0, 0 }, g[] = { 1, 2, 3, 4, 5 };
    static const double dw1[] = { (1 - 2 + 3 - 4 + 5) / 5., .8 * 2 - .6, .8 * 3 + .6, .8 * 4 - .6, .8 * 5 + .6 };
    static const double dw2[] = { -.5, 1.5 * 2 + .5, 1.5 * 3, 1.5 * 4, 1.5 * 5 };
    double sum[2];
    float used[5], dw[5];
    for (int k = 0; k < 2; k++) {
        hk_codes(k ? HK_CODE_TERNARY : HK_CODE_BINARY, 5, 1, w, sum, used);
        for (int i = 0; i < 5; i++) assert_true(fabsf(used[i] - (k ? two : one)[i]) < 1e-6f);
        memcpy(dw, g, sizeof dw);
        hk_codes_back(5, 1, w, used, sum, dw);
        assert_near(dw, k ? dw2 : dw1, 5, 1e-6);
    }
}

/* A difference in one latent weight that flips no code moves the scale alone: beside what is passed
 * straight through, the gradient is that difference. */
static void differences(void **state)
{
    (void)state;
    float w[MOST], g[MOST], used[MOST], dw[MOST] = { 0 }, up[MOST], down[MOST];
    double sum[2 * OUT];
    for (hk_code c = HK_CODE_BINARY; c <= HK_CODE_TERNARY; c++) {
        draw(w, MOST, 1);
        draw(g, MOST, 2);
        hk_codes(c, N, OUT, w, sum, used);
        memcpy(dw, g, sizeof dw);
        hk_codes_back(N, OUT, w, used, sum, dw);
        int same = 0;
        for (size_t i = 0; i < MOST; i++) {
            const float kept = w[i], h = 1.0f / 256;
            w[i] = kept + h;
            hk_codes(c, N, OUT, w, sum, up);
            w[i] = kept - h;
            hk_codes(c, N, OUT, w, sum, down);
            w[i] = kept;
            double slope = 0;
            bool flips = false;
            float scale = 0;
            for (size_t k = i % OUT; k < MOST; k += OUT) {
                scale = fmaxf(scale, fabsf(used[k]));
                flips |= (up[k] > 0) != (down[k] > 0) || (up[k] < 0) != (down[k] < 0);
                slope += (double)g[k] * ((double)up[k] - (double)down[k]) / (2 * (double)h);
            }
            if (flips) continue;
            same++;
            assert_true(fabs(slope + (double)scale * (double)g[i] - (double)dw[i]) < 2e-4);
        }
        assert_true(same > MOST / 2);
    }
}

/* Scale times code, as latent weights, give themselves again: to the bit. */
static void fixed_point(void **state)
{
    (void)state;
    float w[MOST], once[MOST], twice[MOST];
    double sum[2 * OUT];
    for (uint64_t k = 0; k < 50; k++) {
        draw(w, MOST, 10 + k);
        for (hk_code c = HK_CODE_BINARY; c <= HK_CODE_TERNARY; c++) {
            hk_codes(c, N, OUT, w, sum, once);
            hk_codes(c, N, OUT, once, sum, twice);
            assert_memory_equal(once, twice, sizeof once);
        }
    }
}

static const char *form;

static const char *norm;                 /* keys of a batch norm, or NULL: none */

static void layers(small *s, const char *neuron, const char *readout)
{
    char conv[64], dense[64];
    hk_format(conv, sizeof conv, "out=6 padding=1 groups=2 weights=%s", form);
    hk_format(dense, sizeof dense, "out=3 weights=%s", form);
    small_layer(s, &hk_layer_conv2d, "conv1", conv);
    if (norm) small_layer(s, &hk_layer_batchnorm, "bn1", norm);
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", dense);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static net_case a_case(void)
{
    return (net_case){ layers, "leak=0.6 threshold=0.4", "kind=sum", { 6, 6, 2, false }, 3, 4, EACH_STEP, false, 5 };
}

/* The chain rule of the layer is that of the functions, and another net of floats does the same. */
static void in_a_net(void **state)
{
    (void)state;
    const net_case c = a_case();
    static const char *const forms[] = { "binary", "ternary" };
    for (int k = 0; k < 2; k++) {
        form = forms[k];
        small *a = random_gradients(&c, &hk_rule_bptt, NULL);
        form = "float";
        small *b = random_net(&c, &hk_rule_bptt, NULL);
        for (int i = 0; i < a->net.n_param; i++) {
            const hk_param *p = &a->param[i];
            memcpy(b->param[i].w, p->used ? p->used : p->w, p->n * sizeof(float));
        }
        hk_net_prepare(&b->net);
        random_run(b, &c);
        assert_memory_equal(hk_net_output(&a->net), hk_net_output(&b->net), 12 * sizeof(float));
        const hk_param *p = small_param(a, "conv1", "weight"), *q = small_param(b, "conv1", "weight");
        float want[256] = { 0 };
        double sum[2 * 6];
        memcpy(want, q->g, p->n * sizeof *want);
        hk_codes_back(p->n / 6, 6, p->w, p->used, sum, want);
        same_floats("conv1", "weight", p->n, want, p->g, 1e-6);
        random_close(a);
        random_close(b);
    }
}

/* ---- files ----------------------------------------------------------------------------------------- */

static hk_status change(const char *name, int delta, uint8_t byte, small *s, hk_error *e)
{
    hk_arrays list = { 0 };
    if (hk_safetensors_read(PATH, 0, &list, NULL, e)) fail_msg("%s", e->text);
    hk_array *a = hk_arrays_find(&list, name);
    assert_non_null(a);
    if (delta) a->dim[0] += delta, a->bytes = (size_t)((int)a->bytes + delta * (a->dtype == HK_DT_U8 ? 1 : 4));
    else memset(a->data, byte, a->bytes);
    const hk_status st = hk_codes_expand(&s->net, &list, "f", e);
    hk_arrays_clear(&list);
    return st;
}

static void files(void **state)
{
    (void)state;
    const net_case c = a_case();
    static const char *const forms[] = { "binary", "ternary" };
    for (int k = 0; k < 2; k++) {
        hk_error e;
        form = forms[k];
        small *a = random_gradients(&c, &hk_rule_bptt, NULL), *b = random_net(&c, &hk_rule_bptt, NULL);
        if (hk_codes_save(&a->net, PATH, NULL, &e)) fail_msg("%s", e.text);
        for (int i = 0; i < b->net.n_param; i++)
            for (size_t j = 0; j < b->param[i].n; j++) b->param[i].w[j] = 0.125f;
        if (hk_weights_load(&b->net, PATH, &e)) fail_msg("%s", e.text);
        random_run(b, &c);
        assert_memory_equal(hk_net_output(&a->net), hk_net_output(&b->net), 12 * sizeof(float));
        const hk_param *p = small_param(a, "head", "weight"), *q = small_param(b, "head", "weight");
        assert_memory_equal(p->used, q->used, p->n * sizeof(float));
        assert_int_equal(change("head.weight.codes", -1, 0, b, &e), HK_E_FORMAT);
        assert_non_null(strstr(e.text, "head.weight.codes"));
        assert_int_equal(change("head.weight.scale", -1, 0, b, &e), HK_E_FORMAT);
        assert_int_equal(change("head.weight.codes", 0, 0xff, b, &e), k ? HK_E_FORMAT : HK_OK);
        random_close(a);
        random_close(b);
    }
    remove(PATH);
}

static small *inferring(void)
{
    net_case c = a_case();
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->infer = true;
    form = "binary";
    layers(s, c.neuron, c.readout);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(s, c.in, c.T, c.batch);
    random_weights(s, c.seed);
    return s;
}

static void say(small *s, float *out)
{
    hk_error e;
    const net_case c = a_case();
    float *x = random_input(&c, 3);
    s->x = x;
    s->batch = (hk_batch){ .n = c.batch, .frame = small_frame, .self = s };
    if (hk_net_infer(&s->net, &s->batch, NULL, &e)) fail_msg("%s", e.text);
    memcpy(out, hk_net_output(&s->net), 12 * sizeof *out);
    free(x);
}

/* A norm as scale and shift: the same bits, whatever its eps; one of several sets is kept as it is. */
static void norms(void **state)
{
    (void)state;
    static const char *const keys[] = { "eps=1e-5", "eps=0.001", "eps=0.3", "running_steps=2" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        hk_error e;
        float want[12], got[12];
        hk_arrays list = { 0 };
        norm = keys[i];
        small *a = inferring(), *b = inferring();
        if (hk_codes_save(&a->net, PATH, NULL, &e)) fail_msg("%s", e.text);
        for (int k = 0; k < b->net.n_param; k++)
            for (size_t j = 0; j < b->param[k].n; j++) b->param[k].w[j] = 0.125f;
        if (hk_weights_load(&b->net, PATH, &e)) fail_msg("%s", e.text);
        say(a, want);
        say(b, got);
        assert_true(largest(12, want) > 0.01);
        assert_memory_equal(want, got, sizeof want);
        if (hk_safetensors_read(PATH, 0, &list, NULL, &e)) fail_msg("%s", e.text);
        assert_int_equal(hk_arrays_find(&list, "bn1.scale") != NULL, i < 3);
        assert_int_equal(hk_arrays_find(&list, "bn1.running_var") != NULL, i == 3);
        if (i < 3) {
            hk_arrays_drop(&list, "bn1.shift");
            assert_int_equal(hk_norms_expand(&a->net, &list, "f", &e), HK_E_FORMAT);
            assert_non_null(strstr(e.text, "bn1.shift"));
        }
        hk_arrays_clear(&list);
        random_close(a);
        random_close(b);
    }
    norm = NULL;
    remove(PATH);
}

static void refusal(void **state)
{
    (void)state;
    small s = { 0 };
    hk_error e;
    small_layer(&s, &hk_layer_dense, "fc", "out=2 standardize=true weights=binary");
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_rule(&s, &hk_rule_sltt, NULL);
    small_loss(&s, &hk_loss_ce, NULL, EACH_STEP);
    assert_int_equal(small_build(&s, (hk_shape){ 1, 1, 3, false }, 2, 1, &e), HK_E_UNSUP);
    assert_non_null(strstr(e.text, "standardize"));
    small_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known), cmocka_unit_test(differences), cmocka_unit_test(fixed_point),
        cmocka_unit_test(in_a_net), cmocka_unit_test(files), cmocka_unit_test(norms), cmocka_unit_test(refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
