/* weights.c, selftest.c, samples.h and samples.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "write.h"

#include "base/alloc.h"

#include <string.h>

/* ---- weights.c --------------------------------------------------------------------------------- */

static void put_constant(hk_text *t, const hk_param *p, const hk_constant *c, int32_t i)
{
    hk_text_put(t, "\n/* %s.%s */\n", p->layer, p->name);
    if (c->form == HK_FORM_I8) {
        hk_text_put(t, "static const float scale%d[] = {\n", (int)i);
        hk_text_floats(t, hk_target_channels(p), c->scale);
        hk_text_put(t, "};\nstatic const int8_t value%d[] = {\n", (int)i);
        hk_text_small(t, p->n, c->value);
    } else if (c->form == HK_FORM_F16) {
        hk_text_put(t, "static const uint16_t value%d[] = {\n", (int)i);
        hk_text_halves(t, p->n, c->value);
    } else {
        hk_text_put(t, "static const float value%d[] = {\n", (int)i);
        hk_text_floats(t, p->n, c->value);
    }
    hk_text_put(t, "};\n");
}

void hk_write_weights(hk_text *t, const hk_snapshot *s)
{
    static const char *const form[] = { "HK_FORM_F32", "HK_FORM_F16", "HK_FORM_I8" };
    const hk_net *net = &s->model.net;
    hk_write_head(t, s, "Weights, thresholds and leaks as constants, in the core's memory order.");
    hk_text_put(t, "#include \"hillock_image.h\"\n");
    for (int32_t i = 0; i < net->n_param; i++) put_constant(t, &net->param[i], &s->constant[i], i);
    hk_text_put(t, "\nextern const hk_constant net_weights[];\nconst hk_constant net_weights[] = {\n");
    for (int32_t i = 0; i < net->n_param; i++) {
        hk_text_put(t, "    { value%d, ", (int)i);
        if (s->constant[i].scale) hk_text_put(t, "scale%d", (int)i);
        else hk_text_put(t, "NULL");
        hk_text_put(t, ", %s },\n", form[s->constant[i].form]);
    }
    hk_text_put(t, "};\n");
}

/* ---- selftest.c -------------------------------------------------------------------------------- */

static void put_raw(hk_text *t, const char *name, const float *v)
{
    hk_text_put(t, "      .%s = {", name);
    for (int i = 0; i < HK_SELF_RAW; i++) {
        hk_text_put(t, i ? ", " : " ");
        hk_text_float(t, v[i]);
    }
    hk_text_put(t, " },\n");
}

void hk_write_selftest(hk_text *t, const hk_snapshot *s)
{
    hk_write_head(t, s, "The self-test: inputs, and what the exporting machine got from them.");
    hk_text_put(t, "#include \"hillock_image.h\"\n\n");
    for (int k = 0; k < HK_SELF_SAMPLES; k++) {
        const bool f32 = s->spec.input.kind == HK_F32;
        hk_text_put(t, "static const %s frame%d[] = {\n", f32 ? "float" : "uint32_t", k);
        if (f32) hk_text_floats(t, s->frame_bytes / 4, s->frame[k]);
        else hk_text_words(t, s->frame_bytes / 4, s->frame[k]);
        hk_text_put(t, "};\n");
    }
    hk_text_put(t, "\nextern const void *const net_self_frames[];\n"
                   "const void *const net_self_frames[] = {");
    for (int k = 0; k < HK_SELF_SAMPLES; k++) hk_text_put(t, "%s frame%d", k ? "," : "", k);
    hk_text_put(t, " };\n\nextern const hk_self_sample net_self[];\n"
                   "const hk_self_sample net_self[] = {\n");
    for (int k = 0; k < HK_SELF_SAMPLES; k++) {
        const hk_self_sample *r = &s->self[k];
        hk_text_put(t, "    { .membranes = 0x%08xu, .spikes = 0x%08xu, .gradients = 0x%08xu,\n"
                       "      .weights = 0x%08xu, .loss = 0x%08xu,\n",
                    (unsigned)r->membranes, (unsigned)r->spikes, (unsigned)r->gradients,
                    (unsigned)r->weights, (unsigned)r->loss);
        put_raw(t, "membrane", r->membrane);
        put_raw(t, "gradient", r->gradient);
        put_raw(t, "weight", r->weight);
        hk_text_put(t, "    },\n");
    }
    hk_text_put(t, "};\n");
}

/* ---- samples ----------------------------------------------------------------------------------- */

static const char *const split_name[] = { "train", "test" };

static int64_t wanted(const hk_snapshot *s, const hk_export_opts *o, int split)
{
    const int64_t most = split ? o->test : o->train;
    return most < s->data[split].n ? most : s->data[split].n;
}

