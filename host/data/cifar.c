/* CIFAR-10 and CIFAR-100 in their binary form, plain or gzip.
 *
 *   cifar10    data_batch_1.bin .. data_batch_5.bin, test_batch.bin; class, pixels
 *   cifar100   train.bin, test.bin; coarse class, fine class, pixels
 *
 * A set with fewer images than the published one is read too, and `variant` says so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/parse.h"

#include <string.h>

enum { MAX_FILES = 5 };

static hk_status cifar_open(hk_dataset *d, const char *root, const char *const *names, int n_name,
                            hk_cifar_form form, hk_error *e)
{
    hk_bytes file[MAX_FILES] = { { 0 } };
    char *path[MAX_FILES] = { NULL };
    hk_status st = HK_OK;
    for (int k = 0; k < n_name && st == HK_OK; k++)
        st = hk_read_either(root, names[k], &file[k], &path[k], e);
    if (st == HK_OK) st = hk_cifar_parse(d, file, n_name, form, e);
    for (int k = 0; k < n_name; k++) {
        hk_free((void *)file[k].at);
        hk_free(path[k]);
    }
    return st;
}

static void variant_set(hk_dataset *d, bool train)
{
    long whole = train ? 50000 : 10000;
    if (d->n != whole)
        hk_format(d->variant, sizeof d->variant, "%lld of %ld images", (long long)d->n, whole);
}

static hk_status cifar10_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    static const char *const train_names[] = { "data_batch_1.bin", "data_batch_2.bin",
                                               "data_batch_3.bin", "data_batch_4.bin",
                                               "data_batch_5.bin" };
    static const char *const test_names[] = { "test_batch.bin" };
    bool train = strcmp(cfg->split, "train") == 0;
    d->n_class = 10;
    HK_TRY(cifar_open(d, cfg->root, train ? train_names : test_names, train ? MAX_FILES : 1,
                      (hk_cifar_form){ .n_label = 1, .use = 0 }, e));
    variant_set(d, train);
    return HK_OK;
}

typedef struct cifar100_cfg { bool coarse; } cifar100_cfg;

static const hk_field cifar100_fields[] = {
    HK_ROW_BOOL(cifar100_cfg, coarse, 0, "the 20 coarse classes instead of the 100 fine ones"),
};

static hk_status cifar100_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    bool train = strcmp(cfg->split, "train") == 0;
    bool coarse = ((const cifar100_cfg *)cfg->member)->coarse;
    const char *name = train ? "train.bin" : "test.bin";
    d->n_class = coarse ? 20 : 100;
    hk_cifar_form form = { .n_label = 2, .use = coarse ? 0 : 1 };
    HK_TRY(cifar_open(d, cfg->root, &name, 1, form, e));
    variant_set(d, train);
    return HK_OK;
}

#define CIFAR_SOURCE "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"

const hk_dataset_ops hk_dataset_cifar10 = {
    .info = { .name = "cifar10", .brief = "CIFAR-10 binaries: 32x32 colour, ten classes",
              .source = CIFAR_SOURCE },
    .needs_root = true, .open = cifar10_open, .get = hk_store_get, .close = hk_store_close,
};

const hk_dataset_ops hk_dataset_cifar100 = {
    .info = { "cifar100", "CIFAR-100 binaries: 32x32 colour, 100 fine or 20 coarse classes",
              CIFAR_SOURCE, sizeof(cifar100_cfg), cifar100_fields, HK_COUNT(cifar100_fields) },
    .needs_root = true, .open = cifar100_open, .get = hk_store_get, .close = hk_store_close,
};
