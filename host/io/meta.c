/* The string map of a safetensors file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "safetensors.h"

#include "../base/alloc.h"

#include <string.h>

static hk_meta_pair *pair_find(const hk_meta *m, const char *key)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->at[i].key, key) == 0) return &m->at[i];
    return NULL;
}

const char *hk_meta_get(const hk_meta *m, const char *key)
{
    const hk_meta_pair *p = m ? pair_find(m, key) : NULL;
    return p ? p->value : NULL;
}

hk_status hk_meta_set(hk_meta *m, const char *key, const char *value, hk_error *err)
{
    hk_meta_pair *old = pair_find(m, key);
    hk_meta_pair add = { old ? NULL : hk_strdup(key), hk_strdup(value) };
    bool ok = add.value && (old || add.key);
    size_t n = (size_t)m->n;
    if (ok && !old && (n & (n - 1)) == 0) {         /* the capacity is the power of two from n on */
        hk_meta_pair *at = hk_regrow(m->at, n * sizeof *at, (n ? 2 * n : 1) * sizeof *at);
        if (at) m->at = at;
        ok = at;
    }
    if (!ok) {
        hk_free(add.key);
        hk_free(add.value);
        return hk_fail(err, HK_E_NOMEM, "no memory for the metadata key '%s'", key);
    }
    if (old) {
        hk_free(old->value);
        old->value = add.value;
    } else {
        m->at[m->n++] = add;
    }
    return HK_OK;
}

void hk_meta_clear(hk_meta *m)
{
    for (int i = 0; i < m->n; i++) {
        hk_free(m->at[i].key);
        hk_free(m->at[i].value);
    }
    hk_free(m->at);
    *m = (hk_meta){ 0 };
}
