/* PNG through libpng. Errors inside the library jump back to the one setjmp of png_run.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/decode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct png_job {
    jmp_buf         back;
    png_structp     png;
    png_infop       info;
    const hk_bytes *file;
    size_t          at;          /* bytes taken from file */
    char            text[160];   /* the library's message */
} png_job;

static void png_failed(png_structp png, png_const_charp text)
{
    png_job *j = png_get_error_ptr(png);
    hk_format(j->text, sizeof j->text, "%s", text);
    longjmp(j->back, 1);
}

static void png_warned(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void png_take(png_structp png, png_bytep out, size_t n)
{
    png_job *j = png_get_io_ptr(png);
    if (n > j->file->n - j->at) png_error(png, "the file ends early");
    memcpy(out, j->file->at + j->at, n);
    j->at += n;
}

/* Whatever the file holds becomes 8-bit grey or colour without transparency. */
static void png_simplify(png_structp png, png_infop info)
{
    png_byte type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (depth == 16) png_set_scale_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (type & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
    else if (type == PNG_COLOR_TYPE_PALETTE && png_get_valid(png, info, PNG_INFO_tRNS))
        png_set_strip_alpha(png);
}

static hk_status png_header(png_job *j, hk_shape *shape, hk_error *e)
{
    png_set_read_fn(j->png, j, png_take);
    png_set_crc_action(j->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(j->png, j->info);
    png_uint_32 w = png_get_image_width(j->png, j->info);
    png_uint_32 h = png_get_image_height(j->png, j->info);
    HK_CHECK(e, w <= HK_IMAGE_SIDE && h <= HK_IMAGE_SIDE, HK_E_UNSUP,
             "%s: %lu x %lu pixels, expected sides of at most %d", j->file->name, (unsigned long)w,
             (unsigned long)h, HK_IMAGE_SIDE);
    bool colour = png_get_color_type(j->png, j->info) & PNG_COLOR_MASK_COLOR;
    *shape = (hk_shape){ .h = (int32_t)h, .w = (int32_t)w, .c = colour ? 3 : 1 };
    return HK_OK;
}

static hk_status png_pixels(png_job *j, hk_shape s, uint8_t *out, hk_error *e)
{
    size_t row = (size_t)s.w * (size_t)s.c;
    int passes = png_set_interlace_handling(j->png);
    png_simplify(j->png, j->info);
    png_read_update_info(j->png, j->info);
    HK_CHECK(e, png_get_rowbytes(j->png, j->info) == row, HK_E_UNSUP,
             "%s: rows of %zu bytes, expected %zu", j->file->name,
             png_get_rowbytes(j->png, j->info), row);
    for (int p = 0; p < passes; p++)
        for (int32_t y = 0; y < s.h; y++) png_read_row(j->png, out + (size_t)y * row, NULL);
    png_read_end(j->png, NULL);
    return HK_OK;
}

static hk_status png_run(png_job *j, hk_shape *shape, uint8_t *out, hk_error *e)
{
    if (setjmp(j->back))
        return hk_fail(e, HK_E_FORMAT, "%s: not a whole PNG image: %s", j->file->name, j->text);
    j->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, j, png_failed, png_warned);
    if (j->png) j->info = png_create_info_struct(j->png);
    HK_CHECK(e, j->info, HK_E_NOMEM, "%s: no memory to decode it", j->file->name);
    hk_shape found;
    HK_TRY(png_header(j, &found, e));
    if (out) {
        HK_TRY(hk_decode_same(j->file, *shape, found, e));
        HK_TRY(png_pixels(j, found, out, e));
    }
    *shape = found;
    return HK_OK;
}

hk_status hk_png_read(const hk_bytes *file, hk_shape *shape, uint8_t *out, hk_error *e)
{
    png_job *j = hk_alloc_zero(1, sizeof *j);
    HK_CHECK(e, j, HK_E_NOMEM, "%s: no memory to decode it", file->name);
    j->file = file;
    hk_status st = png_run(j, shape, out, e);
    if (j->png) png_destroy_read_struct(&j->png, &j->info, NULL);
    hk_free(j);
    return st;
}
