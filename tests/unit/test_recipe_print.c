/* Recipes as printed, over every member and every field; and what builders build, by the totals
 * that papers and their code give.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "recipe_test.h"

#include <dirent.h>
#include <math.h>

#define NONE "data: {name: none, shape: [3, 32, 32], classes: 10}\n"

static bool same_fields(const hk_info *a, const void *x, const hk_info *b, const void *y)
{
    if (a != b) return false;
    for (int i = 0; i < a->n_fields; i++) {
        double u = hk_field_get(&a->fields[i], x), v = hk_field_get(&a->fields[i], y);
        if (u != v && !(isnan(u) && isnan(v))) return false;
    }
    return true;
}

static void same_layers(const hk_recipe *a, const hk_recipe *b)
{
    assert_int_equal(a->n_node, b->n_node);
    for (int32_t i = 0; i < a->n_node; i++) {
        const hk_node_spec *x = &a->node[i], *y = &b->node[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->n_in, y->n_in);
        for (int k = 0; k < x->n_in; k++) assert_int_equal(x->in[k], y->in[k]);
        assert_true(same_fields(&x->layer->info, x->cfg, &y->layer->info, y->cfg));
        if (!x->neuron) continue;
        assert_true(same_fields(&x->neuron->info, x->neuron_cfg, &y->neuron->info, y->neuron_cfg));
        assert_true(same_fields(&x->surrogate->info, x->surrogate_cfg, &y->surrogate->info,
                                y->surrogate_cfg));
    }
}

/* Prints r, reads that, compares and prints again; frees r. */
static void fixpoint(hk_recipe *r)
{
    char *once, *twice;
    hk_recipe again;
    must(hk_recipe_print(r, &once, &err));
    if (parse(&again, once)) fail_msg("%s\nin\n%s", err.text, once);
    if (r->n_node && !again.n_node) must(shape_own(&again));
    same_layers(r, &again);
    assert_true(same_fields(&r->rule->info, r->rule_cfg, &again.rule->info, again.rule_cfg));
    assert_true(same_fields(&r->loss->info, r->loss_cfg, &again.loss->info, again.loss_cfg));
    assert_true(
        same_fields(&r->optim.ops->info, r->optim.cfg, &again.optim.ops->info, again.optim.cfg));
    assert_memory_equal(&r->optim.update, &again.optim.update, sizeof r->optim.update);
    assert_memory_equal(&r->train, &again.train, sizeof r->train);
    assert_memory_equal(&r->data.augment, &again.data.augment, sizeof r->data.augment);
    assert_string_equal(r->data.path, again.data.path);
    must(hk_recipe_print(&again, &twice, &err));
    assert_string_equal(once, twice);
    hk_free(once);
    hk_free(twice);
    hk_recipe_free(&again);
    hk_recipe_free(r);
}

static void printed_reads_back(void **state)
{
    static const char *const sets[] = {
        NULL,
        "optim.lr=0.1",
        "optim.lr=1e-38",
        "optim.lr=0.333333343",
        "rule.head_trace=0.25",
        "neuron.compare='>'",
        "neuron.input_scale=1-alpha",
        "net.layers.conv1.name='null'",
        "net.layers.conv1.name=7",
        "data.path=\"a \\\"b\\\" \\\\ c\"",
        "data.path='#x: [y'",
        "net.layers.gap.from=input",
        "data.augment={mean: [0.1, 0.2], std: [0.3, 0.7], flip: true}"
    };
    (void)state;
    for (int i = 0; i < HK_COUNT(sets); i++) {
        hk_recipe r = loaded(BASE, sets[i]);
        fixpoint(&r);
    }
}

static void shipped_recipes(void **state)
{
    (void)state;
    const char *root = getenv("HILLOCK_SRC");
    char path[1024];
    if (!root) skip();
    snprintf(path, sizeof path, "%s/recipes", root);
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *f; (f = readdir(d));) {
        hk_recipe r;
        if (!strstr(f->d_name, ".yaml")) continue;
        snprintf(path, sizeof path, "%s/recipes/%s", root, f->d_name);
        must(hk_recipe_load(&r, path, NULL, 0, &err));
        must(shape_own(&r));
        fixpoint(&r);
        n++;
    }
    closedir(d);
    assert_true(n >= 2);
}

/* ---- every row of the registry --------------------------------------------------------------- */

