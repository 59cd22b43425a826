/* One convolution with random operands and its three products by the definition, for test_kernels.c;
 * blocks of memory with guards around them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_KERNEL_PROBLEM_H
#define HK_KERNEL_PROBLEM_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bf16.h"
#include "../../host/base/alloc.h"
#include "../../host/kernel/host_kernels.h"

enum { GUARD = 256 };

/* ---- random numbers, blocks with guards ------------------------------------------------------ */

static uint64_t seed = 1;

static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % n);
}

static float draw_float(void) { return (float)draw(1u << 20) / (float)(1 << 19) - 1.0f; }

typedef struct block { unsigned char *base, *data; size_t bytes; } block;

/* 0xff everywhere is NaN as float, ones as bits. offset: distance from 64-byte alignment. */
static block block_take(size_t bytes, size_t offset)
{
    block b = { .bytes = bytes };
    b.base = aligned_alloc(64, (bytes + offset + 2 * GUARD + 63) / 64 * 64);
    assert_non_null(b.base);
    b.data = b.base + GUARD + offset;
    memset(b.base, 0xff, bytes + offset + 2 * GUARD);
    return b;
}

static void block_check(block b, const char *what)
{
    for (const unsigned char *p = b.base; p < b.data; p++)
        if (*p != 0xff) fail_msg("%s: written %d bytes before its start", what, (int)(b.data - p));
    for (size_t i = 0; i < GUARD; i++)
        if (b.data[b.bytes + i] != 0xff)
            fail_msg("%s: written %d bytes past its end", what, (int)i);
}

static float *floats(block b) { return (float *)(void *)b.data; }

/* ---- one problem ----------------------------------------------------------------------------- */

typedef struct problem {
    hk_conv g;
    hk_kind kind;
    double  density, error_density;
    size_t  nx, ny, nw;          /* values of x, y, w */
    block   x, dy, w, dw;        /* dw: what is there before */
    block   y_ref, dx_ref, dw_ref, y_abs, dx_abs, dw_abs;
} problem;

static void store_value(problem *p, size_t row, size_t c, float v)
{
    unsigned char *at = p->x.data + row * hk_row_bytes(p->kind, (size_t)p->g.ci);
    switch (p->kind) {
    case HK_BITS:   ((uint32_t *)(void *)at)[c / 32] |= (uint32_t)1 << (c % 32); break;
    case HK_COUNTS: at[c] = (unsigned char)(1 + draw(v > 0.9f ? 255 : 4)); break;
    case HK_B16:    ((uint16_t *)(void *)at)[c] = hk_to_bf16(v); break;
    default:        ((float *)(void *)at)[c] = v; break;
    }
}

static void fill_floats(block b, size_t n, double density)
{
    for (size_t i = 0; i < n; i++)
        floats(b)[i] = draw(1000) < (uint32_t)(density * 1000.0) ? draw_float() : 0.0f;
}

static bool of_values(hk_kind kind) { return kind == HK_F32 || kind == HK_B16; }

static block absolute(block b, hk_kind kind)
{
    block a = block_take(b.bytes, 0);
    uint16_t *half = (uint16_t *)(void *)a.data;
    if (kind == HK_B16) {
        memcpy(half, b.data, b.bytes);
        for (size_t i = 0; i < b.bytes / 2; i++) half[i] &= 0x7fff;
        return a;
    }
    for (size_t i = 0; i < b.bytes / 4; i++) floats(a)[i] = fabsf(floats(b)[i]);
    return a;
}

static hk_view view_of(const problem *p, block x)
{
    return (hk_view){ .data = x.data, .kind = p->kind, .scale = of_values(p->kind) ? 1.0f : 0.37f };
}

static void block_free(block b) { free(b.base); }

static void problem_reference(problem *p)
{
    const hk_kernels *r = &hk_kernels_ref;
    hk_conv_args a = { .g = &p->g, .w = floats(p->w) };
    block xa = of_values(p->kind) ? absolute(p->x, p->kind) : p->x;
    block da = absolute(p->dy, HK_F32), wa = absolute(p->w, HK_F32);
    p->y_ref = block_take(4 * p->ny, 0);
    p->y_abs = block_take(4 * p->ny, 0);
    p->dx_ref = block_take(4 * p->nx, 0);
    p->dx_abs = block_take(4 * p->nx, 0);
    p->dw_ref = block_take(4 * p->nw, 0);
    p->dw_abs = absolute(p->dw, HK_F32);
    memcpy(p->dw_ref.data, p->dw.data, 4 * p->nw);
    r->conv_forward(NULL, &a, view_of(p, p->x), floats(p->y_ref));
    r->conv_backward_input(NULL, &a, floats(p->dy), floats(p->dx_ref));
    r->conv_backward_weight(NULL, &a, view_of(p, p->x), floats(p->dy), floats(p->dw_ref));
    a.w = floats(wa);
    r->conv_forward(NULL, &a, view_of(p, xa), floats(p->y_abs));
    r->conv_backward_input(NULL, &a, floats(da), floats(p->dx_abs));
    r->conv_backward_weight(NULL, &a, view_of(p, xa), floats(da), floats(p->dw_abs));
    if (of_values(p->kind)) block_free(xa);
    block_free(da);
    block_free(wa);
}

static void problem_open(problem *p, hk_conv g, hk_kind kind, double density, double error_density)
{
    memset(p, 0, sizeof *p);
    g.ho = (g.hi + 2 * g.ph - g.kh) / g.sh + 1;
    g.wo = (g.wi + 2 * g.pw - g.kw) / g.sw + 1;
    p->g = g;
    p->kind = kind;
    p->density = density;
    p->error_density = error_density;
    const size_t rows = (size_t)g.batch * (size_t)g.hi * (size_t)g.wi;
    p->nx = rows * (size_t)g.ci;
    p->ny = (size_t)g.batch * (size_t)g.ho * (size_t)g.wo * (size_t)g.co;
    p->nw = (size_t)g.kh * (size_t)g.kw * (size_t)(g.ci / g.groups) * (size_t)g.co;
    p->x = block_take(rows * hk_row_bytes(kind, (size_t)g.ci), 4);
    p->dy = block_take(4 * p->ny, 4);
    p->w = block_take(4 * p->nw, 4);
    p->dw = block_take(4 * p->nw, 4);
    memset(p->x.data, 0, p->x.bytes);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < (size_t)g.ci; c++)
            if (draw(1000) < (uint32_t)(density * 1000.0)) store_value(p, r, c, draw_float());
    fill_floats(p->dy, p->ny, error_density);
    fill_floats(p->w, p->nw, 1.0);
    fill_floats(p->dw, p->nw, 1.0);
    problem_reference(p);
}

static void problem_close(problem *p)
{
    block all[] = { p->x,      p->dy,     p->w,     p->dw,     p->y_ref,
                    p->dx_ref, p->dw_ref, p->y_abs, p->dx_abs, p->dw_abs };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) block_free(all[i]);
}

/* Whether products of this geometry may go by minimal filtering. */
static inline bool filtered(const hk_conv *g)
{
    return g->groups == 1 && g->kh == 3 && g->kw == 3 && g->sh == 1 && g->sw == 1 && g->ci % 16 == 0
           && g->co % 16 == 0;
}

/* The norm of got - want is at most `most` of the norm of want. */
static inline bool near_in_norm(const float *got, const float *want, size_t n, double most)
{
    double error = 0, whole = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];
        error += d * d;
        whole += (double)want[i] * (double)want[i];
    }
    return error <= most * most * whole;
}

#endif
