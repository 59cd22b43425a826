/* hillock: the command table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include "io/words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HK_VERSION
#  define HK_VERSION "0"
#endif

static const struct command {
    const char *name;
    int       (*run)(int argc, char **argv);
    const char *title;                   /* argv[0] of the command */
    const char *help;
} commands[] = {
    { "train", hk_cmd_train, "hillock train", "train a recipe; continue a run that was cut off" },
    { "compare", hk_cmd_compare, "hillock compare",
      "train variants of a recipe with several seeds, make the table" },
    { "eval", hk_cmd_eval, "hillock eval", "measure a trained net on the test set" },
    { "stream", hk_cmd_stream, "hillock stream",
      "an endless input step by step, learning as it goes" },
    { "plan", hk_cmd_plan, "hillock plan",
      "bytes and operations of a recipe, before anything runs" },
    { "export", hk_cmd_export, "hillock export", "a net as C source for a microcontroller" },
    { "list", hk_cmd_list, "hillock list", "every member and key there is" },
    { "probe", hk_cmd_probe, "hillock probe", "look at signals and gradients inside a net" },
    { "bench", hk_cmd_bench, "hillock bench", "measure the speed of this machine" },
    { "doctor", hk_cmd_doctor, "hillock doctor", "what this build and this machine can do" },
};

static void help(FILE *f)
{
    fputs("Usage: hillock COMMAND [OPTION...]\n"
          "Online training of deep spiking networks, with memory known before it is used.\n\n", f);
    for (int i = 0; i < HK_COUNT(commands); i++)
        fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs(
        "\nA recipe is a YAML file that says what to train and how. To begin:\n\n"
        "  hillock train recipes/digits-stop.yaml             a minute; the data are built in\n"
        "  hillock plan recipes/digits-stop.yaml --T 4,64,1000 --rule bptt,stop\n"
        "                                                      what each rule needs as T grows\n"
        "  hillock train recipes/digits-stop.yaml --set rule=sltt --set optim.lr=0.05\n"
        "                                                      any key can be overridden\n"
        "  hillock list neuron                                 what may stand in a recipe\n\n"
        "`hillock COMMAND --help` explains a command. Exit codes: 0 done, 1 failed, 2 usage.\n",
        f);
}

static int unknown(const char *word)
{
    const char *names[HK_COUNT(commands)];
    char shown[64];
    for (int i = 0; i < HK_COUNT(commands); i++) names[i] = commands[i].name;
    const char *near = hk_nearest(word, names, HK_COUNT(names));
    fprintf(stderr, "hillock: unknown command '%s'", hk_printable(shown, sizeof shown, word, 64));
    if (near) fprintf(stderr, "; nearest is '%s'", near);
    fprintf(stderr, "\nTry 'hillock --help'.\n");
    return HK_EXIT_USAGE;
}

/* What was printed but could not be written, to a full disk say, is a failure. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fprintf(stderr, "hillock: standard output could not be written\n");
    return HK_EXIT_FAILED;
}

/* OpenMP's threads spin for long while they wait, unless told otherwise before the program starts. On a
 * machine that others use too that costs a factor of twenty for small nets; to sleep at once costs a factor of
 * four there, and a tenth of larger ones, since waking takes as long as a small product. So spin for some
 * twenty microseconds, then sleep: say it and start again; what the user says stands. */
static void wait_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || setenv("OMP_WAIT_POLICY", "passive", 0) || setenv("GOMP_SPINCOUNT", "10000", 0))
        return;                                                          /* go on as we are */
    self[n] = '\0';
    execv(self, argv);
}

int main(int argc, char **argv)
{
    wait_briefly(argv);
    argp_err_exit_status = HK_EXIT_USAGE;
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) {
        help(stderr);
        return HK_EXIT_USAGE;
    }
    if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
        puts("hillock " HK_VERSION);
        return flushed(HK_EXIT_DONE);
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        help(stdout);
        return flushed(HK_EXIT_DONE);
    }
    for (int i = 0; i < HK_COUNT(commands); i++) {
        if (strcmp(commands[i].name, word) != 0) continue;
        char title[32];
        snprintf(title, sizeof title, "%s", commands[i].title);
        argv[1] = title;
        return flushed(commands[i].run(argc - 1, argv + 1));
    }
    return unknown(word);
}