void hk_write_samples_h(hk_text *t, const hk_snapshot *s, const hk_export_opts *o)
{
    hk_write_head(t, s, "Samples of the data set, [h][w][c]: a value is byte / NET_UNIT.");
    hk_text_put(t, "#ifndef NET_SAMPLES_H\n#define NET_SAMPLES_H\n\n#include <stdint.h>\n\n"
                   "enum { NET_TRAIN = %lld, NET_TEST = %lld };\n",
                o->train > 0 ? (long long)wanted(s, o, 0) : 0LL,
                o->test > 0 ? (long long)wanted(s, o, 1) : 0LL);
    hk_text_put(t, "extern const uint8_t net_unit;\n");
    for (int i = 0; i < 2; i++)
        if (i ? o->test > 0 : o->train > 0)
            hk_text_put(t, "extern const uint8_t net_%s_value[][%zu], net_%s_label[];\n",
                        split_name[i], hk_data_floats(&s->data[i]), split_name[i]);
    hk_text_put(t, "\n#endif\n");
}

/* The grey levels of the data: every value must be a whole number of 1/unit. */
static int find_unit(const float *x, size_t n, int unit)
{
    static const int known[] = { 1, 15, 16, 255 };
    for (int k = 0; k < HK_COUNT(known); k++) {
        if (known[k] < unit) continue;
        size_t i = 0;
        while (i < n && x[i] >= 0 && x[i] <= 1 &&
               (float)(int)(x[i] * (float)known[k] + 0.5f) / (float)known[k] == x[i])
            i++;
        if (i == n) return known[k];
    }
    return 0;
}

static hk_status put_split(hk_text *t, const hk_dataset *d, const char *name, int64_t n, int unit,
                           float *x, uint8_t *byte, hk_error *e)
{
    const size_t floats = hk_data_floats(d);
    int32_t label;
    hk_text_put(t, "\nconst uint8_t net_%s_value[][%zu] = {\n", name, floats);
    for (int64_t i = 0; i < n; i++) {
        HK_TRY(hk_data_get(d, i, x, NULL, e));
        for (size_t k = 0; k < floats; k++) byte[k] = (uint8_t)(x[k] * (float)unit + 0.5f);
        hk_text_put(t, "  {\n");
        hk_text_bytes(t, floats, byte);
        hk_text_put(t, "  },\n");
    }
    hk_text_put(t, "};\nconst uint8_t net_%s_label[] = {", name);
    for (int64_t i = 0; i < n; i++) {
        HK_TRY(hk_data_get(d, i, NULL, &label, e));
        hk_text_put(t, "%s%d,", i % 32 ? " " : "\n    ", (int)label);
    }
    hk_text_put(t, "\n};\n");
    return HK_OK;
}

static hk_status put_samples(hk_text *t, const hk_snapshot *s, const hk_export_opts *o, float *x,
                             uint8_t *byte, size_t *bytes, hk_error *e)
{
    int unit = 1;
    for (int i = 0; i < 2 && unit; i++)
        for (int64_t k = 0; (i ? o->test : o->train) > 0 && unit && k < wanted(s, o, i); k++) {
            HK_TRY(hk_data_get(&s->data[i], k, x, NULL, e));
            unit = find_unit(x, hk_data_floats(&s->data[i]), unit);
        }
    HK_CHECK(e, unit, HK_E_UNSUP, "samples of data set '%s' are not bytes, they cannot be written",
             s->recipe.data.ops->info.name);
    hk_write_head(t, s, "Samples of the data set.");
    hk_text_put(t, "#include \"samples.h\"\n\nconst uint8_t net_unit = %d;\n", unit);
    *bytes = 0;
    for (int i = 0; i < 2; i++) {
        if ((i ? o->test : o->train) <= 0) continue;
        const int64_t n = wanted(s, o, i);
        HK_TRY(put_split(t, &s->data[i], split_name[i], n, unit, x, byte, e));
        *bytes += (size_t)n * (hk_data_floats(&s->data[i]) + 1);
    }
    return HK_OK;
}

hk_status hk_write_samples_c(hk_text *t, const hk_snapshot *s, const hk_export_opts *o,
                             size_t *bytes, hk_error *e)
{
    const size_t n = hk_data_floats(&s->data[o->train > 0 ? 0 : 1]);
    float *x = hk_alloc(n * sizeof *x);
    uint8_t *byte = hk_alloc(n);
    hk_status st = x && byte ? put_samples(t, s, o, x, byte, bytes, e)
                             : hk_fail(e, HK_E_NOMEM, "no memory for one sample");
    hk_free(byte);
    hk_free(x);
    return st;
}
