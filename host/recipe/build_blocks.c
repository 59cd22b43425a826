/* SPDX-License-Identifier: Apache-2.0 */
#include "build_blocks.h"

#include "io/number.h"

typedef struct label { char text[32]; } label;

static label number_of(const char *what, int number)
{
    label t;
    hk_format(t.text, sizeof t.text, "%s%d", what, number);
    return t;
}

static const char *truth(bool b) { return b ? "true" : "false"; }

void hk_block_plain(hk_layers *l, const char *type, const char *name)
{
    hk_layers_add(l, type, name, NULL, NULL, "%s", "");
}

bool hk_block_parallel(int number, float share)
{
    return (int)((float)number * share) > (int)((float)(number - 1) * share);
}

static label norm_keys(int32_t running_steps)
{
    label t = { "" };
    if (running_steps > 1) hk_format(t.text, sizeof t.text, "running_steps: %d", (int)running_steps);
    return t;
}

static void behind(hk_layers *l, int number, int32_t norm, bool spike, bool instant)
{
    if (norm)
        hk_layers_add(l, "batchnorm", number_of("bn", number).text, NULL, NULL, "%s", norm_keys(norm).text);
    if (spike)
        hk_layers_add(l, "spiking", number_of("spike", number).text, NULL, NULL, "%s",
                      instant ? "recurrent: false" : "");
}

void hk_block_conv(hk_layers *l, int number, hk_conv_form f)
{
    hk_layers_add(l, "conv2d", number_of("conv", number).text, NULL, NULL,
                  "out: %d, kernel: %d, stride: %d, padding: %d, bias: %s", (int)f.out,
                  (int)f.kernel, (int)f.stride, (int)f.padding, truth(f.bias));
    behind(l, number, f.norm, f.spike, f.instant);
}

void hk_block_conv3(hk_layers *l, int number, int32_t out, int32_t norm, bool instant)
{
    hk_block_conv(l, number, (hk_conv_form){ out, 3, 1, 1, !norm, norm, true, instant });
}

void hk_block_dense(hk_layers *l, int number, int32_t out, bool bias, int32_t norm)
{
    hk_layers_add(l, "dense", number_of("fc", number).text, NULL, NULL, "out: %d, bias: %s",
                  (int)out, truth(bias));
    behind(l, number, norm, true, false);
}

void hk_block_pool(hk_layers *l, int number, int32_t pooling)
{
    hk_layers_add(l, pooling == HK_POOL_MAX ? "maxpool2d" : "avgpool2d",
                  number_of("pool", number).text, NULL, NULL, "kernel: 2, stride: 2");
}

void hk_block_dropout(hk_layers *l, int number, float p)
{
    char text[HK_NUMBER];
    if (p > 0)
        hk_layers_add(l, "dropout", number_of("drop", number).text, NULL, NULL, "p: %s",
                      hk_number_print(p, text));
}

void hk_block_head(hk_layers *l, int32_t classes, bool bias)
{
    hk_layers_add(l, "dense", "head", NULL, NULL, "out: %d, bias: %s", (int)classes, truth(bias));
    hk_layers_add(l, "readout", "readout", NULL, NULL, "kind: sum");
}

void hk_block_mean_head(hk_layers *l, int32_t classes)
{
    hk_layers_add(l, "dense", "head", NULL, NULL, "out: %d", (int)classes);
    hk_layers_add(l, "readout", "readout", NULL, NULL, "kind: mean");
}

void hk_block_score(hk_layers *l, int32_t classes, bool spiking)
{
    hk_layers_add(l, "dense", "head", NULL, NULL, "out: %d, bias: false", (int)classes);
    if (spiking) hk_block_plain(l, "spiking", "score");
    hk_layers_add(l, "readout", "readout", NULL, NULL, "kind: sum");
}

/* ---- residual networks ----------------------------------------------------------------------- */

void hk_trunk_put(hk_trunk *t, int block, const char *type, const char *what, const char *from0,
                  const char *from1, const char *keys)
{
    if (block) hk_format(t->last, sizeof t->last, "b%d.%s", block, what);
    else hk_format(t->last, sizeof t->last, "%s", what);
    hk_layers_add(t->l, type, t->last, from0, from1, "%s", keys);
}

void hk_trunk_norm(hk_trunk *t, int block, const char *what)
{
    hk_trunk_put(t, block, "batchnorm", what, NULL, NULL, norm_keys(t->running_steps).text);
}

void hk_trunk_drop(hk_trunk *t, int block, const char *what)
{
    char keys[64] = "p: ";
    if (t->dropout <= 0) return;
    hk_number_print(t->dropout, keys + 3);
    hk_trunk_put(t, block, "dropout", what, NULL, NULL, keys);
}

void hk_trunk_name(char out[32], const char *name) { hk_format(out, 32, "%s", name); }
