/* Recipes: every mistake gets a message with its place, overrides reach every key, and what is
 * printed reads back as the same recipe.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "recipe_test.h"

/* A field of a configuration, by its key. */
static double value(const hk_info *info, const void *cfg, const char *key)
{
    for (int i = 0; i < info->n_fields; i++)
        if (!strcmp(info->fields[i].name, key)) return hk_field_get(&info->fields[i], cfg);
    fail_msg("%s has no field %s", info->name, key);
    return 0;
}

/* ---- what is right --------------------------------------------------------------------------- */

static void defaults(void **state)
{
    (void)state;
    hk_recipe r = loaded(BASE, NULL);
    assert_null(r.data.ops);
    assert_int_equal(r.data.shape.h, 8);
    assert_int_equal(r.data.shape.c, 2);
    assert_int_equal(r.data.classes, 3);
    assert_string_equal(r.encoder->info.name, "direct");
    assert_string_equal(r.rule->info.name, "stop");
    assert_string_equal(r.loss->info.name, "ce");
    assert_string_equal(r.optim.ops->info.name, "sgd");
    assert_string_equal(r.optim.schedule->info.name, "constant");
    assert_int_equal(r.train.T, 4);
    assert_int_equal(r.n_node, 8);
    assert_string_equal(r.node[1].neuron->info.name, "lif");
    assert_string_equal(r.node[1].surrogate->info.name, "triangle");
    assert_string_equal(r.node[3].surrogate->info.name, "atan");
    assert_true(value(&r.node[3].neuron->info, r.node[3].neuron_cfg, "leak") == 0.75);
    assert_int_equal(r.node[4].n_in, 2);
    assert_int_equal(r.node[4].in[0], 3);
    assert_int_equal(r.node[4].in[1], 1);
    assert_int_equal(r.node[0].in[0], -1);
    must(shape_own(&r));
    hk_net_spec spec;
    hk_recipe_spec(&r, true, true, &spec);
    assert_ptr_equal(spec.node, r.node);
    assert_true(spec.constant_input && spec.learn && spec.optim && spec.rule);
    hk_recipe_spec(&r, false, true, &spec);
    assert_true(!spec.learn && !spec.optim && spec.rule == r.rule);
    hk_recipe_free(&r);
    hk_recipe_free(&r);
}

static void section_neuron_is_the_default_of_layers(void **state)
{
    (void)state;
    hk_recipe r =
        loaded(BASE "neuron: {name: lif, leak: 0.25, reset: hard, scale: 2.5, compare: '>',\n"
                    "         surrogate: {name: rectangle, width: 2}}\n",
               NULL);
    const hk_node_spec *same = &r.node[1], *own = &r.node[3];
    assert_true(value(&same->neuron->info, same->neuron_cfg, "leak") == 0.25);
    assert_true(value(&own->neuron->info, own->neuron_cfg, "leak") == 0.75);
    assert_true(value(&own->neuron->info, own->neuron_cfg, "reset") == 1);
    assert_true(value(&own->layer->info, own->cfg, "scale") == 2.5);
    assert_true(value(&own->layer->info, own->cfg, "compare") == 1);
    assert_string_equal(same->surrogate->info.name, "rectangle");
    assert_true(value(&same->surrogate->info, same->surrogate_cfg, "width") == 2);
    hk_recipe_free(&r);
}

static void json(void **state)
{
    (void)state;
    hk_recipe r =
        loaded("{\"data\": {\"name\": \"none\", \"shape\": [4], \"classes\": 2},\n"
               " \"net\": {\"layers\": [{\"type\": \"dense\", \"name\": \"fc\", \"in\": 4, "
               "\"out\": 2, \"bias\": true},\n{\"type\": \"readout\", \"kind\": \"leaky\", "
               "\"leak\": 0.5}]},\n \"rule\": {\"name\": \"stop\", \"head_trace\": null}, "
               "\"optim\": {\"lr\": 1e-3}}",
               NULL);
    assert_true(r.optim.update.lr == 1e-3f);
    assert_string_equal(r.node[1].name, "readout2");
    must(shape_own(&r));
    hk_recipe_free(&r);
}

