/* net.h and net.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "write.h"

static const char *const region[] = HK_REGION_NAMES;

void hk_write_head(hk_text *t, const hk_snapshot *s, const char *what)
{
    const hk_shape in = s->spec.input.shape;
    hk_text_put(t, "/* %s\n * Written by `hillock export`; input %dx%dx%d, T %d, rule %s. */\n", what,
                (int)in.c, (int)in.h, (int)in.w, (int)s->spec.T, s->spec.rule->info.name);
}

/* ---- net.h ------------------------------------------------------------------------------------- */

static const char net_h_entries[] =
    "\n"
    "extern hk_model net;                     /* net.net is the core's own view of it */\n"
    "extern const hk_image net_image;\n"
    "\n"
    "/* Builds the net in its static memory and loads its weights. Once, before all others. */\n"
    "hk_status net_open(hk_error *e);\n"
    "/* The exported weights again. */\n"
    "void net_reload(void);\n"
    "/* Learns three samples and compares membranes, spikes, gradients and weights with those of the\n"
    " * exporting machine, bit by bit. Loads the exported weights. */\n"
    "hk_status net_selftest(hk_error *e);\n"
    "\n"
    "/* A sample: its class, or its loss after one update. */\n"
    "hk_status net_infer(const net_value *frames, int32_t *best, hk_error *e);\n"
    "hk_status net_learn(const net_value *frames, int32_t label, hk_result *out, hk_error *e);\n"
    "\n"
    "/* Step by step: begin, any number of steps, and after labelled ones an update. */\n"
    "void         net_begin(bool learn);\n"
    "const float *net_infer_step(const net_value *frame);          /* logits of the step */\n"
    "hk_status    net_learn_step(const net_value *frame, int32_t label, hk_error *e);\n"
    "void         net_update(void);\n"
    "\n"
    "#endif\n";

void hk_write_net_h(hk_text *t, const hk_snapshot *s)
{
    const hk_signal in = s->spec.input;
    const size_t rows = (size_t)in.shape.h * (size_t)in.shape.w;
    hk_write_head(t, s, "A net in one block of memory: entries to infer and to learn.");
    hk_text_put(t, "#ifndef NET_H\n#define NET_H\n\n#include \"hillock_image.h\"\n\nenum {\n");
    for (int r = 0; r < HK_REGIONS; r++)
        if (s->image.bytes[r])
            hk_text_put(t, "    NET_BYTES_%s = %zu,\n", region[r], s->image.bytes[r]);
    hk_text_put(t, "    NET_BYTES = %zu,                      /* the block: all regions */\n",
                hk_image_bytes(&s->image));
    hk_text_put(t, "    NET_LAYERS = %d,\n    NET_PARAMS = %d,\n    NET_STEPS = %d,\n",
                (int)s->spec.n_node, (int)s->image.n_param, (int)s->spec.T);
    hk_text_put(t, "    NET_CLASSES = %d,\n", (int)s->model.net.readout->out.shape.c);
    hk_text_put(t, "    NET_FRAME = %zu                       /* values of one frame, [h][w][c]%s */\n};\n\n",
                rows * hk_row_bytes(in.kind, (size_t)in.shape.c) / 4,
                in.kind == HK_F32 ? "" : ", 32 channels a word");
    hk_text_put(t, "typedef %s net_value;\n", in.kind == HK_F32 ? "float" : "uint32_t");
    hk_text_put(t, s->spec.constant_input
                       ? "/* frames: one frame, shown at every step of the sample. */\n"
                       : "/* frames: NET_STEPS frames, one behind another. */\n");
    hk_text_put(t, "%s", net_h_entries);
}

/* ---- net.c ------------------------------------------------------------------------------------- */

static void put_node_configs(hk_text *t, const hk_net_spec *s)
{
    for (int32_t i = 0; i < s->n_node; i++) {
        const hk_node_spec *n = &s->node[i];
        hk_text_put(t, "\n/* %s */\n", n->name);
        hk_write_config(t, "layer", i, &n->layer->info, n->cfg);
        if (!n->neuron) continue;
        hk_write_config(t, "neuron", i, &n->neuron->info, n->neuron_cfg);
        hk_write_config(t, "surrogate", i, &n->surrogate->info, n->surrogate_cfg);
    }
}

