/* JPEG through libjpeg-turbo, and the choice between JPEG and PNG. Errors inside the library jump
 * back to the one setjmp of jpeg_run or jpeg_quality.
 *
 * Slow integer transform and smooth chroma, the defaults, whose result does not depend on the
 * instruction set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/data/decode.h"

#include "host/base/alloc.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

typedef struct jpeg_seen {       /* what tells one way of packing from another */
    uint16_t quant[DCTSIZE2];    /* table of the first component               */
    int      h_samp, v_samp, components;
} jpeg_seen;

struct hk_decoder {
    struct jpeg_error_mgr         err;
    struct jpeg_decompress_struct jpeg;
    jmp_buf                       back;
    char                          text[JMSG_LENGTH_MAX];
    long                          n_jpeg, n_png;
    jpeg_seen                     first;
    bool                          mixed;     /* some later image differs from `first` */
};

static hk_decoder *decoder_of(j_common_ptr c)
{
    return c->client_data;
}

static void jpeg_failed(j_common_ptr c)
{
    hk_decoder *dec = decoder_of(c);
    c->err->format_message(c, dec->text);
    longjmp(dec->back, 1);
}

/* Level -1 is a warning: damaged data, which the library would replace by grey. */
static void jpeg_said(j_common_ptr c, int level)
{
    if (level < 0) jpeg_failed(c);
}

static void jpeg_silent(j_common_ptr c)
{
    (void)c;
}

hk_status hk_decoder_open(hk_decoder **out, hk_error *e)
{
    *out = NULL;
    hk_decoder *dec = hk_alloc_zero(1, sizeof *dec);
    HK_CHECK(e, dec, HK_E_NOMEM, "no memory for an image decoder");
    dec->jpeg.err = jpeg_std_error(&dec->err);
    dec->err.error_exit = jpeg_failed;
    dec->err.emit_message = jpeg_said;
    dec->err.output_message = jpeg_silent;
    dec->jpeg.client_data = dec;
    if (setjmp(dec->back)) {
        jpeg_destroy_decompress(&dec->jpeg);
        hk_free(dec);
        return hk_fail(e, HK_E_NOMEM, "no memory for an image decoder");
    }
    jpeg_create_decompress(&dec->jpeg);      /* keeps err and client_data */
    *out = dec;
    return HK_OK;
}

void hk_decoder_close(hk_decoder *dec)
{
    if (!dec) return;
    jpeg_destroy_decompress(&dec->jpeg);
    hk_free(dec);
}

hk_status hk_decode_same(const hk_bytes *file, hk_shape want, hk_shape found, hk_error *e)
{
    hk_shape_text a, b;
    HK_CHECK(e, want.h == found.h && want.w == found.w && want.c == found.c, HK_E_FORMAT,
             "%s: %s (height x width x channels), expected %s as in the other images", file->name,
             hk_shape_name(found, &a), hk_shape_name(want, &b));
    return HK_OK;
}

static void seen_note(hk_decoder *dec)
{
    const struct jpeg_decompress_struct *c = &dec->jpeg;
    const JQUANT_TBL *q = c->comp_info[0].quant_table;
    jpeg_seen s;
    memset(&s, 0, sizeof s);
    if (q) memcpy(s.quant, q->quantval, sizeof s.quant);
    s.h_samp = c->comp_info[0].h_samp_factor;
    s.v_samp = c->comp_info[0].v_samp_factor;
    s.components = c->num_components;
    if (dec->n_jpeg++ == 0) dec->first = s;
    else if (memcmp(&s, &dec->first, sizeof s) != 0) dec->mixed = true;
}

static hk_status jpeg_header(hk_decoder *dec, const hk_bytes *file, hk_shape *shape, hk_error *e)
{
    struct jpeg_decompress_struct *c = &dec->jpeg;
    jpeg_mem_src(c, (unsigned char *)file->at, (unsigned long)file->n);
    jpeg_read_header(c, TRUE);
    HK_CHECK(e, c->image_width <= HK_IMAGE_SIDE && c->image_height <= HK_IMAGE_SIDE, HK_E_UNSUP,
             "%s: %lu x %lu pixels, expected sides of at most %d", file->name,
             (unsigned long)c->image_width, (unsigned long)c->image_height, HK_IMAGE_SIDE);
    HK_CHECK(e, c->num_components == 1 || c->num_components == 3, HK_E_UNSUP,
             "%s: %d colour components, expected 1 or 3", file->name, c->num_components);
    *shape = (hk_shape){ .h = (int32_t)c->image_height, .w = (int32_t)c->image_width,
                         .c = c->num_components };
    return HK_OK;
}

