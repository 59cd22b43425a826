/* Steps of a stream from a file or a pipe, one after another, in a buffer of fixed size.
 *
 *   text   one step a line: its values, separated by commas or blanks, and one field more if it has a
 *          label: a class number, or ? or nothing for none. Empty lines and lines that begin with # are
 *          nothing; a line `---` or `reset` ends the sequence.
 *   f32    values as little-endian 32-bit floats, with `labelled` one more for the class (below 0 or NaN:
 *          none). A step whose first value is NaN ends the sequence.
 *   npy    a NumPy file [steps][values] or [steps][values + 1], 32- or 64-bit floats; as f32.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_STREAM_INPUT_H
#define HK_STREAM_INPUT_H

#include "hillock_core.h"

#include <signal.h>

typedef enum hk_stream_form { HK_STREAM_TEXT, HK_STREAM_F32, HK_STREAM_NPY } hk_stream_form;

typedef struct hk_stream_input_cfg {
    const char    *path;                 /* NULL or "-": standard input                           */
    hk_stream_form form;
    size_t         values;               /* of a step                                             */
    int32_t        classes;
    bool           labelled;             /* f32 only                                              */
    const volatile sig_atomic_t *stop;   /* set by a signal: next gives END; NULL is allowed      */
} hk_stream_input_cfg;

typedef struct hk_stream_input {
    hk_stream_input_cfg cfg;
    const char *name;
    int         fd;
    char       *buffer;
    size_t      cap, at, end;            /* buffer[at..end) has not been taken                    */
    bool        eof;
    size_t      width;                   /* bytes of a number, of binary forms                    */
    int64_t     line;                    /* lines or steps so far, for messages                   */
    int64_t     left;                    /* npy: steps that the header promises                   */
} hk_stream_input;

typedef enum hk_stream_event { HK_STREAM_STEP, HK_STREAM_RESET, HK_STREAM_END } hk_stream_event;

/* E_IO, E_FORMAT: not such a file; E_NOMEM. On failure *in is all zero. */
hk_status hk_stream_input_open(hk_stream_input *in, const hk_stream_input_cfg *cfg, hk_error *e);
void      hk_stream_input_close(hk_stream_input *in);

/* Waits for what comes next: a step into x[values] and label (-1: none), or the end of a sequence or of
 * everything. E_FORMAT names file and line (or step), expected and found; the input may then go on. */
hk_status hk_stream_input_next(hk_stream_input *in, float *x, int32_t *label, hk_stream_event *what,
                               hk_error *e);

/* Whether next would not have to wait for a whole line or step. */
bool hk_stream_input_ready(const hk_stream_input *in);

#endif