/* A description of a network from elsewhere, with its own names of layers and keys. */
static void synonyms_and_claims(void **state)
{
    static const char text[] =
        "data: {name: none, shape: [3, 7, 7], classes: 3}\n"
        "net: {layers: [\n"
        "{type: conv2d, name: conv1, in: 3, out: 2, kernel: 3, stride: 1, padding: 1, groups: 1, bias: false},\n"
        "{type: maxpool2d, name: maxpool1, kernel: 2, stride: 2},\n"
        "{type: batchnorm2d, name: bn1, channels: 2, mode: train, eps: 1e-05},\n"
        "{type: lif, name: lif1, convention: A, cmp: '>=', surrogate: {name: rectangle, width: 1.0},\n"
        " reset: hard, input_scale: 1-alpha, threshold_granularity: neuron, leak_granularity: layer},\n"
        "{type: flatten, name: flat}, {type: dense, name: head, in: %d, out: 3, bias: true},\n"
        "{type: readout, name: readout, kind: leaky, leak: 0.75}]}\n";
    (void)state;
    char with[1024];
    snprintf(with, sizeof with, text, 18);
    hk_recipe r = loaded(with, NULL);
    must(shape_own(&r));
    assert_string_equal(r.node[2].layer->info.name, "batchnorm");
    hk_recipe_free(&r);
    snprintf(with, sizeof with, text, 17);
    r = loaded(with, NULL);
    assert_int_equal(shape_own(&r), HK_E_SHAPE);
    must_say("layer 'head' (dense): the recipe says 17 input channels, but there are 18");
    hk_recipe_free(&r);
}

static void assignments(void **state)
{
    static const char *const set[] = { "optim.lr=0.5", "optim.schedule=cosine", "rule={name: sltt}",
                                       "net.layers.s2.leak=0.125", "net.layers.0.out=4",
                                       "neuron.compare=>", "train={T: 9, batch: 2}", "train.T=7",
                                       "neuron.surrogate=sigmoid", "data.augment.mean=[0.5, 0.25]",
                                       "data.augment.std=[1, 2]" };
    (void)state;
    hk_recipe r;
    must(parse_sets(&r, BASE, set, HK_COUNT(set)));
    assert_true(r.optim.update.lr == 0.5f);
    assert_string_equal(r.optim.schedule->info.name, "cosine");
    assert_string_equal(r.rule->info.name, "sltt");
    assert_true(value(&r.node[3].neuron->info, r.node[3].neuron_cfg, "leak") == 0.125);
    assert_true(value(&r.node[1].layer->info, r.node[1].cfg, "compare") == 1);
    assert_int_equal(r.train.T, 7);
    assert_int_equal(r.train.batch, 2);
    assert_string_equal(r.node[1].surrogate->info.name, "sigmoid");
    assert_int_equal(r.data.augment.n_mean, 2);
    assert_true(r.data.augment.std[1] == 2);
    hk_recipe_free(&r);
}

/* ---- what is wrong --------------------------------------------------------------------------- */

typedef struct mistake {
    const char *set, *say[2];
} mistake;

