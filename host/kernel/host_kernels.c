/* Opening and closing of the host's table, its options and its threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host_kernels.h"

#include <string.h>

#ifdef _OPENMP
#  include <omp.h>
#endif

#include "../base/alloc.h"
#include "bits.h"
#include "vendor.h"

static const hk_field fields[] = {
    HK_ROW_INT (hk_host_kernels_cfg, threads, 0, 0, 1024, "1", "threads; 0 takes all processors"),
    HK_ROW_ENUM(hk_host_kernels_cfg, isa, HK_LEVEL_AUTO, "auto|sse2|avx2|avx512", 4,
                "best instruction set to use"),
    HK_ROW_ENUM(hk_host_kernels_cfg, dense, HK_DENSE_AUTO, "auto|own|onednn|cblas|ref", 5,
                "who computes dense products"),
    HK_ROW_ENUM(hk_host_kernels_cfg, products, HK_WAY_AUTO, "auto|events|dense|ref", 4,
                "form of the products; auto chooses by the density of the input"),
    HK_ROW_ENUM(hk_host_kernels_cfg, precision, HK_FP32, "fp32|bf16|auto", 3,
                "of products; auto: bf16 where the processor has it"),
};

const hk_info hk_host_kernels_info = {
    .name = "cpu", .brief = "threads, vector instructions, event-driven products",
    .source = "host/kernel/host_kernels.h", .cfg_size = sizeof(hk_host_kernels_cfg),
    .fields = fields, .n_fields = HK_COUNT(fields),
};

const char *hk_isa_name(hk_isa_level isa)
{
    static const char *const names[] = { "auto", "sse2", "avx2", "avx512", "bf16" };
    return (unsigned)isa < 5 ? names[isa] : "?";
}

const char *hk_dense_name(hk_dense_by dense)
{
    static const char *const names[] = { "auto", "own", "onednn", "cblas", "ref" };
    return (unsigned)dense < 5 ? names[dense] : "?";
}

const char *hk_vendor_version(hk_dense_by dense)
{
    if (dense == HK_DENSE_ONEDNN) return hki_onednn_version();
    return dense == HK_DENSE_CBLAS ? hki_cblas_version() : NULL;
}

static void parallel(void *self, int n, void (*body)(void *, int, int), void *arg)
{
    const hki_state *s = self;
#ifdef _OPENMP
    if (s->workers > 1 && n > 1) {
#       pragma omp parallel for schedule(static) num_threads(s->workers)
        for (int i = 0; i < n; i++) body(arg, i, omp_get_thread_num());
        return;
    }
#endif
    (void)s;
    for (int i = 0; i < n; i++) body(arg, i, 0);
}

static hk_isa_level best_isa(int32_t limit)
{
    hk_isa_level best = HK_LEVEL_SSE2;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = HK_LEVEL_AVX2;
    if (best == HK_LEVEL_AVX2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        best = HK_LEVEL_AVX512;
#endif
    return limit != HK_LEVEL_AUTO && (int)best > limit ? (hk_isa_level)limit : best;
}

static const hki_isa *table_of(hk_isa_level level)
{
#if defined(__x86_64__)
    if (level == HK_LEVEL_BF16) return &hki_isa_bf16;
    if (level == HK_LEVEL_AVX512) return &hki_isa_avx512;
    if (level == HK_LEVEL_AVX2) return &hki_isa_avx2;
#endif
    (void)level;
    return &hki_isa_sse2;
}

/* Packing of spikes for this level. */
static void set_bits(hk_kernels *t, hk_isa_level level)
{
    t->pack = hki_pack_sse2;
    t->unpack = hki_unpack_sse2;
#if defined(__x86_64__)
    if (level == HK_LEVEL_AVX2) t->pack = hki_pack_avx2, t->unpack = hki_unpack_avx2;
    if (level >= HK_LEVEL_AVX512) t->pack = hki_pack_avx512, t->unpack = hki_unpack_avx512;
#endif
    (void)level;
}

static bool has_bf16(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

/* The level that gives the precision asked for, within the limit. */
static hk_status choose_level(const hk_host_kernels_cfg *cfg, hk_isa_level *level, hk_error *e)
{
    *level = best_isa(cfg->isa);
    if (cfg->precision == HK_FP32) return HK_OK;
    const bool narrow = *level == HK_LEVEL_AVX512 && has_bf16();
    HK_CHECK(e, narrow || cfg->precision == HK_PRECISION_AUTO, HK_E_UNSUP,
             "kernels: precision bf16 needs AVX-512 BF16, expected of processor and `isa`, found %s; "
             "use fp32 or auto", hk_isa_name(*level));
    if (narrow) *level = HK_LEVEL_BF16;
    return HK_OK;
}

static int worker_count(int32_t threads)
{
#ifdef _OPENMP
    return threads > 0 ? threads : omp_get_max_threads();
#else
    (void)threads;
    return 1;
#endif
}

hk_status hk_host_kernels_open(hk_host_kernels *k, const hk_host_kernels_cfg *cfg, hk_error *e)
{
    static const hk_host_kernels_cfg standard = { 0 };
    memset(k, 0, sizeof *k);
    if (!cfg) cfg = &standard;
    for (int i = 0; i < HK_COUNT(fields); i++) {
        int32_t value;
        memcpy(&value, (const char *)cfg + fields[i].offset, sizeof value);
        HK_CHECK(e, value >= fields[i].min && value <= fields[i].max, HK_E_ARG,
                 "kernels: %s is %d, expected %g to %g", fields[i].name, value, fields[i].min,
                 fields[i].max);
    }
    HK_CHECK(e, cfg->dense < HK_DENSE_ONEDNN || cfg->dense == HK_DENSE_REF
                || hk_vendor_version((hk_dense_by)cfg->dense), HK_E_UNSUP,
             "kernels: dense products by %s, which is not in this build",
             hk_dense_name((hk_dense_by)cfg->dense));
    hk_isa_level level;
    HK_TRY(choose_level(cfg, &level, e));
    hki_state *s = hk_alloc_zero(1, sizeof *s);
    HK_CHECK(e, s, HK_E_NOMEM, "kernels: no memory for %zu bytes", sizeof *s);
    s->workers = worker_count(cfg->threads);
    s->level = level;
    s->isa = table_of(s->level);
    s->dense = cfg->dense == HK_DENSE_AUTO ? HK_DENSE_OWN : (hk_dense_by)cfg->dense;
    s->plain = level == HK_LEVEL_BF16 ? table_of(HK_LEVEL_AVX512) : s->isa;
    s->way = (hk_product_way)cfg->products;
    hk_status st = hki_choose_open(s, cfg, e);
    if (st != HK_OK) {
        hk_free(s);
        return st;
    }
    k->isa = s->level;
    k->dense = s->dense;
    k->table = hki_table;
    k->table.name = hk_isa_name(s->level);
    k->table.self = s;
    k->table.workers = s->workers;
    k->table.parallel = parallel;
    set_bits(&k->table, s->level);
    s->table = k->table;
    return HK_OK;
}

void hk_host_kernels_close(hk_host_kernels *k)
{
    hki_state *s = k->table.self;
    if (s) {
        hki_vendor_close(s);
        hk_free(s->choice);
    }
    hk_free(s);
    memset(k, 0, sizeof *k);
}

const hk_product_stat *hk_host_kernels_stat(const hk_host_kernels *k, uint32_t id)
{
    const hki_state *s = k->table.self;
    return &s->stat[id % HK_STAT_LAYERS];
}
