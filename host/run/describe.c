/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"

#include <archive.h>
#include <float.h>
#include <libfyaml.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "weights.h"

#ifndef HK_VERSION
#  define HK_VERSION "unknown"
#endif

#ifdef __clang__
#  define COMPILER __VERSION__
#else
#  define COMPILER "gcc " __VERSION__
#endif

json_t *hk_describe_memory(const hk_engine *g)
{
    static const char *const name[HK_REGIONS] = HK_REGION_NAMES;
    json_t *j = json_object();
    for (int r = 0; r < HK_REGIONS; r++)
        json_object_set_new(j, name[r], json_integer((json_int_t)g->bytes[r]));
    json_object_set_new(j, "tables", json_integer((json_int_t)g->table_bytes));
    json_object_set_new(j, "total", json_integer((json_int_t)hk_engine_bytes(g)));
    return j;
}

json_t *hk_describe_pass(const hk_stats *s, const hk_net *net)
{
    double speed = s->seconds > 0 ? (double)s->seen / s->seconds : 0;
    json_t *j = json_pack("{s:f, s:f, s:f, s:I, s:f, s:f}", "loss", hk_stats_loss(s), "accuracy",
                          hk_stats_accuracy(s), "rate", hk_stats_mean_rate(s, net), "samples",
                          (json_int_t)s->seen, "seconds", s->seconds, "samples_per_second", speed);
    if (j && s->spiking)
        json_object_set_new(j, "spiking_accuracy", json_real((double)s->spiking / (double)s->seen));
    return j;
}

json_t *hk_describe_rates(const hk_stats *s, const hk_net *net)
{
    json_t *j = json_object();
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].spec->neuron)
            json_object_set_new(j, net->node[i].name, json_real(hk_stats_rate(s, &net->node[i])));
    return j;
}

json_t *hk_describe_learned(const hk_net *net, hk_role role)
{
    json_t *j = json_object();
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        if (p->role != role) continue;
        double sum = 0, least = DBL_MAX, most = -DBL_MAX;
        for (size_t k = 0; k < p->n; k++) {
            double v = (double)p->w[k];
            sum += v;
            if (v < least) least = v;
            if (v > most) most = v;
        }
        char name[HK_PARAM_NAME];            /* a second one of the role in a layer: layer.name */
        const bool second = json_object_get(j, p->layer) != NULL;
        hk_format(name, sizeof name, second ? "%s.%s" : "%s", p->layer, p->name);
        json_object_set_new(j, name,
                            json_pack("{s:f, s:f, s:f, s:b}", "mean", sum / (double)p->n, "min",
                                      least, "max", most, "learned", (int)p->learn));
    }
    return j;
}

size_t hk_resident_peak(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (size_t)u.ru_maxrss * 1024;
}

int64_t hk_count_learned(const hk_net *net)
{
    int64_t n = 0;
    for (int32_t i = 0; i < net->n_param; i++)
        if (net->param[i].learn) n += (int64_t)net->param[i].n;
    return n;
}

int64_t hk_count_neurons(const hk_net *net)
{
    int64_t n = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_shape s = net->node[i].out.shape;
        if (net->node[i].spec->neuron) n += (int64_t)s.h * s.w * s.c;
    }
    return n;
}

void hk_cpu_name(char *out, size_t cap)
{
    char line[512];
    hk_format(out, cap, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        line[strcspn(line, "\n")] = 0;
        hk_format(out, cap, "%s", colon + 2);
        break;
    }
    if (f) fclose(f);
}

static json_t *libraries(void)
{
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:s}", "libarchive", archive_version_string(), "libfyaml",
                  fy_library_version(), "zlib", zlibVersion(), "jansson", JANSSON_VERSION);
    for (int d = HK_DENSE_ONEDNN; d <= HK_DENSE_CBLAS; d++) {
        const char *v = hk_vendor_version((hk_dense_by)d);
        json_object_set_new(j, hk_dense_name((hk_dense_by)d), v ? json_string(v) : json_null());
    }
    return j;
}

static json_t *data_set(const hk_dataset *d)
{
    char digest[17];
    for (int i = 0; i < 16; i++) digest[i] = "0123456789abcdef"[d->digest >> (60 - 4 * i) & 15];
    digest[16] = 0;
    return json_pack("{s:s, s:I, s:i, s:[iii], s:i, s:s, s:s}", "name", d->ops->info.name,
                     "samples", (json_int_t)d->n, "classes", d->n_class, "shape", d->shape.c,
                     d->shape.h, d->shape.w, "steps", d->steps, "variant", d->variant, "digest",
                     digest);
}

json_t *hk_describe_environment(const hk_host_kernels *k, const hk_session *s)
{
    char cpu[256];
    struct utsname os;
    if (uname(&os)) memset(&os, 0, sizeof os);
    hk_cpu_name(cpu, sizeof cpu);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:o}", "hillock",
                          HK_VERSION, "compiler", COMPILER, "system", os.sysname, "release",
                          os.release, "cpu", cpu, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN),
                          "threads", k->table.workers, "instructions", hk_isa_name(k->isa), "dense",
                          hk_dense_name(k->dense), "libraries", libraries());
    if (s && j) {
        static const char *const key[] = { "train", "test" };
        json_t *data = json_object();
        for (int i = 0; i < 2; i++)
            if (s->data[i].ops) json_object_set_new(data, key[i], data_set(&s->data[i]));
        json_object_set_new(j, "data", data);
    }
    return j;
}