static void put_node(hk_text *t, const hk_node_spec *n, int32_t i)
{
    hk_text_put(t, "    { .name = \"%s\", .layer = &hk_layer_%s, .cfg = ", n->name,
                n->layer->info.name);
    hk_write_config_ref(t, "layer", i, &n->layer->info);
    hk_text_put(t, ", .n_in = %d, .in = { %d", (int)n->n_in, (int)n->in[0]);
    for (int k = 1; k < n->n_in; k++) hk_text_put(t, ", %d", (int)n->in[k]);
    hk_text_put(t, " }");
    if (n->neuron) {
        hk_text_put(t, ",\n      .neuron = &hk_neuron_%s, .neuron_cfg = ", n->neuron->info.name);
        hk_write_config_ref(t, "neuron", i, &n->neuron->info);
        hk_text_put(t, ",\n      .surrogate = &hk_surrogate_%s, .surrogate_cfg = ",
                    n->surrogate->info.name);
        hk_write_config_ref(t, "surrogate", i, &n->surrogate->info);
    }
    hk_text_put(t, " },\n");
}

/* Declarations of the members used, each once. */
static void put_members(hk_text *t, const hk_net_spec *s)
{
    for (int32_t i = 0; i < s->n_node; i++) {
        const hk_node_spec *n = &s->node[i];
        bool layer = false, neuron = !n->neuron, surrogate = !n->neuron;
        for (int32_t j = 0; j < i; j++) {
            layer |= s->node[j].layer == n->layer;
            neuron |= s->node[j].neuron == n->neuron;
            surrogate |= s->node[j].surrogate == n->surrogate;
        }
        if (!layer) hk_text_put(t, "extern const hk_layer_ops hk_layer_%s;\n", n->layer->info.name);
        if (!neuron)
            hk_text_put(t, "extern const hk_neuron_ops hk_neuron_%s;\n", n->neuron->info.name);
        if (!surrogate)
            hk_text_put(t, "extern const hk_surrogate_ops hk_surrogate_%s;\n",
                        n->surrogate->info.name);
    }
    hk_text_put(t, "extern const hk_rule_ops hk_rule_%s;\n", s->rule->info.name);
    hk_text_put(t, "extern const hk_loss_ops hk_loss_%s;\n", s->loss->info.name);
    hk_text_put(t, "extern const hk_optim_ops hk_optim_%s;\n", s->optim->info.name);
}

static void put_member(hk_text *t, const char *family, const hk_info *info)
{
    hk_text_put(t, "    .%s = &hk_%s_%s, .%s_cfg = ", family, family, info->name, family);
    hk_write_config_ref(t, family, 0, info);
    hk_text_put(t, ",\n");
}

static void put_spec(hk_text *t, const hk_net_spec *s)
{
    static const char *const kind[] = { "HK_F32", "HK_BITS", "HK_COUNTS" };
    const hk_shape in = s->input.shape;
    hk_text_put(t, "static const hk_net_spec spec = {\n    .node = node_spec, .n_node = NET_LAYERS,\n"
                   "    .input = { .shape = { %d, %d, %d, %s }, .kind = %s, .scale = ",
                (int)in.h, (int)in.w, (int)in.c, in.flat ? "true" : "false", kind[s->input.kind]);
    hk_text_float(t, s->input.scale);
    hk_text_put(t, " },\n    .constant_input = %s, .T = NET_STEPS, .batch = 1, .learn = true,\n",
                s->constant_input ? "true" : "false");
    put_member(t, "rule", &s->rule->info);
    put_member(t, "loss", &s->loss->info);
    put_member(t, "optim", &s->optim->info);
    hk_text_put(t, "    .objective = { .when = %s, .batch_sum = %s, .divide_by_T = %s, .smoothing = ",
                s->objective.when == HK_FINAL ? "HK_FINAL" : "HK_EACH_STEP",
                s->objective.batch_sum ? "true" : "false",
                s->objective.divide_by_T ? "true" : "false");
    hk_text_float(t, s->objective.smoothing);
    hk_text_put(t, " },\n    .kernels = &hk_kernels_ref, .tile = %d, .align = %d, .shards = %d, "
                   ".seed = %llu,\n};\n",
                (int)s->tile, (int)s->align, (int)s->shards, (unsigned long long)s->seed);
}

