/* The optical digits, carried in the library: 8 x 8 pixels, grey levels 0 to 16, ten classes.
 *
 * Packed form: a sample is 64 pixels, its class and a zero, 66 numbers a below 17. Three of them
 * make v = a0 + 17 a1 + 289 a2 < 4913, and v two letters, v mod 71 and v / 71. Letter d is the d-th
 * printable character from '#' on, where '?' and '\' are left out. So a sample takes 44 letters.
 *
 * Data: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
 * Learning Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/data/digits.h"

#include "host/data/store.h"

#include <string.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, GREY = 16, BASE = 71, NUMBERS = PIXELS + 2 };

static int letter_value(char c)
{
    return c - '#' - (c > '?') - (c > '\\');
}

static int sample_unpack(const char *text, uint8_t *pixel)
{
    uint8_t a[NUMBERS];
    for (int k = 0; k < NUMBERS; k += 3, text += 2) {
        int v = letter_value(text[0]) + BASE * letter_value(text[1]);
        a[k] = (uint8_t)(v % 17);
        a[k + 1] = (uint8_t)(v / 17 % 17);
        a[k + 2] = (uint8_t)(v / 289);
    }
    memcpy(pixel, a, PIXELS);
    return a[PIXELS];
}

static hk_status digits_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    bool train = strcmp(cfg->split, "train") == 0;
    const char (*text)[HK_DIGITS_TEXT] = train ? hk_digits_train : hk_digits_test;
    hk_store_form form = { .n = train ? HK_DIGITS_TRAIN : HK_DIGITS_TEST,
                           .shape = { .h = SIDE, .w = SIDE, .c = 1 }, .unit = GREY };
    d->n_class = 10;
    HK_TRY(hk_store_new(d, &form, "digits", e));
    hk_store *s = d->self;
    for (int64_t i = 0; i < d->n; i++)
        s->label[i] = sample_unpack(text[i], s->u8 + i * PIXELS);
    return HK_OK;
}

const hk_dataset_ops hk_dataset_digits = {
    .info = { .name = "digits",
              .brief = "optical digits, 8x8 grey, 3823 + 1797 samples, carried in the library",
              .source = "Alpaydin and Kaynak, UCI Machine Learning Repository, 1998, "
                        "doi:10.24432/C50P49, CC BY 4.0" },
    .open = digits_open, .get = hk_store_get, .close = hk_store_close,
};