static const mistake by_set[] = {
    { "optin.lr=1", { "unknown key 'optin'", "nearest is 'optim'" } },
    { "zzz=1", { "unknown key 'zzz'", "known are data, encode, net" } },
    { "optim.lt=1", { "--set optim.lt=1: optim: unknown key 'lt'", NULL } },
    { "optim.leraning=1", { "optim: unknown key 'leraning'", NULL } },
    { "optim.momentun=1", { "unknown key 'momentun'", "nearest is 'momentum'" } },
    { "optim.schedule.wramup=1",
      { "optim.schedule: unknown key 'wramup'", "nearest is 'warmup'" } },
    { "train.epoch=1", { "unknown key 'epoch'", "nearest is 'epochs'" } },
    { "data.augment.filp=true", { "data.augment: unknown key 'filp'", "nearest is 'flip'" } },
    { "encode=drect", { "unknown encoder 'drect'", "nearest is 'direct'" } },
    { "rule=stpo", { "unknown rule 'stpo'", "nearest is 'stop'" } },
    { "loss=cee", { "unknown loss 'cee'", "nearest is 'ce'" } },
    { "optim=sdg", { "unknown optim 'sdg'", "nearest is 'sgd'" } },
    { "optim.schedule=cosin", { "unknown schedule 'cosin'", "nearest is 'cosine'" } },
    { "neuron=plift", { "unknown neuron 'plift'", "nearest is 'plif'" } },
    { "neuron.surrogate=sigmid", { "unknown surrogate 'sigmid'", "nearest is 'sigmoid'" } },
    { "data.name=digit", { "unknown dataset 'digit'", "nearest is 'digits'" } },
    { "net=vgg_smal", { "unknown builder 'vgg_smal'", "nearest is 'vgg_small'" } },
    { "rule=17", { "unknown rule '17'", NULL } },
    { "rule=[a]", { "rule: expected a map of keys, found a list", NULL } },
    { "rule.W=1", { "rule.W: expected true or false, found '1'", NULL } },
    { "rule.W='true'", { "rule.W: expected true or false, found the text 'true'", NULL } },
    { "rule={name: sltt, traces: bf16}", { "rule: unknown key 'traces'", "known of 'sltt' are name" } },
    { "rule.traces=bf15", { "rule.traces: expected fp32 or bf16, found 'bf15'", NULL } },
    { "rule.leak_reduction=max", { "expected sum or mean, found 'max'", NULL } },
    { "rule.head_trace=2", { "rule.head_trace: expected a number from 0 to 1, or null", "'2'" } },
    { "optim.lr=fast", { "optim.lr: expected a number from 0 to 1e+06, found 'fast'", NULL } },
    { "optim.lr=", { "optim.lr: expected a number", "found nothing" } },
    { "optim.lr=null", { "optim.lr: expected a number", "found nothing" } },
    { "optim.lr=-1", { "optim.lr: expected a number from 0 to 1e+06, found '-1'", NULL } },
    { "optim.lr=0x10", { "found '0x10'", NULL } },
    { "optim.lr=1e999", { "found '1e999'", NULL } },
    { "optim.lr={a: 1}", { "found a map of keys", NULL } },
    { "train.T=0", { "train.T: expected a whole number from 1 to 1000000, found '0'", NULL } },
    { "train.T=2.5", { "train.T: expected a whole number", "found '2.5'" } },
    { "train.T='4'", { "found the text '4'", NULL } },
    { "data.shape=[2, 8]", { "data.shape: expected [F] or [C, H, W], found a list", NULL } },
    { "data.shape=[2, 0, 8]", { "data.shape: expected a whole number from 1", "found '0'" } },
    { "data.shape=[9999, 9999, 9999]", { "data.shape", "at most" } },
    { "data.classes=x", { "data.classes: expected a whole number", NULL } },
    { "data.path=[1]", { "data.path: expected a word, found a list", NULL } },
    { "data.path=\"a\\tb\"", { "data.path: byte 2 is a control character", NULL } },
    { "data.augment.mean=[1]", { "mean and std are given together, found only mean", NULL } },
    { "data.augment={mean: [1, 2], std: [1]}", { "mean has 2 numbers and std 1", NULL } },
    { "data.augment={mean: [], std: 1}", { "expected a list of 1 to 1024 numbers", NULL } },
    { "data.augment={mean: 1, std: 0}", { "std", NULL } },
    { "net.layers=3", { "net.layers: expected a list of layers, found '3'", NULL } },
    { "net.layers=[]", { "net.layers: expected a list of layers, found an empty list", NULL } },
    { "net.layers=[lif]", { "net.layers[0]: expected a map of keys, found 'lif'", NULL } },
    { "net.layers=[{name: a}]", { "net.layers[0]: key 'type' is missing", NULL } },
    { "net.layers=[{type: dense}]",
      { "net.layers[0] (dense1): key 'out' is missing, expected a whole", NULL } },
    { "net.layers.0.type=covn2d", { "unknown layer or neuron 'covn2d'", "nearest is 'conv2d'" } },
    { "net.layers.1.type=lfi", { "unknown layer or neuron 'lfi'", "nearest is 'lif'" } },
    { "net.layers.0.kernal=3",
      { "net.layers[0] (conv1): unknown key 'kernal'", "nearest is 'kernel'" } },
    { "net.layers.s2.leek=3", { "net.layers[3] (s2): unknown key 'leek'", "nearest is 'leak'" } },
    { "net.layers.s2.surrogate.slop=3",
      { "(s2).surrogate: unknown key 'slop'", "nearest is 'slope'" } },
    { "net.layers.1.name=conv1", { "net.layers[1]: the name 'conv1' is taken by layer 0", NULL } },
    { "net.layers.1.name=a b", { "'a b' is no name for a layer", NULL } },
    { "net.layers.1.name=input", { "'input' is no name for a layer", NULL } },
    { "net.layers.1.name=-a", { "'-a' is no name for a layer", NULL } },
    { "net.layers.sum.from=[s1, conv3]",
      { "no earlier layer is called 'conv3'", "nearest is 'conv1'" } },
    { "net.layers.sum.from=[s1, gap]", { "no earlier layer is called 'gap'", NULL } },
    { "net.layers.sum.from=s1",
      { "net.layers[4] (sum): add reads 2 inputs, found 1 in `from`", NULL } },
    { "net.layers.gap.from=[s1, s2]", { "gap reads 1 inputs, found 2", NULL } },
    { "net.layers.s1.cmp=ge",
      { "net.layers[1] (s1).compare: expected >= or >, found 'ge'", NULL } },
    { "net.layers.9.out=1", { "no entry '9' in a list of 8", NULL } },
    { "net.layers.xx.out=1", { "no entry 'xx' in a list of 8", NULL } },
    { "net.name=mlp", { "net: expected name or layers, found both", NULL } },
    { "net=", { "section net is missing", NULL } },
    { "net={}", { "net: expected the name of a builder, or layers", NULL } },
    { "net={name: mlp, widht: 3}", { "net: unknown key 'widht'", "nearest is 'width'" } },
    { "data={shape: [1], classes: 2}", { "data.name is missing", NULL } },
    { "data=none", { "name none needs shape and classes", NULL } },
    { "optim.lr", { "--set optim.lr: expected section.key=value", NULL } },
    { "=1", { "expected section.key=value", NULL } },
    { "optim..lr=1", { "expected section.key=value", NULL } },
    { "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r=1", { "expected section.key=value", NULL } },
    { "optim.lr=[1", { "--set optim.lr=[1: ", NULL } },
};

