/* What the recipe tests share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef RECIPE_TEST_H
#define RECIPE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "recipe/recipe.h"
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE                                                                                       \
    "data: {name: none, shape: [2, 8, 8], classes: 3}\n"                                           \
    "net:\n"                                                                                       \
    "  layers:\n"                                                                                  \
    "    - {type: conv2d, name: conv1, out: 4, kernel: 3, padding: 1}\n"                           \
    "    - {type: spiking, name: s1}\n"                                                            \
    "    - {type: conv2d, name: conv2, out: 4, kernel: 3, padding: 1}\n"                           \
    "    - {type: lif, name: s2, leak: 0.75, surrogate: atan}\n"                                   \
    "    - {type: add, name: sum, from: [s2, s1]}\n"                                               \
    "    - {type: gap, name: gap}\n"                                                               \
    "    - {type: dense, name: head, out: 3}\n"                                                    \
    "    - {type: readout, name: out, kind: sum}\n"

static hk_error err;

static hk_status parse_sets(hk_recipe *r, const char *text, const char *const *set, int n_set)
{
    memset(&err, 0, sizeof err);
    return hk_recipe_parse(r, text, strlen(text), "r.yaml", set, n_set, &err);
}

static hk_status parse(hk_recipe *r, const char *text) { return parse_sets(r, text, NULL, 0); }

static void must(hk_status st)
{
    if (st) fail_msg("status %d: %s", (int)st, err.text);
}

static hk_recipe loaded(const char *text, const char *set)
{
    hk_recipe r;
    must(parse_sets(&r, text, &set, set != NULL));
    return r;
}

static void must_say(const char *part)
{
    if (!strstr(err.text, part)) fail_msg("expected '%s' in '%s'", part, err.text);
}

static hk_status shape_own(hk_recipe *r)
{
    return hk_recipe_shape(r, r->data.shape, r->data.classes, &err);
}

#endif
