/* hillock plan --target mcu: RAM and flash by region and layer, and whether a device has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"
#include "plan.h"

#include <string.h>

static const char *const region[] = HK_REGION_NAMES;

/* A consumer is a layer in a region, or what all layers share. */
typedef struct consumer { char name[112]; size_t bytes; } consumer;

enum { NAMED = 3 };                      /* how many a refusal names */

static void offer(consumer top[NAMED], const char *name, const char *of, size_t bytes)
{
    consumer c = { .bytes = bytes };
    snprintf(c.name, sizeof c.name, "%s%s%s", name, *of ? " " : "", of);
    for (int i = 0; i < NAMED; i++) {
        if (c.bytes <= top[i].bytes) continue;
        const consumer next = top[i];
        top[i] = c;
        c = next;
    }
}

static hk_status refuse(const char *what, size_t need, size_t limit, const consumer top[NAMED],
                        hk_error *e)
{
    return hk_fail(e, HK_E_NOMEM,
                   "the net needs %zu bytes of %s, %zu more than the %zu there are; the largest "
                   "consumers are %s (%zu), %s (%zu) and %s (%zu)", need, what, need - limit, limit,
                   top[0].name, top[0].bytes, top[1].name, top[1].bytes, top[2].name, top[2].bytes);
}

/* Of region r, what no layer has to itself. */
static size_t shared(const hk_plan *p, int r)
{
    size_t rest = p->bytes[r];
    for (int32_t i = 0; i < p->n_layer; i++) rest -= p->layer[i].bytes[r];
    return rest;
}

static void show_layers(const hk_plan *p)
{
    printf("%-16s %-12s", "layer", "type");
    for (int r = 0; r < HK_REGIONS; r++) printf(" %8s", region[r]);
    printf(" %8s\n", "flash");
    for (int32_t i = 0; i < p->n_layer; i++) {
        printf("%-16s %-12s", p->layer[i].name, p->layer[i].type);
        for (int r = 0; r < HK_REGIONS; r++) printf(" %8zu", p->layer[i].bytes[r]);
        printf(" %8zu\n", p->layer[i].flash);
    }
    printf("%-29s", "input, shared");
    for (int r = 0; r < HK_REGIONS; r++) printf(" %8zu", shared(p, r));
    printf("\n%-29s", "region");
    for (int r = 0; r < HK_REGIONS; r++) printf(" %8zu", p->bytes[r]);
    printf("\n");
}

hk_status hk_plan_mcu_show(const hk_plan *p, const hk_device *d, hk_error *e)
{
    consumer ram[NAMED] = { 0 }, flash[NAMED] = { 0 };
    size_t constants = 0;
    for (int32_t i = 0; i < p->n_layer; i++) {
        const hk_plan_layer *l = &p->layer[i];
        for (int r = 0; r < HK_REGIONS; r++) offer(ram, l->name, region[r], l->bytes[r]);
        offer(flash, l->name, "", l->flash);
        constants += l->flash;
    }
    for (int r = 0; r < HK_REGIONS; r++) offer(ram, "shared", region[r], shared(p, r));
    offer(ram, "tables", "", p->tables);
    offer(ram, "stack", "", d->stack);
    const size_t code = (size_t)d->target->code;
    offer(flash, "code", "", code);
    const size_t all_ram = p->total + p->tables + HK_TARGET_DATA + d->stack;
    const size_t all_flash = constants + code;
    const bool any = d->target == hk_target_at(0);
    printf("microcontroller %s: rule %s, T %d, batch 1, weights %s; bytes\n\n", d->target->name, p->rule,
           (int)p->T, hk_form_name((int)d->form));
    show_layers(p);
    printf("\nRAM   %8zu  net, the static block (exact)\n"
           "      %8zu  tables of the core (%s)\n"
           "      %8d  start-up, C library, alignment (estimate)\n"
           "      %8zu  stack (set aside)\n"
           "      %8zu  in all\n",
           p->total, p->tables, any ? "at most" : "exact", HK_TARGET_DATA, d->stack, all_ram);
    printf("flash %8zu  weights and tables\n"
           "      %8zu  code (estimate%s; %d KiB more or less by the net's members; the map tells)\n"
           "      %8zu  in all\n",
           constants, code, any ? ", the largest target's" : "", HK_TARGET_SPREAD / 1024, all_flash);
    if (d->ram && all_ram > d->ram) return refuse("RAM", all_ram, d->ram, ram, e);
    if (d->flash && all_flash > d->flash) return refuse("flash", all_flash, d->flash, flash, e);
    return HK_OK;
}