static void mistakes_in_assignments(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(by_set); i++) {
        hk_recipe r;
        hk_status st = parse_sets(&r, BASE, &by_set[i].set, 1);
        if (!st) fail_msg("--set %s was accepted", by_set[i].set);
        assert_int_equal(st, err.code);
        must_say(by_set[i].say[0]);
        if (by_set[i].say[1]) must_say(by_set[i].say[1]);
        hk_recipe_free(&r);
    }
}

static const struct { const char *text, *say; } by_text[] = {
    { "", "r.yaml: expected the sections of a recipe, found nothing" },
    { "7", "expected the sections of a recipe, found '7'" },
    { "[1, 2]", "expected the sections of a recipe, found a list" },
    { BASE "train:\n  T: 4\n  T: 5\n", "r.yaml:14:3: key 'T' is given twice (first in line 13)" },
    { BASE "train:\n  T: x\n", "r.yaml:13:6: train.T: expected a whole number" },
    { BASE "train:\n  epoch: 3\n", "r.yaml:13:3: train: unknown key 'epoch'; nearest is 'epochs'" },
    { BASE "rulez: stop\n", "r.yaml:12:1: recipe: unknown key 'rulez'; nearest is 'rule'" },
    { BASE "train: {T: 4\n", "r.yaml:13:1: " },
    { BASE "optim: {lr: [1, 2}\n", "r.yaml:12:" },
    { BASE "optim: &a {lr: 1}\n", "anchors and tags are not used" },
    { BASE "optim: *a\n", "aliases are not used" },
    { BASE "optim: {lr: !!float 1}\n", "anchors and tags are not used" },
    { BASE "? [a]\n: 1\n", "a key must be a word" },
    { BASE "---\ntrain: {}\n", "more than one document" },
    { BASE "optim:\n\tlr: 1\n", "r.yaml:13:1: " },
    { "a: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", "nested too deeply" },
    { "a: \"x\\0y\"", "a zero byte in a text" },
    { BASE "%YAML 1.2\n", "r.yaml:12:1: directives (%) are not used" },
    { "a: \001", "r.yaml:1:4: byte 1: a recipe is a text file" },
    { "data: {name: digits}\nnet: {layers: [{type: lif, cmp: '>', compare: '>'}]}\n",
      "'cmp' and 'compare' are the same key" },
};

static void mistakes_in_files(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(by_text); i++) {
        hk_recipe r;
        if (!parse(&r, by_text[i].text)) fail_msg("accepted: %s", by_text[i].text);
        must_say(by_text[i].say);
    }
    hk_recipe r;
    assert_int_equal(hk_recipe_load(&r, "/nowhere/r.yaml", NULL, 0, &err), HK_E_IO);
    must_say("/nowhere/r.yaml");
    assert_int_equal(hk_recipe_parse(&r, "a\0b", 3, "r.yaml", NULL, 0, &err), HK_E_FORMAT);
    must_say("r.yaml:1:2: byte 0: a recipe is a text file");
}

