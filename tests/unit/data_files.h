/* Miniature files for the tests of the data sets, each in the format of one member.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TEST_DATA_FILES_H
#define HK_TEST_DATA_FILES_H

#include "../../host/io/npz.h"

#include <archive.h>
#include <archive_entry.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <jpeglib.h>

enum { CIFAR = 3072, SIDE = 16, COLOUR = SIDE * SIDE * 3 };

static inline void put(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void put_gz(const char *path, const void *data, size_t n)
{
    gzFile f = gzopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, data, (unsigned)n), n);
    assert_int_equal(gzclose(f), Z_OK);
}

/* Pixel k of image i of every generated file. */
static inline uint8_t pixel(int i, size_t k) { return (uint8_t)(7 * i + 3 * (int)k + (int)k / 11); }

/* 6 images of 3 x 4, labels 0 1 2 0 1 2. */
static inline void make_idx(const char *dir, bool gz)
{
    static const uint8_t head[16] = { 0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 4 };
    uint8_t x[16 + 72], y[14] = { 0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 2, 0, 1, 2 };
    char path[128];
    memcpy(x, head, 16);
    for (int i = 0; i < 72; i++) x[16 + i] = pixel(i / 12, (size_t)(i % 12));
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte%s", dir, gz ? ".gz" : "");
    (gz ? put_gz : put)(path, x, sizeof x);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte%s", dir, gz ? ".gz" : "");
    (gz ? put_gz : put)(path, y, sizeof y);
}

/* n records whose last label byte is i % 10. */
static inline void make_cifar(const char *path, int n, int n_label, bool gz)
{
    size_t record = (size_t)n_label + CIFAR;
    uint8_t *b = malloc((size_t)n * record);
    for (int i = 0; i < n; i++) {
        memset(b + (size_t)i * record, i % 10, (size_t)n_label);
        for (size_t k = 0; k < CIFAR; k++)
            b[(size_t)i * record + (size_t)n_label + k] = pixel(i, k);
    }
    (gz ? put_gz : put)(path, b, (size_t)n * record);
    free(b);
}

typedef struct blob { uint8_t *at; size_t n; } blob;

static inline blob make_jpeg(int i)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr mgr;
    unsigned char *out = NULL;
    unsigned long n = 0;
    uint8_t row[SIDE * 3];
    JSAMPROW line = row;
    c.err = jpeg_std_error(&mgr);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &n);
    c.image_width = c.image_height = SIDE;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 60, TRUE);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < SIDE; y++) {
        for (int k = 0; k < SIDE * 3; k++) row[k] = (uint8_t)(40 * i + 4 * y + k);
        jpeg_write_scanlines(&c, &line, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return (blob){ out, n };
}

static inline blob make_png(int i, unsigned format, size_t bytes, int w, int h)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = (unsigned)w, .height = (unsigned)h,
                        .format = format };
    uint8_t *x = malloc(bytes);
    uint8_t map[256 * 3];
    blob b = { malloc(1 << 16), 1 << 16 };
    for (size_t k = 0; k < bytes; k++) x[k] = pixel(i, k);
    for (int k = 0; k < 256 * 3; k++) map[k] = (uint8_t)k;
    if (format & PNG_FORMAT_FLAG_COLORMAP) image.colormap_entries = 256;
    assert_true(png_image_write_to_memory(&image, b.at, &b.n, 0, x, 0, map));
    free(x);
    return b;
}

/* The six images of the packs, not in sorted order: classes a (2), a-b (1), c (3). */
static const char *const pack_name[] = { "c/2.png", "a/1.png", "c/0.png", "a-b/0.png", "a/0.png",
                                         "c/1.png" };

static inline blob pack_image(int i, bool jpeg)
{
    return jpeg ? make_jpeg(i) : make_png(i, PNG_FORMAT_RGB, COLOUR, SIDE, SIDE);
}

static inline void make_tree(const char *dir, const char *split, const char *const *name, int n, bool jpeg)
{
    char path[128];
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/%s", dir, split);
    mkdir(path, 0777);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, split, name[i]);
        *strrchr(path, '/') = '\0';
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%s", dir, split, name[i]);
        blob b = pack_image(i, jpeg);
        put(path, b.at, b.n);
        free(b.at);
    }
}

static inline void make_tar(const char *dir, const char *file, bool gz)
{
    char path[128], *out = malloc(1 << 17);
    size_t n = 0;
    struct archive *a = archive_write_new();
    archive_write_set_format_ustar(a);
    archive_write_set_bytes_per_block(a, 512);
    assert_int_equal(archive_write_open_memory(a, out, 1 << 17, &n), ARCHIVE_OK);
    for (int i = 0; i < 6; i++) {
        struct archive_entry *e = archive_entry_new();
        blob b = pack_image(i, false);
        snprintf(path, sizeof path, "pack/train/%s", pack_name[i]);
        archive_entry_set_pathname(e, path);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_size(e, (la_int64_t)b.n);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, b.at, b.n), b.n);
        archive_entry_free(e);
        free(b.at);
    }
    archive_write_close(a);
    archive_write_free(a);
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/%s", dir, file);
    (gz ? put_gz : put)(path, out, n);
    free(out);
}

static inline void make_npz(const char *path, hk_dtype t, int rank, const int64_t *dim,
                     const int64_t *label)
{
    hk_arrays list = { 0 };
    float f[256];
    uint8_t u[256];
    for (int k = 0; k < 256; k++) f[k] = (float)k - 3.5f, u[k] = (uint8_t)k;
    const void *x = t == HK_DT_F32 ? (void *)f : u;
    assert_int_equal(hk_arrays_add(&list, "x", t, rank, dim, x, NULL), 0);
    assert_int_equal(hk_arrays_add(&list, "label", HK_DT_I64, 1, dim, label, NULL), 0);
    assert_int_equal(hk_npz_write(path, &list, NULL), 0);
    hk_arrays_clear(&list);
}

#endif
