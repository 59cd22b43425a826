/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <math.h>

#include "hillock_core.h"

static double rounded(double v)
{
    return v < 10 ? floor(v * 100 + 0.5) / 100 : floor(v * 10 + 0.5) / 10;
}

void hki_bytes_text(double v, char *out, size_t cap)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    int k = 0;
    while (v >= 1024 && k < 4) v /= 1024, k++;
    hk_format(out, cap, "%g %s", rounded(v), unit[k]);
}

void hki_count_text(double v, char *out, size_t cap)
{
    static const char *const unit[] = { "", " k", " M", " G", " T", " P" };
    int k = 0;
    if (v < 1e4) {
        hk_format(out, cap, "%g", floor(v + 0.5));
        return;
    }
    while (v >= 1000 && k < 5) v /= 1000, k++;
    hk_format(out, cap, "%g%s", rounded(v), unit[k]);
}
