/* Entry for a fuzzer: the first byte chooses the reader, the rest is the file. A reader may refuse
 * anything, but must not crash, leak, or accept what it cannot free.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../host/base/alloc.h"
#include "../../host/io/file.h"
#include "../../host/io/npz.h"
#include "../../host/io/safetensors.h"

#include <stdlib.h>

enum { LIMIT = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    hk_arrays list = { 0 };
    hk_array one = { 0 };
    hk_meta meta = { 0 };
    hk_error err;
    void *plain = NULL;
    size_t plain_n = 0, live = hk_alloc_counts().live;
    if (n == 0) return 0;
    const uint8_t *p = data + 1;
    switch (data[0] % 4) {
    case 0: (void)hk_npz_parse(p, n - 1, "fuzz.npz", LIMIT, &list, &err); break;
    case 1: (void)hk_npy_parse(p, n - 1, "fuzz.npy", LIMIT, &one, &err); break;
    case 2: (void)hk_safetensors_parse(p, n - 1, "fuzz.st", &list, &meta, &err); break;
    default: (void)hk_gunzip(p, n - 1, "fuzz.gz", LIMIT, &plain, &plain_n, &err); break;
    }
    hk_arrays_clear(&list);
    hk_array_clear(&one);
    hk_meta_clear(&meta);
    hk_free(plain);
    if (hk_alloc_counts().live != live) abort();
    return 0;
}
