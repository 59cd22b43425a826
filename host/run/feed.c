/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <string.h>

#include "base/alloc.h"

static const void *frame(void *self, int t)
{
    hk_feed *f = self;
    size_t used = (size_t)f->in.batch * f->sample_bytes;
    f->encoder->step(f->cfg, &f->in, t, f->T, f->buffer);
    memset((char *)f->buffer + used, 0, f->bytes - used);
    return f->buffer;
}

static hk_status check_time(const hk_recipe *r, bool ragged, hk_error *e)
{
    const hk_encoder_ops *o = r->encoder;
    const int32_t steps = r->data.steps;
    HK_CHECK(e, steps || o->time != HK_TIME_AXIS, HK_E_SHAPE,
             "encoder '%s' needs samples with a time axis, data set '%s' has none", o->info.name,
             r->data.ops ? r->data.ops->info.name : "none");
    HK_CHECK(e, !steps || o->time != HK_TIME_STATIC, HK_E_SHAPE,
             "encoder '%s' spreads one frame over all steps, but a sample has %d steps of its own; "
             "expected encoder direct, rate or delta", o->info.name, (int)steps);
    HK_CHECK(e, !steps || ragged || r->train.T <= steps, HK_E_SHAPE,
             "train.T is %d, but a sample has %d steps", (int)r->train.T, (int)steps);
    return HK_OK;
}

static size_t sample_bytes(const hk_recipe *r)
{
    const hk_signal s = hk_recipe_input(r);
    return (size_t)s.shape.h * (size_t)s.shape.w * hk_row_bytes(s.kind, (size_t)s.shape.c);
}

size_t hk_feed_bytes(const hk_recipe *r) { return (size_t)r->train.batch * sample_bytes(r); }

hk_status hk_feed_open(hk_feed *f, const hk_recipe *r, bool ragged, hk_error *e)
{
    memset(f, 0, sizeof *f);
    HK_TRY(check_time(r, ragged, e));
    const size_t batch = (size_t)r->train.batch;
    void *buffer = hk_alloc_zero(1, hk_feed_bytes(r));
    int32_t *length = ragged ? hk_alloc_zero(batch, sizeof *length) : NULL;
    if (!buffer || (ragged && !length)) {
        hk_free(buffer);
        hk_free(length);
        return hk_fail(e, HK_E_NOMEM, "no memory for one step of input, %zu bytes",
                       hk_feed_bytes(r));
    }
    *f = (hk_feed){ .encoder = r->encoder, .cfg = r->encoder_cfg, .T = r->train.T,
                    .in = { .shape = r->data.shape }, .seed = (uint64_t)r->train.seed,
                    .buffer = buffer, .bytes = hk_feed_bytes(r), .sample_bytes = sample_bytes(r),
                    .length = length, .batch = { .frame = frame, .self = f, .length = length } };
    return HK_OK;
}

void hk_feed_close(hk_feed *f)
{
    hk_free(f->buffer);
    hk_free(f->length);
    memset(f, 0, sizeof *f);
}

const hk_batch *hk_feed_put(hk_feed *f, const hk_loaded *l, uint64_t stream)
{
    f->in.x = l->x;
    f->in.batch = (int32_t)l->n;
    f->in.steps = l->steps;
    f->in.r = (hk_rng){ f->seed, stream };
    for (int64_t b = 0; f->length && b < l->n; b++) {
        const int32_t own = l->length ? l->length[b] : l->steps;
        f->length[b] = own < f->T ? own : f->T;
    }
    f->batch.n = (int32_t)l->n;
    f->batch.label = l->label;
    return &f->batch;
}
