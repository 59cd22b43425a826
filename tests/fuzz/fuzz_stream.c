/* libFuzzer entry for the reader of streams: text, raw floats and .npy. The first byte says which and
 * whether steps are labelled, the second how many values a step has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../../host/run/stream_input.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { VALUES = 8, CLASSES = 3 };
    char path[64];
    hk_error e;
    hk_stream_input in;
    if (size < 2) return 0;
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data + 2, size - 2) != (ssize_t)(size - 2)) __builtin_trap();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const hk_stream_input_cfg cfg = { .path = path, .form = (hk_stream_form)(data[0] % 3),
                                      .values = 1 + data[1] % VALUES, .classes = CLASSES,
                                      .labelled = data[0] & 64 };
    if (hk_stream_input_open(&in, &cfg, &e) == HK_OK) {
        hk_stream_event what = HK_STREAM_STEP;
        for (size_t k = 0; k <= size && what != HK_STREAM_END; k++) {
            float x[VALUES];
            int32_t label = 0;
            if (hk_stream_input_next(&in, x, &label, &what, &e) != HK_OK) {
                if (e.code != HK_E_FORMAT) __builtin_trap();
                if (in.eof) break;
                continue;
            }
            for (size_t i = 0; i < cfg.values && what == HK_STREAM_STEP; i++)
                if (x[i] - x[i] != 0) __builtin_trap();
            if (what == HK_STREAM_STEP && (label < -1 || label >= CLASSES)) __builtin_trap();
            if (what != HK_STREAM_END && k == size) __builtin_trap();      /* it must move on */
        }
        hk_stream_input_close(&in);
    }
    close(fd);
    return 0;
}
