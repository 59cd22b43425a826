/* One JPEG or PNG image into bytes. Private to this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_DECODE_H
#define HK_DATA_DECODE_H

#include "host/data/store.h"

/* The state of the image libraries, reused from image to image, and what was seen on the way. */
typedef struct hk_decoder hk_decoder;

/* E_NOMEM. *dec is NULL on failure. */
hk_status hk_decoder_open(hk_decoder **dec, hk_error *e);
void      hk_decoder_close(hk_decoder *dec);

/* Reads only the header: size, and 1 channel for grey, 3 for colour. */
hk_status hk_decoder_measure(hk_decoder *dec, const hk_bytes *file, hk_shape *out, hk_error *e);

/* Decodes to out [h][w][c] when the image has the wanted shape. Transparency is dropped, 16-bit
 * values are scaled to 8. An image that ends early or that the library only warns about is refused.
 * E_FORMAT names file, expected and found; E_UNSUP: four-colour JPEG, sides above HK_IMAGE_SIDE. */
hk_status hk_decoder_read(hk_decoder *dec, const hk_bytes *file, hk_shape want, uint8_t *out,
                          hk_error *e);

/* What a report must say of the images read so far: "PNG", "JPEG quality 75, 4:2:0" when all had
 * the tables of that libjpeg quality, otherwise "JPEG", or "PNG and JPEG". */
void hk_decoder_variant(hk_decoder *dec, char *out, size_t cap);

/* The PNG half, in decode_png.c; out NULL: header only. */
hk_status hk_png_read(const hk_bytes *file, hk_shape *shape, uint8_t *out, hk_error *e);

/* E_FORMAT unless both shapes agree. */
hk_status hk_decode_same(const hk_bytes *file, hk_shape want, hk_shape found, hk_error *e);

enum { HK_IMAGE_SIDE = 16384 };

#endif
