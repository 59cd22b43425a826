/* libFuzzer entry for the parser of .ts files. The first byte says what a missing value becomes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../host/data/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hk_dataset_ops ops = { .info = { .name = "fuzz" } };
    hk_dataset d = { .ops = &ops };
    hk_error e;
    if (size < 1) return 0;
    const hk_bytes file = { data + 1, size - 1, "fuzz.ts" };
    if (hk_ts_parse(&d, &file, (hk_ts_missing)(data[0] % 3), &e) != HK_OK) return 0;
    float *out = malloc(hk_data_floats(&d) * sizeof *out);
    for (int64_t i = 0; i < d.n && out; i++) {
        int32_t label;
        if (hk_store_get(&d, i, out, &label, &e) != HK_OK || label < 0 || label >= d.n_class ||
            (d.length && (d.length[i] < 1 || d.length[i] > d.steps)))
            __builtin_trap();
        for (size_t k = 0; k < hk_data_floats(&d); k++)
            if (out[k] - out[k] != 0) __builtin_trap();
    }
    free(out);
    hk_store_digest(&d);
    hk_store_close(&d);
    return 0;
}