static const struct { hk_family family; const char *section; } sections[] = {
    { HK_FAM_NEURON, "neuron" }, { HK_FAM_SURROGATE, "neuron.surrogate" }, { HK_FAM_RULE, "rule" },
    { HK_FAM_LOSS, "loss" }, { HK_FAM_OPTIM, "optim" }, { HK_FAM_SCHEDULE, "optim.schedule" },
    { HK_FAM_ENCODER, "encode" }, { HK_FAM_DATASET, "data" }, { HK_FAM_BUILDER, "net" },
};

static void with_field(const char *section, const hk_info *m, const hk_field *f, double v,
                       bool legal)
{
    char set[2][256], word[64];
    const char *both[] = { set[0], set[1] };
    hk_recipe r;
    snprintf(set[0], sizeof set[0], "%s={name: %s}", section, m->name);
    if (f->type == HK_ENUM && legal) {
        hk_field_word_at(f, (int)v, word, sizeof word);
        snprintf(set[1], sizeof set[1], "%s.%s='%s'", section, f->name, word);
    } else if (f->type == HK_BOOL && legal) {
        snprintf(set[1], sizeof set[1], "%s.%s=%s", section, f->name, v != 0 ? "true" : "false");
    } else {
        snprintf(set[1], sizeof set[1], "%s.%s=%.17g", section, f->name, v);
    }
    hk_status st = parse_sets(&r, NONE "net: mlp\n", both, 2);
    if (legal) {
        if (st) fail_msg("%s: %s", set[1], err.text);
        fixpoint(&r);
    } else {
        assert_int_equal(st, HK_E_ARG);
        must_say(f->name);
    }
}

static void fields_at_their_limits(void **state)
{
    (void)state;
    for (int s = 0; s < HK_COUNT(sections); s++)
        for (int i = 0; i < hk_family_count(sections[s].family); i++) {
            const hk_info *m = hk_family_at(sections[s].family, i);
            for (int k = 0; k < m->n_fields; k++) {
                const hk_field *f = &m->fields[k];
                const double step = f->type == HK_FLOAT ? 1 + fabs(f->max) : 1;
                with_field(sections[s].section, m, f, f->min, true);
                with_field(sections[s].section, m, f, f->max, true);
                with_field(sections[s].section, m, f, f->max + step, false);
                with_field(sections[s].section, m, f, f->min - step, false);
            }
        }
}

static void names_are_legal_and_unique(void **state)
{
    (void)state;
    for (int f = 0; f < HK_FAMILIES; f++) {
        const hk_info *found;
        assert_true(hk_family_count((hk_family)f) > 0);
        for (int i = 0; i < hk_family_count((hk_family)f); i++) {
            const hk_info *m = hk_family_at((hk_family)f, i);
            assert_true(strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
                        strlen(m->name));
            assert_ptr_equal(hk_family_find((hk_family)f, m->name), m);
            assert_int_equal(hk_family_get((hk_family)f, m->name, &found, &err), HK_OK);
            assert_ptr_equal(found, m);
            assert_true(m->brief && m->source && m->source[0]);
            for (int k = 0; k < m->n_fields; k++) {
                const hk_field *row = &m->fields[k];
                assert_true(row->min <= row->max && row->help && row->unit);
                for (int j = 0; j < k; j++) assert_string_not_equal(row->name, m->fields[j].name);
            }
        }
        assert_int_equal(hk_family_get((hk_family)f, "no such", &found, &err), HK_E_ARG);
        must_say("no such");
    }
}

/* ---- builders -------------------------------------------------------------------------------- */

typedef struct totals { size_t params; double macs, neurons; } totals;

static totals total_of(hk_recipe *r)
{
    totals t = { 0, 0, 0 };
    hk_net net;
    hk_net_spec spec;
    hk_recipe_spec(r, true, true, &spec);
    spec.kernels = &hk_kernels_ref;
    spec.batch = 1;
    hk_node *node = calloc((size_t)spec.n_node, sizeof *node);
    hk_param *param = calloc((size_t)hk_net_max_param(&spec), sizeof *param);
    assert_true(node && param);
    must(hk_net_build(&net, &spec, node, param, hk_net_max_param(&spec), &err));
    must(hk_net_plan(&net, NULL, &err));
    for (int32_t i = 0; i < net.n_param; i++)
        if (param[i].role == HK_WEIGHT || param[i].role == HK_BIAS || param[i].role == HK_NORM)
            t.params += param[i].n;
    for (int32_t i = 0; i < net.n_node; i++) {
        const hk_shape s = node[i].out.shape;
        if (node[i].ops->operations) t.macs += node[i].ops->operations(&node[i]);
        if (node[i].spec->neuron) t.neurons += (double)s.h * s.w * s.c;
    }
    free(node);
    free(param);
    return t;
}

