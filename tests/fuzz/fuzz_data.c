/* libFuzzer entry for the parsers of IDX and of the CIFAR binaries. The first byte chooses the
 * format; for IDX the next two say where images end and labels begin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../host/data/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hk_dataset_ops ops = { .info = { .name = "fuzz" } };
    hk_dataset d = { .ops = &ops, .n_class = 10 };
    hk_error e;
    if (size < 3) return 0;
    int which = data[0] % 3;
    size_t cut = data[1] | (size_t)data[2] << 8;
    data += 3;
    size -= 3;
    if (cut > size) cut = size;
    hk_bytes part[2] = { { data, cut, "first" }, { data + cut, size - cut, "second" } };
    hk_status st = which == 0
        ? hk_idx_parse(&d, &part[0], &part[1], &e)
        : hk_cifar_parse(&d, part, cut < size ? 2 : 1,
                         which == 1 ? (hk_cifar_form){ 1, 0 } : (hk_cifar_form){ 2, 1 }, &e);
    if (st != HK_OK) return 0;
    float *out = NULL;
    int32_t label;
    for (int64_t i = 0; i < d.n; i++)
        if (hk_store_get(&d, i, out, &label, &e) != HK_OK || label < 0 || label >= d.n_class)
            __builtin_trap();
    hk_store_digest(&d);
    hk_store_close(&d);
    return 0;
}
