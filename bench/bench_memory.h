/* Memory bandwidth, and the speed of the neuron pass against it. Part of `hillock bench`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_MEMORY_H
#define HK_BENCH_MEMORY_H

#include "hillock_ext.h"
#include "kernel/host_kernels.h"

/* Bytes per second of a[i] = b[i] + s c[i] over arrays far larger than any cache, two reads and one
 * write of 4 bytes each, best of `repeats` runs with the threads of k. E_NOMEM. */
hk_status hk_bench_bandwidth(const hk_host_kernels *k, int32_t repeats,
                             double *bytes_per_second, hk_error *e);

typedef struct hk_bench_neuron {
    char    neuron[32], rule[16];
    double  forward_seconds, backward_seconds;   /* one step, medians          */
    double  forward_bytes, backward_bytes;       /* that it must move          */
    double  bandwidth;                           /* measured as above          */
    int64_t neurons;
} hk_bench_neuron;

/* The spiking layer alone under STOP with traces of threshold and leak: neuron, surrogate, traces,
 * sums and packing. First compared with the same pass on the reference kernels and one thread, bit
 * for bit (E_NUM), then timed. */
hk_status hk_bench_neurons(int32_t threads, int32_t repeats, hk_bench_neuron *out, hk_error *e);

#endif
