/* Any bytes as a table of choices: no crash, and what is accepted is a row that kernels take or refuse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/choice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    hk_choices c;
    hk_host_kernels k;
    hk_error e;
    if (n > 65536 || hk_choices_parse(&c, data, n, "fuzz", NULL, &e)) return 0;
    const hk_host_kernels_cfg cfg = { .threads = 1, .choice = c.row, .n_choice = c.n };
    if (hk_host_kernels_open(&k, &cfg, &e) == HK_OK) hk_host_kernels_close(&k);
    else if (e.code == HK_E_ARG) abort();
    hk_choices_close(&c);
    return 0;
}
