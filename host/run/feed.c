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

static hk_status check_time(const hk_recipe *r, int32_t steps, hk_error *e)
{
    if (steps == 0)
        return strcmp(r->encoder->info.name, "none")
                   ? HK_OK
                   : hk_fail(
                         e, HK_E_SHAPE,
                         "encoder 'none' needs samples with a time axis, data set '%s' has none",
                         r->data.ops ? r->data.ops->info.name : "none");
    HK_CHECK(e, !r->encoder->constant, HK_E_SHAPE,
             "encoder '%s' shows one frame, but a sample has %d steps; expected encoder 'none'",
             r->encoder->info.name, steps);
    HK_CHECK(e, r->train.T <= steps, HK_E_SHAPE, "train.T is %d, but a sample has %d steps",
             r->train.T, steps);
    return HK_OK;
}

static size_t sample_bytes(const hk_recipe *r)
{
    const hk_shape s = r->data.shape;
    return (size_t)s.h * (size_t)s.w * hk_row_bytes(r->encoder->kind, (size_t)s.c);
}

size_t hk_feed_bytes(const hk_recipe *r) { return (size_t)r->train.batch * sample_bytes(r); }

hk_status hk_feed_open(hk_feed *f, const hk_recipe *r, int32_t steps, hk_error *e)
{
    memset(f, 0, sizeof *f);
    HK_TRY(check_time(r, steps, e));
    f->encoder = r->encoder;
    f->cfg = r->encoder_cfg;
    f->T = r->train.T;
    f->seed = (uint64_t)r->train.seed;
    f->in.steps = steps;
    f->in.shape = r->data.shape;
    f->sample_bytes = sample_bytes(r);
    f->bytes = hk_feed_bytes(r);
    f->batch.frame = frame;
    f->batch.self = f;
    void *buffer = hk_alloc_zero(1, f->bytes);
    if (!buffer) {
        size_t bytes = f->bytes;
        memset(f, 0, sizeof *f);
        return hk_fail(e, HK_E_NOMEM, "no memory for one step of input, %zu bytes", bytes);
    }
    f->buffer = buffer;
    return HK_OK;
}

void hk_feed_close(hk_feed *f)
{
    hk_free(f->buffer);
    memset(f, 0, sizeof *f);
}

const hk_batch *hk_feed_put(hk_feed *f, const hk_loaded *l, uint64_t stream)
{
    f->in.x = l->x;
    f->in.batch = (int32_t)l->n;
    f->in.r = (hk_rng){ f->seed, stream };
    f->batch.n = (int32_t)l->n;
    f->batch.label = l->label;
    return &f->batch;
}
