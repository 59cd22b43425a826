/* What the tests of host/io share: a folder of their own, sample arrays, and the torture of readers
 * and writers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_TEST_H
#define HK_IO_TEST_H

#ifndef _XOPEN_SOURCE
#  define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../host/base/alloc.h"
#include "../../host/io/array.h"
#include "../../host/io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All tests run inside a fresh folder, so names are relative. */
static int enter_folder(void **state)
{
    char *name = strdup("/tmp/test_io_XXXXXX");
    *state = name;
    return mkdtemp(name) ? chdir(name) : -1;
}

static int files_here(void)
{
    int n = 0;
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int leave_folder(void **state)
{
    char name[64] = "rm -rf ";
    strcat(name, *state);
    int rc = chdir("/") || system(name);
    free(*state);
    return rc;
}

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        hk_error *e_ = &err;                                                                       \
        if ((call) != HK_OK) fail_msg("%s: %s", #call, e_->text);                                  \
    } while (0)

/* The call fails with this code, and its message holds this text. */
#define assert_refused(call, status, fragment)                                                     \
    do {                                                                                           \
        err.text[0] = 0;                                                                           \
        assert_int_equal(call, status);                                                            \
        if (!strstr(err.text, fragment)) fail_msg("'%s' lacks '%s'", err.text, fragment);          \
    } while (0)

/* One array of each type and of each interesting shape; bf16 only where the format has it. */
static void sample(hk_arrays *list, bool bf16)
{
    static const int64_t dims[] = { 2, 3, 1, 1, 2, 1, 1, 1 };
    unsigned char raw[96];
    hk_error err;
    for (int i = 0; i < 96; i++) raw[i] = (unsigned char)(i % 2);
    for (int t = 0; t < HK_DT_COUNT; t++)
        if (t != HK_DT_BF16 || bf16)
            assert_ok(hk_arrays_add(list, hk_dtype_name((hk_dtype)t), (hk_dtype)t, t % 9, dims, raw,
                                    &err));
    assert_ok(hk_arrays_add(list, "scalar", HK_DT_F64, 0, NULL, raw, &err));
    assert_ok(hk_arrays_add(list, "empty", HK_DT_I64, 2, (int64_t[]){ 4, 0 }, NULL, &err));
    assert_ok(hk_arrays_add(list, "gr\xc3\xb6\xc3\x9f" "e", HK_DT_U8, 1, dims, raw, &err));
}

static void assert_same(const hk_arrays *a, const hk_arrays *b)
{
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const hk_array *x = &a->at[i], *y = hk_arrays_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->dim, y->dim, sizeof x->dim);
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->data, y->data, x->bytes);
    }
}

typedef hk_status reader(const void *p, size_t n, hk_error *err);

/* Every beginning is refused with a message that names the file; no single changed byte and no
 * failing allocation crashes or leaks. Blocks have their exact size, so that ASan sees overruns. */
static void torture(reader *read, const char *name, const void *p, size_t n)
{
    hk_error err;
    size_t live = hk_alloc_counts().live;
    assert_ok(read(p, n, &err));
    for (size_t cut = 0; cut < n; cut++) {
        char *q = malloc(cut ? cut : 1);
        memcpy(q, p, cut);
        assert_refused(read(q, cut, &err), HK_E_FORMAT, name);
        free(q);
    }
    char *q = malloc(n);
    memcpy(q, p, n);
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            q[i] ^= (char)(1 << bit);
            (void)read(q, n, &err);
            q[i] ^= (char)(1 << bit);
        }
    hk_status s = HK_E_NOMEM;
    for (long k = 1; s == HK_E_NOMEM; k++) {
        hk_alloc_fail_at(k);
        s = read(q, n, &err);
        hk_alloc_fail_at(0);
        assert_int_equal(hk_alloc_counts().live, live);
    }
    assert_int_equal(s, HK_OK);
    free(q);
}

static void torture_file(reader *read, const char *name, const char *path)
{
    void *p;
    size_t n;
    hk_error err;
    assert_ok(hk_file_read(path, 0, &p, &n, &err));
    torture(read, name, p, n);
    hk_free(p);
}

/* Writing to path with the k-th allocation failing, for every k, leaves no trace and no leak. */
#define torture_write(call)                                                                        \
    do {                                                                                           \
        size_t live_ = hk_alloc_counts().live;                                                     \
        int before_ = files_here();                                                                \
        hk_status s_ = HK_E_NOMEM;                                                                 \
        for (long k_ = 1; s_ == HK_E_NOMEM; k_++) {                                                \
            hk_alloc_fail_at(k_);                                                                  \
            s_ = (call);                                                                           \
            hk_alloc_fail_at(0);                                                                   \
            assert_int_equal(hk_alloc_counts().live, live_);                                       \
            assert_int_equal(files_here(), before_ + (s_ == HK_OK));                               \
        }                                                                                          \
        assert_int_equal(s_, HK_OK);                                                               \
    } while (0)

#endif
