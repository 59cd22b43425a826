/* The MNIST format: four IDX files in one folder, plain or gzip. Also Fashion-MNIST, KMNIST, EMNIST
 * and others that keep its names:
 *
 *   train-images-idx3-ubyte[.gz]   train-labels-idx1-ubyte[.gz]
 *   t10k-images-idx3-ubyte[.gz]    t10k-labels-idx1-ubyte[.gz]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/parse.h"

#include <string.h>

typedef struct idx_cfg { int32_t classes; } idx_cfg;

static const hk_field idx_fields[] = {
    HK_ROW_INT(idx_cfg, classes, 10, 1, 256, "1", "number of classes, labels are 0 to classes - 1"),
};

static hk_status idx_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    bool train = strcmp(cfg->split, "train") == 0;
    hk_bytes images = { 0 }, labels = { 0 };
    char *path[2] = { NULL, NULL };
    d->n_class = ((const idx_cfg *)cfg->member)->classes;
    hk_status st = hk_read_either(cfg->root, train ? "train-images-idx3-ubyte"
                                                   : "t10k-images-idx3-ubyte",
                                  &images, &path[0], e);
    if (st == HK_OK)
        st = hk_read_either(cfg->root, train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte",
                            &labels, &path[1], e);
    if (st == HK_OK) st = hk_idx_parse(d, &images, &labels, e);
    hk_free((void *)images.at);
    hk_free((void *)labels.at);
    hk_free(path[0]);
    hk_free(path[1]);
    return st;
}

const hk_dataset_ops hk_dataset_idx = {
    .info = { "idx", "MNIST-format files, plain or gzip: MNIST, Fashion-MNIST and their kin",
              "LeCun, Cortes, Burges, the MNIST database of handwritten digits, 1998",
              sizeof(idx_cfg), idx_fields, HK_COUNT(idx_fields) },
    .needs_root = true, .open = idx_open, .get = hk_store_get, .close = hk_store_close,
};