/* 0: not stated. Neurons of a spiking classifier are not counted by the sources. */
static const struct {
    const char *net;
    int32_t c, side, classes;
    size_t params;
    double macs, neurons;
} published[] = {
    { "vgg11_ottt", 3, 32, 10, 9228362, 605754368, 409600 },
    { "vgg11_ottt", 3, 32, 100, 9274532, 605800448, 409600 },
    { "vgg11_ottt", 2, 48, 10, 9227786, 1361613824, 921600 },
    { "vgg11_ottt", 2, 128, 11, 9228299, 9682556416, 6553600 },
    { "vgg11_stop", 3, 32, 10, 9228352, 152769536, 151552 + 10 },
    { "resnet18", 3, 32, 10, 11173952, 555422720, 0 },
    { "resnet18_pre", 3, 32, 10, 11176906, 555422720, 557056 },
    { "resnet18_pre", 3, 32, 100, 11223076, 0, 557056 },
    { "vgg11_sltt", 2, 48, 10, 9476298, 342643712, 0 },
    { "vgg11_sltt", 2, 128, 11, 9501387, 2435069440, 0 },
    { "{name: vgg11_sltt, head: gap}", 2, 48, 10, 9476298 - 10 * (25088 - 512), 0, 0 },
    /* From the definitions. */
    { "{name: mlp, width: 256}", 1, 28, 10, 784 * 256 + 256 + 2560 + 10, 784 * 256 + 2560, 256 },
    { "lenet5", 1, 28, 10, 156 + 2416 + 48120 + 10164 + 850, 0, 0 },
    { "conv_small", 1, 28, 10, 288 + 9216 + 18432 + 36864 + 2 * 192 + 31370, 0, 0 },
    { "vgg13", 3, 32, 10, 14800842, 3738976256, 1351680 },
    { "vgg13", 3, 64, 200, 16357512, 4538564608, 2138112 },
    { "resnet17", 3, 32, 10, 11173962, 1763382272, 1245184 },
    { "{name: resnet17, shortcut: currents}", 3, 64, 200, 11271432, 2221772800, 2228224 },
    { "vgg_small", 3, 32, 10, 864 + 9216 + 18432 + 36864 + 73728 + 147456 + 2 * 448 + 20490, 0, 0 },
};

static void totals_of_builders(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(published); i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "data: {name: none, shape: [%d, %d, %d], classes: %d}\nnet: %s\n"
                 "rule: sltt\n",
                 (int)published[i].c, (int)published[i].side, (int)published[i].side,
                 (int)published[i].classes, published[i].net);
        hk_recipe r = loaded(text, NULL);
        must(shape_own(&r));
        const totals t = total_of(&r);
        if (t.params != published[i].params)
            fail_msg("%s: %zu parameters, expected %zu", published[i].net, t.params,
                     published[i].params);
        if (published[i].macs > 0 && t.macs != published[i].macs)
            fail_msg("%s: %.0f multiply-adds, expected %.0f", published[i].net, t.macs,
                     published[i].macs);
        if (published[i].neurons > 0 && t.neurons != published[i].neurons)
            fail_msg("%s: %.0f neurons, expected %.0f", published[i].net, t.neurons,
                     published[i].neurons);
        fixpoint(&r);
    }
}

static void builders_refuse(void **state)
{
    (void)state;
    hk_recipe r = loaded("data: {name: none, shape: [1, 4, 4], classes: 10}\nnet: vgg_small\n", NULL);
    assert_int_equal(shape_own(&r), HK_E_SHAPE);
    must_say("builder vgg_small: ");
    must_say("pool3");
    hk_recipe_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_reads_back),
        cmocka_unit_test(shipped_recipes),
        cmocka_unit_test(fields_at_their_limits),
        cmocka_unit_test(names_are_legal_and_unique),
        cmocka_unit_test(totals_of_builders),
        cmocka_unit_test(builders_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
