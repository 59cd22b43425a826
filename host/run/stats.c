/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <string.h>

#include "base/alloc.h"

hk_status hk_stats_init(hk_stats *s, const hk_net *net, hk_error *e)
{
    memset(s, 0, sizeof *s);
    s->rate = hk_alloc_zero((size_t)net->n_node, sizeof *s->rate);
    HK_CHECK(e, s->rate, HK_E_NOMEM, "no memory for the rates of %d layers", net->n_node);
    s->n_rate = net->n_node;
    return HK_OK;
}

void hk_stats_deinit(hk_stats *s)
{
    hk_free(s->rate);
    memset(s, 0, sizeof *s);
}

void hk_stats_reset(hk_stats *s)
{
    double *rate = s->rate;
    int32_t n = s->n_rate;
    if (rate) memset(rate, 0, (size_t)n * sizeof *rate);
    *s = (hk_stats){ .rate = rate, .n_rate = n };
}

void hk_stats_add(hk_stats *s, const hk_net *net, const hk_result *r, double seconds)
{
    double n = (double)r->seen;
    s->loss += net->spec.objective.batch_sum ? r->loss : r->loss * n;
    s->correct += r->correct;
    s->spiking += r->spiking;
    s->seen += r->seen;
    s->batches++;
    s->seconds += seconds;
    for (int32_t i = 0; i < s->n_rate; i++)
        if (net->node[i].spec->neuron) s->rate[i] += hk_node_rate(&net->node[i]) * n;
}

static double per_sample(const hk_stats *s, double sum)
{
    return s->seen ? sum / (double)s->seen : 0;
}

double hk_stats_loss(const hk_stats *s) { return per_sample(s, s->loss); }
double hk_stats_accuracy(const hk_stats *s) { return per_sample(s, (double)s->correct); }

double hk_stats_rate(const hk_stats *s, const hk_node *l)
{
    return per_sample(s, s->rate[l->index]);
}

double hk_stats_mean_rate(const hk_stats *s, const hk_net *net)
{
    double sum = 0, neurons = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->spec->neuron) continue;
        double n = (double)l->out.shape.h * l->out.shape.w * l->out.shape.c;
        sum += n * s->rate[i];
        neurons += n;
    }
    return neurons > 0 ? per_sample(s, sum) / neurons : 0;
}

json_t *hk_stats_print(const hk_stats *s)
{
    json_t *rates = json_array();
    for (int32_t i = 0; i < s->n_rate; i++) json_array_append_new(rates, json_real(s->rate[i]));
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:o}", "loss", s->loss, "correct",
                     (json_int_t)s->correct, "spiking", (json_int_t)s->spiking, "seen",
                     (json_int_t)s->seen, "batches", (json_int_t)s->batches, "seconds", s->seconds,
                     "rates", rates);
}

hk_status hk_stats_parse(hk_stats *s, const json_t *in, const char *file, hk_error *e)
{
    json_error_t why;
    double loss, seconds;
    json_int_t correct, seen, batches, spiking = 0;
    json_t *rates;
    if (json_unpack_ex((json_t *)in, &why, 0, "{s:F, s:I, s?:I, s:I, s:I, s:F, s:o}", "loss", &loss,
                       "correct", &correct, "spiking", &spiking, "seen", &seen, "batches", &batches, "seconds", &seconds,
                       "rates", &rates))
        return hk_fail(e, HK_E_FORMAT, "%s: sums of the epoch: %s", file, why.text);
    HK_CHECK(e, json_is_array(rates) && json_array_size(rates) == (size_t)s->n_rate, HK_E_FORMAT,
             "%s: sums of the epoch: expected rates of %d layers, found %zu", file, s->n_rate,
             json_array_size(rates));
    for (int32_t i = 0; i < s->n_rate; i++)
        s->rate[i] = json_number_value(json_array_get(rates, (size_t)i));
    s->loss = loss;
    s->seconds = seconds;
    s->correct = correct;
    s->spiking = spiking;
    s->seen = seen;
    s->batches = batches;
    return HK_OK;
}
