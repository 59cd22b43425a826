/* Hillock core: online training of deep spiking networks in one fixed block of memory.
 *
 * The core allocates nothing, prints nothing, starts no thread, keeps no mutable global and calls
 * nothing outside string.h and math.h. Memory is planned first and passed in by the caller. This header
 * has what every part shares; hillock_ext.h has the net and the operations tables.
 *
 * Order of calls:
 *   1. describe the net: an array of hk_node_spec, one per layer, inputs before consumers
 *   2. hk_net_build     checks shapes and capabilities, names the first thing that does not fit
 *   3. hk_net_plan      bytes per region; nothing has been allocated yet
 *   4. hk_net_bind      takes one block per region from the caller
 *   5. hk_net_init      initial weights from a seed
 *   6. hk_net_learn     one batch: gradients by the rule, weights by the optimizer
 *      hk_net_infer     one batch, forward only
 *
 * Every function that can fail returns hk_status and writes a message to the caller's hk_error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_CORE_H
#define HILLOCK_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------- */

#define HK_STATUS_LIST(X)                                                                          \
    X(OK,        0, "success")                                                                     \
    X(E_ARG,    -1, "argument out of range or inconsistent")                                       \
    X(E_SHAPE,  -2, "shapes do not agree")                                                         \
    X(E_NOMEM,  -3, "memory budget or allocator exhausted")                                        \
    X(E_IO,     -4, "file could not be read or written")                                           \
    X(E_FORMAT, -5, "file content violates its format")                                            \
    X(E_UNSUP,  -6, "combination that this rule or member does not support")                       \
    X(E_NUM,    -7, "non-finite value at a check point")

typedef enum hk_status {
#define X(id, value, text) HK_##id = value,
    HK_STATUS_LIST(X)
#undef X
} hk_status;

/* What went wrong, filled by the function that failed; text names object, expected and found. */
typedef struct hk_error {
    hk_status code;
    char      text[512];
} hk_error;

#if defined(__GNUC__)
#  define HK_FORMAT(f, a) __attribute__((format(printf, f, a)))
#else
#  define HK_FORMAT(f, a)
#endif

/* Writes code and message into e (which may be NULL) and returns code. The formatter is the core's
 * own and knows %s %c %d %u %ld %lu %lld %llu %zu %g (six significant digits) and %%. */
hk_status hk_fail(hk_error *e, hk_status code, const char *fmt, ...) HK_FORMAT(3, 4);
/* The same, so that the compiler sees that what comes back is `code`, not HK_OK. */
#define hk_fail(e, code, ...) (hk_fail((e), (code), __VA_ARGS__), (code))

/* Formats into out[cap] with the same formatter, always terminated; returns the length written. */
size_t hk_format(char *out, size_t cap, const char *fmt, ...) HK_FORMAT(3, 4);

/* "success" and so on; never NULL. */
const char *hk_status_text(hk_status code);

#define HK_TRY(call)                                                                               \
    do {                                                                                           \
        hk_status st_ = (call);                                                                    \
        if (st_ != HK_OK) return st_;                                                              \
    } while (0)
#define HK_CHECK(e, cond, ...)                                                                     \
    do {                                                                                           \
        if (!(cond)) return hk_fail((e), __VA_ARGS__);                                             \
    } while (0)

/* ---- random numbers ------------------------------------------------------------------------ */

/* Counter-based: a value is a function of seed, stream and index (Philox-4x32-10, Salmon et al.,
 * SC 2011), so nothing has to be saved and order does not matter. */
typedef struct hk_rng {
    uint64_t seed, stream;
} hk_rng;

uint32_t hk_rng_u32(hk_rng r, uint64_t index);
float    hk_rng_uniform(hk_rng r, uint64_t index);                 /* [0, 1), 24 bits     */
float    hk_rng_normal(hk_rng r, uint64_t index);                  /* mean 0, variance 1  */
uint32_t hk_rng_below(hk_rng r, uint64_t index, uint32_t n);       /* 0 .. n-1, n >= 1    */
/* The four words of each of n blocks from index on; word 0 of a block is hk_rng_u32 of its index. */
void     hk_rng_words(hk_rng r, uint64_t index, size_t n, uint32_t *out);
/* Writes a permutation of 0..n-1 (Fisher-Yates), a function of r alone. */
void     hk_rng_permute(hk_rng r, uint32_t n, uint32_t *order);

/* ---- hyper-parameters ---------------------------------------------------------------------- */