static void many_keys_and_layers(void **state)
{
    (void)state;
    enum { BYTES = 200000 };
    char *text = malloc(BYTES);
    size_t n = 0;
    hk_recipe r;
    assert_non_null(text);
    for (int i = 0; i < 300; i++) n += (size_t)sprintf(text + n, "k%d: 1\n", i);
    assert_int_equal(parse(&r, text), HK_E_FORMAT);
    must_say("r.yaml:257:");
    n = (size_t)sprintf(text, "data: digits\nnet:\n  layers:\n");
    for (int i = 0; i < 1025; i++) n += (size_t)sprintf(text + n, "  - {type: flatten}\n");
    assert_int_equal(parse(&r, text), HK_E_ARG);
    must_say("1025 layers, at most 1024");
    free(text);
}

static void mistakes_in_shapes(void **state)
{
    (void)state;
    hk_recipe r = loaded(BASE, NULL);
    assert_int_equal(hk_recipe_shape(&r, (hk_shape){ 8, 8, 3, false }, 3, &err), HK_E_SHAPE);
    must_say("data.shape is [2, 8, 8], but the data have [3, 8, 8]");
    assert_int_equal(hk_recipe_shape(&r, r.data.shape, 4, &err), HK_E_SHAPE);
    must_say("data.classes is 3, but the data have 4");
    assert_int_equal(hk_recipe_shape(&r, (hk_shape){ 0 }, 3, &err), HK_E_ARG);
    hk_recipe_free(&r);
    r = loaded(BASE, "net.layers.head.out=4");
    assert_int_equal(shape_own(&r), HK_E_SHAPE);
    must_say("r.yaml:11:7: layer 'out' is the last and has 4 outputs, but there are 3 classes");
    hk_recipe_free(&r);
    r = loaded(BASE, "net.layers.0.kernel=15");
    assert_int_equal(shape_own(&r), HK_E_SHAPE);
    must_say("r.yaml:4:7: ");
    must_say("conv1");
    hk_recipe_free(&r);
    r = loaded(BASE, "net.layers.conv2.stride=2");
    assert_int_equal(shape_own(&r), HK_E_SHAPE);
    must_say("sum");
    hk_recipe_free(&r);
    r = loaded(BASE, "data.augment={mean: [1, 2, 3], std: [1, 2, 3]}");
    assert_int_not_equal(shape_own(&r), HK_OK);
    hk_recipe_free(&r);
}

/* ---- what must never happen ------------------------------------------------------------------ */

static void truncations(void **state)
{
    static const char text[] = BASE "neuron: {name: lif, surrogate: {name: triangle, width: 1}}\n"
                                    "optim: {lr: 1.5e-3, schedule: {name: cosine, warmup: 2}}\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        hk_recipe r;
        char *part = malloc(n + 1);
        assert_non_null(part);
        memcpy(part, text, n);
        if (!hk_recipe_parse(&r, part, n, "r.yaml", NULL, 0, &err)) {
            (void)shape_own(&r);
            hk_recipe_free(&r);
        }
        free(part);
    }
}

/* Loads, shapes and prints with the n-th request for memory failing. */
static hk_status whole_life(const char *text)
{
    static const char *const set[] = { "optim.lr=0.5", "train.T=3" };
    hk_recipe r;
    char *out = NULL;
    HK_TRY(parse_sets(&r, text, set, HK_COUNT(set)));
    hk_status st = shape_own(&r);
    if (!st) st = hk_recipe_print(&r, &out, &err);
    hk_free(out);
    hk_recipe_free(&r);
    return st;
}

static void out_of_memory(void **state)
{
    static const char *const texts[] = {
        BASE, "data: {name: none, shape: [3, 32, 32], classes: 10}\nnet: resnet18_pre\n" };
    (void)state;
    for (int k = 0; k < HK_COUNT(texts); k++) {
        const size_t live = hk_alloc_counts().live;
        long n = 1;
        for (;; n++) {
            hk_alloc_fail_at(n);
            hk_status st = whole_life(texts[k]);
            hk_alloc_fail_at(0);
            assert_int_equal(hk_alloc_counts().live, live);
            if (!st) break;
            assert_int_equal(st, HK_E_NOMEM);
        }
        assert_true(n > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(section_neuron_is_the_default_of_layers),
        cmocka_unit_test(json),
        cmocka_unit_test(synonyms_and_claims),
        cmocka_unit_test(assignments),
        cmocka_unit_test(mistakes_in_assignments),
        cmocka_unit_test(mistakes_in_files),
        cmocka_unit_test(many_keys_and_layers),
        cmocka_unit_test(mistakes_in_shapes),
        cmocka_unit_test(truncations),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
