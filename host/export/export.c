/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "base/alloc.h"
#include "io/file.h"
#include "write.h"

static hk_status write_samples(hk_text *t, const hk_snapshot *s, const hk_export_opts *o,
                               hk_export_result *out, hk_error *e)
{
    hk_write_samples_h(t, s, o);
    HK_TRY(hk_text_save(t, o->out, "samples.h", e));
    HK_TRY(hk_write_samples_c(t, s, o, &out->samples, e));
    return hk_text_save(t, o->out, "samples.c", e);
}

static hk_status write_all(hk_text *t, const hk_snapshot *s, const hk_export_opts *o,
                           hk_export_result *out, hk_error *e)
{
    HK_TRY(hk_mkdirs(o->out, e));
    hk_write_net_h(t, s);
    HK_TRY(hk_text_save(t, o->out, "net.h", e));
    hk_write_net_c(t, s, o->form);
    HK_TRY(hk_text_save(t, o->out, "net.c", e));
    hk_write_weights(t, s);
    HK_TRY(hk_text_save(t, o->out, "weights.c", e));
    hk_write_selftest(t, s);
    HK_TRY(hk_text_save(t, o->out, "selftest.c", e));
    return o->train > 0 || o->test > 0 ? write_samples(t, s, o, out, e) : HK_OK;
}

hk_status hk_export(const hk_export_opts *o, hk_export_result *out, hk_error *e)
{
    hk_text text = { 0 };
    *out = (hk_export_result){ 0 };
    hk_snapshot *s = hk_alloc_zero(1, sizeof *s);
    HK_CHECK(e, s, HK_E_NOMEM, "no memory for an export");
    hk_status st = hk_snapshot_open(s, o, e);
    if (st == HK_OK) {
        const hk_net *net = &s->model.net;
        out->memory = hk_image_bytes(&s->image);
        out->n_node = net->n_node;
        out->n_param = net->n_param;
        out->tables = hk_target_table_bytes(hk_target_at(0), net->n_node, net->n_param);
        for (int32_t i = 0; i < net->n_param; i++)
            out->constants += hk_target_constant(&net->param[i], o->form);
        st = write_all(&text, s, o, out, e);
    }
    hk_text_free(&text);
    hk_snapshot_close(s);
    hk_free(s);
    return st;
}
