/* Between file order and memory order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

/* Visits the elements of p in memory order; gives the index in the file of each. */
static size_t file_index(const hk_param *p, size_t memory)
{
    size_t stride[5], index = 0, s = 1;
    for (int k = p->rank - 1; k >= 0; k--) {
        stride[k] = s;
        s *= (size_t)p->dim[k];
    }
    for (int k = p->rank - 1; k >= 0; k--) {
        const size_t n = (size_t)p->dim[p->order[k]];
        index += memory % n * stride[p->order[k]];
        memory /= n;
    }
    return index;
}

void hk_param_get(const hk_param *p, const float *memory, float *file)
{
    for (size_t i = 0; i < p->n; i++) file[file_index(p, i)] = memory[i];
}

void hk_param_put(const hk_param *p, const float *file, float *memory)
{
    for (size_t i = 0; i < p->n; i++) memory[i] = file[file_index(p, i)];
}

void hk_map_to_file(hk_shape s, const float *memory, float *file)
{
    const size_t hw = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) file[k * hw + i] = memory[i * c + k];
}

void hk_map_from_file(hk_shape s, const float *file, float *memory)
{
    const size_t hw = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) memory[i * c + k] = file[k * hw + i];
}