typedef enum hk_ftype { HK_FLOAT, HK_INT, HK_BOOL, HK_ENUM } hk_ftype;

/* One hyper-parameter is one row: the option of the command line, the key of the recipe, the line
 * of `hillock list` and of the reference pages all come from it. */
typedef struct hk_field {
    const char *name;
    hk_ftype    type;
    size_t      offset;          /* offsetof(<name>_cfg, member): float, int32_t, bool or int32_t   */
    double      def, min, max;   /* closed range; for HK_ENUM the index of a word in `words`        */
    const char *unit;            /* "1" when dimensionless                                          */
    const char *help;            /* one sentence                                                    */
    const char *words;           /* HK_ENUM only: "soft|hard|none"                                  */
} hk_field;

/* What every member of every family begins with. */
typedef struct hk_info {
    const char     *name;        /* permanent; stored in files            */
    const char     *brief;       /* one line for `hillock list`           */
    const char     *source;      /* paper and equation                    */
    size_t          cfg_size;    /* bytes of the configuration struct     */
    const hk_field *fields;
    int             n_fields;
} hk_info;

#define HK_COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
/* A build with HK_SMALL, for a microcontroller, has no help texts in its flash: help is "". */
#ifdef HK_SMALL
#  define HK_HELP(text) ""
#else
#  define HK_HELP(text) text
#endif
#define HK_ROW_FLOAT(cfg, m, def, lo, hi, unit, help)                                              \
    { #m, HK_FLOAT, offsetof(cfg, m), def, lo, hi, unit, HK_HELP(help), NULL }
#define HK_ROW_INT(cfg, m, def, lo, hi, unit, help)                                                \
    { #m, HK_INT, offsetof(cfg, m), def, lo, hi, unit, HK_HELP(help), NULL }
#define HK_ROW_BOOL(cfg, m, def, help)                                                             \
    { #m, HK_BOOL, offsetof(cfg, m), def, 0, 1, "1", HK_HELP(help), NULL }
#define HK_ROW_ENUM(cfg, m, def, words, n, help)                                                   \
    { #m, HK_ENUM, offsetof(cfg, m), def, 0, (n) - 1, "1", HK_HELP(help), words }

/* Sets every field of cfg (info->cfg_size bytes) to its default. */
void hk_fields_default(const hk_info *info, void *cfg);
/* The field of that name; NULL: none. */
const hk_field *hk_field_find(const hk_info *info, const char *name);
/* Sets or reads one field. Set checks the range; E_ARG names member, key, range and value. */
hk_status hk_field_set(const hk_info *info, const hk_field *f, void *cfg, double value, hk_error *e);
double    hk_field_get(const hk_field *f, const void *cfg);
/* Index of word in f->words, or -1. Word number i is copied to out[cap]; returns its length. */
int    hk_field_word(const hk_field *f, const char *word);
size_t hk_field_word_at(const hk_field *f, int i, char *out, size_t cap);

/* ---- shapes and signals --------------------------------------------------------------------- */

/* A map of h x w positions with c channels; a vector is 1 x 1 x c. Memory is channels last,
 * [batch][h][w][c]; files are channels first. `flat` marks a map that files treat as a vector of
 * c*h*w entries, channel slowest: memory is unchanged. */
typedef struct hk_shape {
    int32_t h, w, c;
    bool    flat;
} hk_shape;

/* How the values of a signal are stored. A value is scale * stored.
 *   HK_F32     float, row of c floats
 *   HK_BITS    one bit per channel, row of ceil(c/32) little-endian 32-bit words, bit c%32 of word
 *              c/32; unused bits are zero
 *   HK_COUNTS  one byte per channel (sums of bits after pooling), row of c bytes
 *   HK_B16     bf16, row of c 16-bit words: traces only, never a layer's output */
typedef enum hk_kind { HK_F32, HK_BITS, HK_COUNTS, HK_B16 } hk_kind;

typedef struct hk_signal {
    hk_shape shape;
    hk_kind  kind;
    float    scale;
} hk_signal;

typedef struct hk_view {         /* a signal in memory: [rows][row bytes]; rows = batch*h*w */
    const void *data;
    hk_kind     kind;
    float       scale;
} hk_view;

static inline size_t hk_row_bytes(hk_kind kind, size_t c)
{
    return kind == HK_F32 ? 4 * c : kind == HK_BITS ? 4 * ((c + 31) / 32) : kind == HK_B16 ? 2 * c : c;
}

#ifdef __cplusplus
}
#endif
#endif