static void jpeg_pixels(hk_decoder *dec, uint8_t *out)
{
    struct jpeg_decompress_struct *c = &dec->jpeg;
    c->out_color_space = c->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(c);
    size_t row = (size_t)c->output_width * (size_t)c->output_components;
    while (c->output_scanline < c->output_height) {
        JSAMPROW line = out + row * c->output_scanline;
        jpeg_read_scanlines(c, &line, 1);
    }
    seen_note(dec);                          /* the tables live until the end of the image */
    jpeg_finish_decompress(c);
}

static hk_status jpeg_run(hk_decoder *dec, const hk_bytes *file, hk_shape *shape, uint8_t *out,
                          hk_error *e)
{
    if (setjmp(dec->back)) {
        jpeg_abort_decompress(&dec->jpeg);
        return hk_fail(e, HK_E_FORMAT, "%s: not a whole JPEG image: %s", file->name, dec->text);
    }
    hk_shape found;
    hk_status st = jpeg_header(dec, file, &found, e);
    if (st == HK_OK && out) st = hk_decode_same(file, *shape, found, e);
    if (st == HK_OK && out) jpeg_pixels(dec, out);
    else jpeg_abort_decompress(&dec->jpeg);
    if (st == HK_OK) *shape = found;
    return st;
}

static hk_status image_run(hk_decoder *dec, const hk_bytes *file, hk_shape *shape, uint8_t *out,
                           hk_error *e)
{
    static const uint8_t png_magic[4] = { 0x89, 'P', 'N', 'G' };
    if (file->n >= 3 && file->at[0] == 0xff && file->at[1] == 0xd8)
        return jpeg_run(dec, file, shape, out, e);
    HK_CHECK(e, file->n >= 4 && memcmp(file->at, png_magic, 4) == 0, HK_E_FORMAT,
             "%s: %zu bytes that begin like neither JPEG nor PNG", file->name, file->n);
    HK_TRY(hk_png_read(file, shape, out, e));
    if (out) dec->n_png++;
    return HK_OK;
}

hk_status hk_decoder_measure(hk_decoder *dec, const hk_bytes *file, hk_shape *out, hk_error *e)
{
    return image_run(dec, file, out, NULL, e);
}

hk_status hk_decoder_read(hk_decoder *dec, const hk_bytes *file, hk_shape want, uint8_t *out,
                          hk_error *e)
{
    return image_run(dec, file, &want, out, e);
}

/* The libjpeg quality (1..100) whose first table is that of the first image, found by asking the
 * library for the table of each; 0 when there is none. */
static int jpeg_quality(hk_decoder *dec)
{
    struct jpeg_compress_struct *c = hk_alloc_zero(1, sizeof *c);
    if (!c) return 0;
    volatile int found = 0;
    c->err = &dec->err;
    c->client_data = dec;
    if (setjmp(dec->back) == 0) {
        jpeg_create_compress(c);
        c->input_components = 3;
        c->in_color_space = JCS_RGB;
        jpeg_set_defaults(c);
        for (int q = 100; q >= 1 && !found; q--) {
            jpeg_set_quality(c, q, TRUE);
            if (memcmp(c->quant_tbl_ptrs[0]->quantval, dec->first.quant,
                       sizeof dec->first.quant) == 0)
                found = q;
        }
    }
    jpeg_destroy_compress(c);
    hk_free(c);
    return found;
}

static const char *chroma_name(const jpeg_seen *s)
{
    if (s->components == 1) return "grey";
    if (s->h_samp == 2) return s->v_samp == 2 ? "4:2:0" : "4:2:2";
    return s->h_samp == 1 && s->v_samp == 1 ? "4:4:4" : "reduced colour";
}

void hk_decoder_variant(hk_decoder *dec, char *out, size_t cap)
{
    if (dec->n_jpeg == 0) {
        hk_format(out, cap, "%s", dec->n_png ? "PNG" : "");
        return;
    }
    if (dec->n_png || dec->mixed) {
        hk_format(out, cap, "%s", dec->n_png ? "PNG and JPEG" : "JPEG of several qualities");
        return;
    }
    int q = jpeg_quality(dec);
    if (q) hk_format(out, cap, "JPEG quality %d, %s", q, chroma_name(&dec->first));
    else hk_format(out, cap, "JPEG, %s", chroma_name(&dec->first));
}