static void put_image(hk_text *t, const hk_snapshot *s)
{
    const hk_update *u = &s->image.update;
    hk_text_put(t, "\nconst hk_image net_image = {\n    .spec = &spec,\n    .update = { .lr = ");
    hk_text_float(t, u->lr);
    hk_text_put(t, ", .lr_threshold = ");
    hk_text_float(t, u->lr_threshold);
    hk_text_put(t, ", .lr_leak = ");
    hk_text_float(t, u->lr_leak);
    hk_text_put(t, ", .clip_norm = ");
    hk_text_float(t, u->clip_norm);
    hk_text_put(t, ", .accumulate = 1 },\n    .bytes = {");
    for (int r = 0; r < HK_REGIONS; r++) hk_text_put(t, "%s %zu", r ? "," : "", s->image.bytes[r]);
    hk_text_put(t, " },\n    .n_param = NET_PARAMS, .param = net_weights,\n"
                   "    .self_frame = net_self_frames, .self = net_self,\n};\n");
}

static const char net_c_entries[] =
    "\n"
    "hk_model net;\n"
    "static hk_node  net_node[NET_LAYERS];\n"
    "static hk_param net_param[NET_PARAMS];\n"
    "static _Alignas(8) unsigned char net_memory[NET_BYTES];\n"
    "\n"
    "hk_status net_open(hk_error *e)\n"
    "{\n"
    "    return hk_model_open(&net, &net_image, net_node, net_param, net_memory, e);\n"
    "}\n"
    "\n"
    "void net_reload(void) { hk_model_load(&net); }\n"
    "\n"
    "hk_status net_selftest(hk_error *e) { return hk_model_self_test(&net, e); }\n"
    "\n"
    "hk_status net_infer(const net_value *frames, int32_t *best, hk_error *e)\n"
    "{\n"
    "    return hk_model_infer(&net, frames, best, e);\n"
    "}\n"
    "\n"
    "hk_status net_learn(const net_value *frames, int32_t label, hk_result *out, hk_error *e)\n"
    "{\n"
    "    return hk_model_learn(&net, frames, label, out, e);\n"
    "}\n"
    "\n"
    "void net_begin(bool learn) { hk_model_begin(&net, learn); }\n"
    "\n"
    "const float *net_infer_step(const net_value *frame) { return hk_model_infer_step(&net, frame); }\n"
    "\n"
    "hk_status net_learn_step(const net_value *frame, int32_t label, hk_error *e)\n"
    "{\n"
    "    return hk_model_learn_step(&net, frame, label, e);\n"
    "}\n"
    "\n"
    "void net_update(void) { hk_model_update(&net); }\n";

void hk_write_net_c(hk_text *t, const hk_snapshot *s, hk_form form)
{
    const hk_net_spec *spec = &s->spec;
    hk_write_head(t, s, "The net's tables, its memory, its entries.");
    hk_text_put(t, "#include \"net.h\"\n\n#include <math.h>\n\n");
    hk_text_put(t, "extern const hk_constant net_weights[];           /* weights.c, %s */\n",
                hk_form_name((int)form));
    hk_text_put(t, "extern const void *const net_self_frames[];       /* selftest.c */\n"
                   "extern const hk_self_sample net_self[];\n\n");
    put_members(t, spec);
    put_node_configs(t, spec);
    hk_text_put(t, "\n/* how it learns */\n");
    hk_write_config(t, "rule", 0, &spec->rule->info, spec->rule_cfg);
    hk_write_config(t, "loss", 0, &spec->loss->info, spec->loss_cfg);
    hk_write_config(t, "optim", 0, &spec->optim->info, spec->optim_cfg);
    hk_text_put(t, "\nstatic const hk_node_spec node_spec[] = {\n");
    for (int32_t i = 0; i < spec->n_node; i++) put_node(t, &spec->node[i], i);
    hk_text_put(t, "};\n\n");
    put_spec(t, spec);
    put_image(t, s);
    const hk_target *most = hk_target_at(0);
    hk_text_put(t, "\n/* `hillock plan --target mcu` counts with these. */\n"
                   "_Static_assert(sizeof(void *) > 4 || sizeof(hk_node) <= %d, \"hk_node\");\n"
                   "_Static_assert(sizeof(void *) > 4 || sizeof(hk_param) <= %d, \"hk_param\");\n"
                   "_Static_assert(sizeof(void *) > 4 || sizeof(hk_model) <= %d, \"hk_model\");\n",
                (int)most->node, (int)most->param, (int)most->model);
    hk_text_put(t, "%s", net_c_entries);
}
