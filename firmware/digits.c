/* A device that learns digits: pretrained on upright images, it meets shifted ones and adapts with the
 * exported rule, sample by sample (batch 1, an update each).
 *
 *   self             the self-test of the export
 *   count            instructions of a step
 *   replay N         N learned samples, digests of everything after each step and update
 *   adapt N M [tune] accuracy on M upright and M shifted images before and after N learned samples;
 *                    tune: measured on the last training images, which adaptation does not see
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "board.h"
#include "net.h"
#include "samples.h"

enum { SIDE = 8, SHIFT = 2, HELD = 823 };

#ifdef BOARD_NATIVE
int program(void);
#else
#  define program main
#endif

/* ---- text ------------------------------------------------------------------------------------ */

static void say(const char *text) { board_write(text); }

static void say_number(uint32_t n)
{
    char out[16];
    hk_format(out, sizeof out, "%lu", (unsigned long)n);
    say(out);
}

static void say_hex(uint32_t v)
{
    char out[10] = " ";
    for (int i = 0; i < 8; i++) out[1 + i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15u];
    out[9] = '\0';
    say(out);
}

static void say_value(const char *name, uint32_t n, const char *unit)
{
    say(name);
    say_number(n);
    say(unit);
}

/* ---- images ---------------------------------------------------------------------------------- */

/* The image moved to the right by SHIFT columns; what leaves is lost, what comes is paper. */
static void show(const uint8_t *image, int shift, float frame[NET_FRAME])
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            frame[y * SIDE + x] =
                x < shift ? 0.0f : (float)image[y * SIDE + x - shift] / (float)net_unit;
}

/* Sample i of the stream: shifted and upright ones in turn, so that the old is not forgotten. */
static int32_t stream(uint32_t i, float frame[NET_FRAME])
{
    const uint32_t k = i % (NET_TRAIN - HELD);
    show(net_train_value[k], i % 2 ? 0 : SHIFT, frame);
    return net_train_label[k];
}

/* Learns sample i of n; the rate falls to 0. */
static hk_status learn(uint32_t i, uint32_t n, hk_result *out, hk_error *e)
{
    float frame[NET_FRAME];
    const int32_t label = stream(i, frame);
    net.net.update.lr = net_image.update.lr * (float)(n - i) / (float)n;
    return net_learn(frame, label, out, e);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static uint32_t accuracy(uint32_t n, int shift, bool tune, hk_error *e)
{
    float frame[NET_FRAME];
    uint32_t right = 0;
    const uint32_t most = tune ? HELD : NET_TEST;
    if (n > most) n = most;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t k = tune ? NET_TRAIN - HELD + i : i;
        int32_t best = -1;
        show(tune ? net_train_value[k] : net_test_value[k], shift, frame);
        if (net_infer(frame, &best, e)) return 0;
        right += best == (tune ? net_train_label[k] : net_test_label[k]);
    }
    say_value(shift ? ", shifted " : "upright ", right, " of ");
    say_number(n);
    return right;
}

static hk_status adapt(uint32_t n, uint32_t m, bool tune, hk_error *e)
{
    say("before: ");
    accuracy(m, 0, tune, e);
    accuracy(m, SHIFT, tune, e);
    for (uint32_t i = 0; i < n; i++) HK_TRY(learn(i, n, NULL, e));
    say_value("\nlearned: ", n, " samples\nafter:  ");
    accuracy(m, 0, tune, e);
    accuracy(m, SHIFT, tune, e);
    say("\n");
    return HK_OK;
}

static uint32_t region(hk_region r, uint32_t digest)
{
    return hk_digest(digest, net.net.base[r], net.net.bytes[r]);
}

/* States, traces, sums, spikes and gradients of a step. */
static void watch(void *self, hk_net *of, int t, hk_event what)
{
    (void)self;
    (void)of;
    (void)t;
    if (what != HK_AFTER_BACKWARD) return;
    say_hex(region(HK_R_STATE, HK_DIGEST));
    say_hex(region(HK_R_TAPE, HK_DIGEST));
    say_hex(region(HK_R_GRAD, HK_DIGEST));
}

static hk_status replay(uint32_t n, hk_error *e)
{
    net.net.watch = watch;
    for (uint32_t i = 0; i < n; i++) {
        hk_result r;
        say_number(i);
        HK_TRY(learn(i, n, &r, e));
        say_hex(hk_digest(HK_DIGEST, &(float){ (float)r.loss }, sizeof(float)));
        say_hex(region(HK_R_PARAM, HK_DIGEST));
        say_hex(region(HK_R_OPTIM, HK_DIGEST));
        say("\n");
    }
    net.net.watch = NULL;
    return HK_OK;
}

static hk_status count(hk_error *e)
{
    float frame[NET_FRAME];
    const int32_t label = stream(0, frame);
    board_count_begin();
    const uint32_t empty = board_count_end();
    net_begin(false);
    for (int t = 1; t <= NET_STEPS; t++) {
        board_count_begin();
        net_infer_step(frame);
        const uint32_t n = board_count_end() - empty;
        say_value("infer step ", (uint32_t)t, ": ");
        say_value("", n, " instructions\n");
    }
    net_begin(true);
    for (int t = 1; t <= NET_STEPS; t++) {
        board_count_begin();
        HK_TRY(net_learn_step(frame, label, e));
        const uint32_t n = board_count_end() - empty;
        say_value("learn step ", (uint32_t)t, ": ");
        say_value("", n, " instructions\n");
    }
    board_count_begin();
    net_update();
    say_value("update: ", board_count_end() - empty, " instructions\n");
    return HK_OK;
}

/* ---- the program ----------------------------------------------------------------------------- */

static uint32_t number(const char **at)
{
    uint32_t n = 0;
    while (**at == ' ') (*at)++;
    for (; **at >= '0' && **at <= '9'; (*at)++) n = 10 * n + (uint32_t)(**at - '0');
    return n;
}

static bool word(const char **at, const char *want)
{
    const char *p = *at;
    while (*p == ' ') p++;
    while (*want)
        if (*p++ != *want++) return false;
    *at = p;
    return true;
}

static hk_status run(const char *at, hk_error *e)
{
    HK_TRY(net_open(e));
    if (word(&at, "count")) return count(e);
    if (word(&at, "replay")) return replay(number(&at), e);
    if (word(&at, "adapt")) {
        const uint32_t n = number(&at), m = number(&at);
        return adapt(n, m, word(&at, "tune"), e);
    }
    HK_TRY(net_selftest(e));
    say("self-test: membranes, spikes, gradients and weights as exported\n");
    return HK_OK;
}

static void report(void)
{
    const board_memory m = board_measure();
    if (!m.ram) return;
    say_value("RAM ", (uint32_t)(m.ram_static + m.stack_used), " bytes of ");
    say_value("", (uint32_t)m.ram, ": net ");
    say_value("", NET_BYTES, ", tables ");
    say_value("", (uint32_t)(m.ram_static - NET_BYTES), ", stack ");
    say_value("", (uint32_t)m.stack_used, "\n");
    say_value("flash ", (uint32_t)m.flash, " bytes without samples\n");
}

int program(void)
{
    char line[64];
    hk_error e;
    board_arguments(line, sizeof line);
    const hk_status st = run(line, &e);
    if (st) {
        say(e.text);
        say("\n");
    }
    report();
    return st ? 1 : 0;
}
