/* What a recipe comes to before it runs: bytes without the memory, multiply-adds by hand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

#include <math.h>

#include "recipe/recipe.h"
#include "run/operations.h"

static const char text[] =
    "data: {name: none, shape: [1, 8, 8], classes: 10}\n"
    "net:\n"
    "  layers:\n"
    "    - {type: conv2d, name: conv1, out: 4, kernel: 3, padding: 1}\n"
    "    - {type: spiking, name: lif1}\n"
    "    - {type: avgpool2d, name: pool1, kernel: 2, stride: 2}\n"
    "    - {type: conv2d, name: conv2, out: 8, kernel: 3, padding: 1}\n"
    "    - {type: batchnorm, name: bn2}\n"
    "    - {type: spiking, name: lif2}\n"
    "    - {type: flatten, name: flat}\n"
    "    - {type: dense, name: fc, out: 16}\n"
    "    - {type: spiking, name: lif3}\n"
    "    - {type: dense, name: head, out: 10}\n"
    "    - {type: readout, name: readout, kind: sum}\n"
    "train: {T: 5, batch: 3}\n";

static void open_recipe(hk_recipe *r, hk_net_spec *spec)
{
    hk_error e;
    good(hk_recipe_parse(r, text, strlen(text), "text", NULL, 0, &e), &e);
    good(hk_recipe_shape_from_data(r, &e), &e);
    hk_recipe_spec(r, true, true, spec);
}

/* 0.1 for lif1, 0.2 for lif2, 0.3 for lif3 */
static double rate(void *self, const hk_node *l)
{
    (void)self;
    return 0.1 * (l->name[3] - '0');
}

static void operations_by_hand(void **state)
{
    hk_recipe r;
    hk_net_spec spec;
    hk_engine g;
    hk_error e;
    (void)state;
    open_recipe(&r, &spec);
    good(hk_engine_plan(&g, &spec, NULL, &e), &e);
    const hk_operations ops = hk_count_operations(&g.net, rate, NULL);
    const double conv1 = 8 * 8 * 4 * 9, conv2 = 4 * 4 * 8 * 9 * 4, fc = 128 * 16, head = 16 * 10;
    const double dense = 5 * (conv1 + conv2 + fc + head);
    /* the frame is the same at every step; a pooled cell is silent when its four neurons are */
    const double events = conv1 + 5 * ((1 - pow(0.9, 4)) * conv2 + 0.2 * fc + 0.3 * head);
    assert_true(fabs(ops.dense - dense) < 1e-9 * dense);
    assert_true(fabs(ops.events - events) < 1e-9 * events);
    hk_engine_close(&g);
    hk_recipe_free(&r);
}

/* A plan says what an open engine takes, and takes none of the regions. */
static void a_plan_takes_no_regions(void **state)
{
    hk_recipe r;
    hk_net_spec spec;
    hk_engine planned, open;
    hk_error e;
    (void)state;
    open_recipe(&r, &spec);
    const size_t before = hk_alloc_counts().live;
    good(hk_engine_plan(&planned, &spec, NULL, &e), &e);
    assert_true(hk_alloc_counts().live - before < hk_engine_bytes(&planned) / 2);
    good(hk_engine_open(&open, &spec, NULL, &e), &e);
    assert_memory_equal(planned.bytes, open.bytes, sizeof open.bytes);
    assert_int_equal(hk_engine_bytes(&planned), hk_engine_bytes(&open));
    hk_engine_close(&planned);
    hk_engine_close(&open);
    assert_int_equal(hk_alloc_counts().live, before);
    hk_recipe_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_by_hand),
        cmocka_unit_test(a_plan_takes_no_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
