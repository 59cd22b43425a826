/* CBLAS, and nothing else of this project knows it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vendor.h"

#if defined(HK_HAVE_CBLAS)

#include <cblas.h>
#include <omp.h>

const char *hki_cblas_version(void)
{
#ifdef OPENBLAS_VERSION
    return OPENBLAS_VERSION;
#else
    return "CBLAS";
#endif
}

/* Inside a parallel region OpenBLAS keeps to one thread by itself; outside it asks OpenMP. */
void hki_cblas_sgemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b,
                     int ldb, float beta, float *c, int ldc)
{
    const int before = omp_get_max_threads();
    if (before != 1) omp_set_num_threads(1);
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n,
                k, 1.0f, a, lda, b, ldb, beta, c, ldc);
    if (before != 1) omp_set_num_threads(before);
}

#else

const char *hki_cblas_version(void) { return NULL; }

void hki_cblas_sgemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b,
                     int ldb, float beta, float *c, int ldc)
{
    (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb;
    (void)beta, (void)c, (void)ldc;
}

#endif
