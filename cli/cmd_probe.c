/* hillock probe: everything inside one batch; see host/run/probe.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "cli.h"
#include "run/probe.h"

enum { KEY_SAVE = 256, KEY_CLASSES };

typedef struct options {
    hk_probe_opts probe;
    hk_cli_sets   sets;
    bool          json;
} options;

static int32_t positive(const char *arg, const char *what, struct argp_state *state)
{
    char *end;
    long v = strtol(arg, &end, 10);
    if (*end || end == arg || v < 1 || v > 1000000)
        argp_error(state, "%s: '%s' is not a whole number from 1 to 1000000", what, arg);
    return (int32_t)v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'w': o->probe.weights = arg; return 0;
    case 'i': o->probe.input = arg; return 0;
    case 'o': o->probe.out = arg; return 0;
    case KEY_SAVE: o->probe.save_weights = arg; return 0;
    case KEY_CLASSES: o->probe.classes = positive(arg, "--classes", state); return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 't': o->probe.session.threads = positive(arg, "--threads", state); return 0;
    case 'j': o->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        o->probe.session.recipe = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0 || !o->probe.input || !o->probe.out)
            argp_error(state, "RECIPE, --input X.npz and --out Y.npz are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hk_cmd_probe(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "input", 'i', "X.npz", 0,
          "x [T,B,F] or [T,B,C,H,W], or without T for a constant frame; label [B] "
          "or target [T,B,C]",
          0 },
        { "out", 'o', "Y.npz", 0, "Where everything goes", 0 },
        { "weights", 'w', "W", 0, "safetensors; otherwise the first weights of train.seed", 0 },
        { "save-weights", KEY_SAVE, "W", 0, "Write the weights that were used", 0 },
        { "classes", KEY_CLASSES, "N", 0, "Outputs, where neither target nor recipe tells", 0 },
        HK_CLI_SET,
        { "threads", 't', "N", 0, "Number of threads", 0 },
        { "json", 'j', NULL, 0, "Summary as JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "RECIPE",
        .doc = "Runs one batch under the recipe's rule, without an update, and writes every "
               "membrane (LAYER.u), spike (.s), error at the membrane (.delta), trace (.trace_w, "
               ".trace_threshold, .trace_leak), gradient (grad.PARAM), the logits and the loss: "
               "float32, [T,B,...], channels first.\v"
               "T, B and the shape are those of X. Example:\n\n"
               "  hillock probe recipe.yaml --weights w.safetensors --input x.npz --out y.npz\n",
    };
    options *o = calloc(1, sizeof *o);
    hk_probe_result r;
    hk_error e;
    if (!o) return HK_EXIT_FAILED;
    if (argp_parse(&argp, argc, argv, 0, NULL, o)) return HK_EXIT_USAGE;
    o->probe.session.set = o->sets.at;
    o->probe.session.n_set = o->sets.n;
    hk_status st = hk_probe(&o->probe, &r, &e);
    int code = st == HK_OK ? HK_EXIT_DONE : hk_cli_fail(&e);
    if (st == HK_OK && o->json) {
        printf("{\"out\": ");
        hk_cli_json(stdout, o->probe.out);
        printf(", \"loss\": %.9g, \"arrays\": %lld}\n", r.loss, (long long)r.arrays);
    } else if (st == HK_OK) {
        printf("loss %.9g; %lld arrays in %s\n", r.loss, (long long)r.arrays, o->probe.out);
    }
    free(o);
    return code;
}
