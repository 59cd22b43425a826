/* Flatten: files see a vector, channel slowest; memory is untouched.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

static hk_status infer(hk_node *l, hk_error *e)
{
    (void)e;
    l->out.shape.flat = true;
    return HK_OK;
}

const hk_layer_ops hk_layer_flatten = {
    .info = { "flatten", "a map seen as a vector, channel slowest", "standard", 0, NULL, 0 },
    .n_in = 1, .alias = true, .steady = true, .infer = infer,
};
