/* SPDX-License-Identifier: Apache-2.0 */
#include "locate.h"

#include "checkpoint.h"
#include "choice.h"
#include "io/file.h"

#include <sys/stat.h>

hk_status hk_choice_locate(const char *target, char out[HK_PATH], hk_error *e)
{
    struct stat st;
    if (!stat(target, &st) && S_ISDIR(st.st_mode)) {
        HK_TRY(hk_run_path(target, HK_CHOICE_FILE, "", out, e));
        HK_CHECK(e, hk_file_exists(out), HK_E_IO, "%s is missing: this run was not tuned", out);
        return HK_OK;
    }
    HK_CHECK(e, hk_format(out, HK_PATH, "%s", target) < HK_PATH - 1, HK_E_ARG, "path is too long: %s",
             target);
    return HK_OK;
}

hk_status hk_run_locate(const char *target, bool weights, hk_located *out, hk_error *e)
{
    struct stat st;
    char folder[HK_PATH], found[HK_PATH];
    out->weights[0] = out->choice[0] = '\0';
    if (stat(target, &st) || !S_ISDIR(st.st_mode)) {
        HK_CHECK(e, hk_format(out->recipe, HK_PATH, "%s", target) < HK_PATH - 1, HK_E_ARG,
                 "path is too long: %s", target);
        return HK_OK;
    }
    HK_TRY(hk_run_path(target, "recipe.yaml", "", out->recipe, e));
    HK_TRY(hk_run_path(target, HK_CHOICE_FILE, "", out->choice, e));
    if (!hk_file_exists(out->choice)) out->choice[0] = '\0';
    if (!weights) return HK_OK;
    HK_TRY(hk_run_path(target, "checkpoint/best", "", folder, e));
    if (hk_folder_find(folder, found, NULL) != HK_OK) {
        HK_TRY(hk_run_path(target, "checkpoint/last", "", folder, e));
        HK_TRY(hk_folder_find(folder, found, e));
    }
    return hk_run_path(found, HK_CKPT_WEIGHTS, "", out->weights, e);
}
