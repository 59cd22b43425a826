/* Time series of the UEA and UCR archives: in the folder root the files NAME_TRAIN.ts and
 * NAME_TEST.ts, plain or gzip (.ts.gz). A sample is as many steps of its channels as its line has;
 * values come out as they are. The format: parse.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/parse.h"
#include "host/io/file.h"

#include <string.h>

typedef struct ts_cfg { int32_t missing; } ts_cfg;

static const hk_field ts_fields[] = {
    HK_ROW_ENUM(ts_cfg, missing, HK_TS_HOLD, "hold|zero|refuse", 3,
                "a missing value (?): the one before it (at the start the first there is), 0, or refused"),
};

static hk_status ts_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    static const char *const ends[] = { ".ts", ".ts.gz" };
    const char *split = strcmp(cfg->split, "train") == 0 ? "TRAIN" : "TEST";
    char *path = NULL;
    void *data;
    size_t n;
    HK_TRY(hk_find_split(cfg->root, split, ends, HK_COUNT(ends), &path, e));
    HK_CHECK(e, path, HK_E_IO, "%s: holds no file *_%s.ts or *_%s.ts.gz", cfg->root, split, split);
    hk_status st = hk_file_read_maybe_gz(path, 0, &data, &n, e);
    if (st == HK_OK) {
        const hk_bytes file = { data, n, path };
        st = hk_ts_parse(d, &file, (hk_ts_missing)((const ts_cfg *)cfg->member)->missing, e);
        hk_free(data);
    }
    hk_free(path);
    return st;
}

const hk_dataset_ops hk_dataset_ts = {
    .info = { "ts", "time series of the UEA and UCR archives, also of unequal length (.ts, .ts.gz)",
              "Bagnall et al. 2018, arXiv:1811.00075; Dau et al. 2019, arXiv:1810.07758",
              sizeof(ts_cfg), ts_fields, HK_COUNT(ts_fields) },
    .needs_root = true, .open = ts_open, .get = hk_store_get, .close = hk_store_close,
};
