/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int hk_cli_fail(const hk_error *e)
{
    fflush(stdout);
    fprintf(stderr, "hillock: %s\n", e->text);
    return HK_EXIT_FAILED;
}

const char *hk_cli_cache(void)
{
    static char path[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = 0;
    if (cache && *cache == '/') n = snprintf(path, sizeof path, "%s/hillock", cache);
    else if (home && *home == '/') n = snprintf(path, sizeof path, "%s/.cache/hillock", home);
    return n > 0 && (size_t)n < sizeof path ? path : NULL;
}

void hk_cli_note(void *unused, const char *text)
{
    (void)unused;
    fprintf(stderr, "%s\n", text);
}

void hk_cli_set(hk_cli_sets *s, const char *assignment, struct argp_state *state)
{
    if (s->n == HK_COUNT(s->at)) argp_error(state, "more than %d times --set", HK_COUNT(s->at));
    if (s->n < HK_COUNT(s->at)) s->at[s->n++] = assignment;
}

int hk_cli_split(char *text, char **out, int cap)
{
    int n = 0;
    for (char *comma; text; text = comma) {
        comma = strchr(text, ',');
        if (comma) *comma++ = '\0';
        if (n == cap) return -1;
        out[n++] = text;
    }
    return n;
}

long hk_cli_whole(const char *arg, long lo, long hi, const char *what, struct argp_state *state)
{
    char *end;
    long v = strtol(arg, &end, 10);
    if (*end || end == arg || v < lo || v > hi)
        argp_error(state, "%s: '%s' is not a whole number from %ld to %ld", what, arg, lo, hi);
    return v;
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

void hk_cli_catch_signals(void)
{
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
}

bool hk_cli_interrupted(void) { return interrupted != 0; }

void hk_cli_json(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') fprintf(f, "\\%c", c);
        else if (c < 32) fprintf(f, "\\u%04x", c);
        else fputc(c, f);
    }
    fputc('"', f);
}

const char *hk_cli_bytes(double bytes, char out[32])
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    int k = 0;
    for (; bytes >= 1024 && k + 1 < HK_COUNT(unit); k++) bytes /= 1024;
    snprintf(out, 32, k && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, unit[k]);
    return out;
}

const char *hk_cli_count(double n, char out[32])
{
    static const char *const unit[] = { "", " k", " M", " G", " T", " P" };
    int k = 0;
    for (; n >= 1000 && k + 1 < HK_COUNT(unit); k++) n /= 1000;
    snprintf(out, 32, k && n < 100 ? "%.1f%s" : "%.0f%s", n, unit[k]);
    return out;
}
