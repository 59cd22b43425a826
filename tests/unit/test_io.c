/* Arrays, files, gzip and safetensors: what is written reads back equal, and whatever is broken is
 * refused with a message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "io_test.h"

#include "../../host/io/npz.h"
#include "../../host/io/safetensors.h"
#include "../../host/io/words.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

static hk_status read_gz(const void *p, size_t n, hk_error *err)
{
    void *q = NULL;
    size_t m;
    hk_status s = hk_gunzip(p, n, "a.gz", 0, &q, &m, err);
    hk_free(q);
    return s;
}

static hk_status read_st(const void *p, size_t n, hk_error *err)
{
    hk_arrays list = { 0 };
    hk_meta meta = { 0 };
    hk_status s = hk_safetensors_parse(p, n, "a.st", &list, &meta, err);
    hk_arrays_clear(&list);
    hk_meta_clear(&meta);
    return s;
}

static void words(void **state)
{
    static const char *const keys[] = { "learning_rate", "momentum", "tau", "rate", NULL };
    char out[8];
    (void)state;
    assert_string_equal(hk_nearest("lerning_rate", keys, 5), "learning_rate");
    assert_string_equal(hk_nearest("LEARNING_RATE", keys, 4), "learning_rate");
    assert_string_equal(hk_nearest("tua", keys, 4), "tau");
    assert_string_equal(hk_nearest("rat", keys, 4), "rate");
    assert_null(hk_nearest("zebra", keys, 4));
    assert_null(hk_nearest("", keys, 4));
    assert_null(hk_nearest("tau", keys, 0));
    assert_string_equal(hk_printable(out, sizeof out, "a\033[0mbcdefg", 12), "a?[0mbc");
}

static void arrays(void **state)
{
    hk_arrays list = { 0 };
    hk_error err;
    float f[4];
    int64_t i64[4];
    int32_t i32[4];
    int64_t four = 4, huge[2] = { INT64_MAX, INT64_MAX };
    (void)state;
    sample(&list, true);
    assert_refused(hk_arrays_add(&list, "F32", HK_DT_U8, 1, &four, NULL, &err), HK_E_ARG, "twice");
    assert_refused(hk_arrays_add(&list, "x", HK_DT_U8, 2, huge, NULL, &err), HK_E_FORMAT, "fit");
    huge[0] = 0;
    assert_ok(hk_arrays_add(&list, "none", HK_DT_F64, 2, huge, NULL, &err));
    huge[0] = -1;
    assert_refused(hk_arrays_add(&list, "x", HK_DT_U8, 2, huge, NULL, &err), HK_E_FORMAT, "-1");
    assert_refused(hk_arrays_add(&list, "x", HK_DT_U8, 9, huge, NULL, &err), HK_E_UNSUP, "9");
    assert_null(hk_arrays_find(&list, "x"));

    static const uint16_t half[4] = { 0x3c00, 0xc000, 0x0001, 0x7bff }, bf[4] = { 0x3f80, 0xc000 };
    static const double real[4] = { 1, -3, 1e10, 0.5 };
    static const uint64_t big[4] = { 1, 2, INT64_MAX, UINT64_MAX };
    assert_ok(hk_arrays_add(&list, "half", HK_DT_F16, 1, &four, half, &err));
    assert_ok(hk_arrays_add(&list, "bf", HK_DT_BF16, 1, &four, bf, &err));
    assert_ok(hk_arrays_add(&list, "real", HK_DT_F64, 1, &four, real, &err));
    assert_ok(hk_arrays_add(&list, "big", HK_DT_U64, 1, &four, big, &err));
    assert_ok(hk_array_to_f32(hk_arrays_find(&list, "half"), f, 4, &err));
    assert_true(f[0] == 1 && f[1] == -2 && f[2] == 0x1p-24f && f[3] == 65504);
    assert_ok(hk_array_to_f32(hk_arrays_find(&list, "bf"), f, 4, &err));
    assert_true(f[0] == 1 && f[1] == -2 && f[2] == 0);
    const hk_array *r = hk_arrays_find(&list, "real"), *b = hk_arrays_find(&list, "big");
    assert_refused(hk_array_to_f32(r, f, 3, &err), HK_E_SHAPE, "'real' has 4");
    assert_refused(hk_array_to_i64(r, i64, 4, &err), HK_E_FORMAT, "element 3 is 0.5");
    assert_true(i64[0] == 1 && i64[1] == -3 && i64[2] == 10000000000);
    assert_refused(hk_array_to_i32(r, i32, 4, &err), HK_E_FORMAT, "element 2");
    assert_refused(hk_array_to_i64(b, i64, 4, &err), HK_E_FORMAT, "element 3");
    assert_true(i64[2] == INT64_MAX);
    assert_ok(hk_array_to_f32(b, f, 4, &err));
    assert_true(f[3] == 0x1p64f);
    hk_arrays_clear(&list);
    assert_int_equal(hk_alloc_counts().live, 0);
}

static size_t gzip(const void *p, size_t n, char *out, size_t cap)
{
    z_stream z = { 0 };
    deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (z_const Bytef *)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return cap - z.avail_out;
}

static void gz(void **state)
{
    static char plain[100000], f[4096];
    hk_error err;
    void *p;
    size_t m;
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (char)(i / 1000);
    size_t n = gzip(plain, sizeof plain, f, sizeof f), one = n;
    torture(read_gz, "a.gz", f, n);
    assert_refused(hk_gunzip(f, n, "g", sizeof plain - 1, &p, &m, &err), HK_E_FORMAT, "limit");
    n += gzip("tail", 4, f + n, sizeof f - n);               /* two members, then padding */
    memset(f + n, 0, 100);
    assert_ok(hk_file_write("p.gz", f, n + 100, &err));
    assert_ok(hk_file_read_maybe_gz("p.gz", sizeof plain + 4, &p, &m, &err));
    assert_int_equal(m, sizeof plain + 4);
    assert_memory_equal(p, plain, sizeof plain);
    assert_string_equal((char *)p + sizeof plain, "tail");   /* terminated */
    hk_free(p);
    f[n] = 7;
    assert_refused(read_gz(f, n + 100, &err), HK_E_FORMAT, "neither");
    f[one - 8] ^= 1;
    assert_refused(read_gz(f, n, &err), HK_E_FORMAT, "incorrect data check");
    n = gzip("", 0, f, sizeof f);
    torture(read_gz, "a.gz", f, n);
    assert_ok(hk_file_read_maybe_gz("p.gz", 0, &p, &m, &err));
    hk_free(p);
    assert_ok(hk_file_write("plain", "ab", 2, &err));
    assert_ok(hk_file_read_maybe_gz("plain", 2, &p, &m, &err));
    assert_string_equal(p, "ab");
    hk_free(p);
    assert_refused(hk_file_read_maybe_gz("plain", 1, &p, &m, &err), HK_E_FORMAT, "plain");
}

/* ---- safetensors ---------------------------------------------------------------------------- */

/* A file with this header and this much data. */
static size_t st_file(char *out, const char *header, size_t data)
{
    size_t n = strlen(header);
    memset(out, 0, 8);
    out[0] = (char)(n & 255);
    out[1] = (char)(n >> 8);
    memcpy(out + 8, header, n);
    memset(out + 8 + n, 1, data);
    return 8 + n + data;
}

#define TENSOR(type, shape, begin, end)                                                            \
    "{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

static void safetensors_bad(void **state)
{
    static const struct { const char *header; hk_status code; const char *text; } bad[] = {
        { "", HK_E_FORMAT, "must begin with '{'" },
        { " {}", HK_E_FORMAT, "must begin with '{'" },
        { "{]", HK_E_FORMAT, "header at byte" },
        { "{} x", HK_E_FORMAT, "header at byte" },
        { "{}", HK_E_FORMAT, "cover 0 bytes, the data block has 8" },
        { "{\"a\":3}", HK_E_FORMAT, "tensor 'a'" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}", HK_E_FORMAT, "data_offsets" },
        { "{\"a\":" TENSOR("U8", "8", 0, 8) ",\"a\":" TENSOR("U8", "8", 0, 8) "}", HK_E_FORMAT,
          "duplicate" },
        { "{\"a\":" TENSOR("U8", "8", 0, 9) "}", HK_E_FORMAT, "block of 8" },
        { "{\"a\":" TENSOR("U8", "1", 3, 2) "}", HK_E_FORMAT, "in order" },
        { "{\"a\":" TENSOR("U8", "8", -1, 7) "}", HK_E_FORMAT, "data_offsets[0]" },
        { "{\"a\":" TENSOR("U8", "8", 0, 99999999999999999999) "}", HK_E_FORMAT, "integer" },
        { "{\"a\":" TENSOR("U8", "4", 0, 8) "}", HK_E_FORMAT, "span 8 bytes" },
        { "{\"a\":" TENSOR("U8", "4611686018427387905, 4", 0, 4) "}", HK_E_FORMAT, "fit" },
        { "{\"a\":" TENSOR("U8", "2.0", 0, 2) "}", HK_E_FORMAT, "shape[0]" },
        { "{\"a\":" TENSOR("U8", "1,1,1,1,1,1,1,1,1", 0, 1) "}", HK_E_UNSUP, "9 dimensions" },
        { "{\"a\":" TENSOR("F8_E4M3", "8", 0, 8) "}", HK_E_UNSUP, "F8_E4M3" },
        { "{\"a\":" TENSOR("U8", "4", 0, 4) ",\"b\":" TENSOR("U8", "3", 5, 8) "}", HK_E_FORMAT,
          "tensor 'b': begins at 5, expected 4: a hole" },
        { "{\"b\":" TENSOR("U8", "5", 3, 8) ",\"a\":" TENSOR("U8", "4", 0, 4) "}", HK_E_FORMAT,
          "tensor 'b': begins at 3, expected 4: it overlaps" },
        { "{\"a\":" TENSOR("U8", "7", 0, 7) "}", HK_E_FORMAT, "cover 7 bytes" },
        { "{\"__metadata__\":{\"k\":1},\"a\":" TENSOR("U8", "8", 0, 8) "}", HK_E_FORMAT, "'k'" },
        { "{\"__metadata__\":[],\"a\":" TENSOR("U8", "8", 0, 8) "}", HK_E_FORMAT, "__metadata__" },
    };
    char f[512];
    hk_error err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = st_file(f, bad[i].header, 8);
        assert_refused(read_st(f, n, &err), bad[i].code, bad[i].text);
        assert_non_null(strstr(err.text, "a.st"));
    }
    memset(f, 255, sizeof f);
    assert_refused(read_st(f, sizeof f, &err), HK_E_FORMAT, "expected at most 100000000");
    size_t n = st_file(f, "{\"a\":" TENSOR("F64", "", 0, 8) ",\"e\":" TENSOR("U8", "0", 0, 0) "}  ",
                       8);
    torture(read_st, "a.st", f, n);
}

static void safetensors(void **state)
{
    hk_arrays list = { 0 }, back = { 0 };
    hk_meta meta = { 0 }, map = { 0 };
    hk_error err;
    (void)state;
    sample(&list, true);
    assert_ok(hk_meta_set(&meta, "rule", "bptt", &err));
    assert_ok(hk_meta_set(&meta, "dt_ms", "1", &err));
    assert_ok(hk_meta_set(&meta, "rule", "eprop \"x\"", &err));
    torture_write(hk_safetensors_write("s.st", &list, &meta, &err));
    assert_ok(hk_safetensors_read("s.st", 0, &back, &map, &err));
    assert_same(&list, &back);
    for (int i = 1; i < back.n; i++) {
        const hk_array *x = &back.at[i - 1], *y = &back.at[i];
        size_t wx = hk_dtype_width(x->dtype), wy = hk_dtype_width(y->dtype);
        assert_true(wx > wy || (wx == wy && (strcmp(x->name, y->name) < 0 || y->bytes == 0 ||
                                             x->bytes == 0)));
    }
    assert_int_equal(map.n, 2);
    assert_string_equal(hk_meta_get(&map, "rule"), "eprop \"x\"");
    assert_string_equal(hk_meta_get(&map, "dt_ms"), "1");
    assert_null(hk_meta_get(&map, "dt"));
    assert_refused(hk_safetensors_read("s.st", 100, &back, NULL, &err), HK_E_FORMAT, "s.st");
    torture_file(read_st, "a.st", "s.st");

    void *p;
    size_t n;
    assert_ok(hk_file_read("s.st", 0, &p, &n, &err));
    assert_int_equal(((unsigned char *)p)[0] % 8, 0);
    hk_free(p);
    assert_ok(hk_meta_set(&meta, "bad", "\xff", &err));
    assert_refused(hk_safetensors_write("s.st", &list, &meta, &err), HK_E_ARG, "'bad'");
    assert_ok(hk_arrays_add(&list, "__metadata__", HK_DT_U8, 0, NULL, NULL, &err));
    assert_refused(hk_safetensors_write("s.st", &list, NULL, &err), HK_E_ARG, "reserved");
    torture_file(read_st, "a.st", "s.st");                   /* still the first one */
    hk_arrays_clear(&list);
    hk_arrays_clear(&back);
    hk_meta_clear(&meta);
    hk_meta_clear(&map);
    assert_int_equal(hk_alloc_counts().live, 0);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void assert_holds(const char *path, const char *text)
{
    void *p;
    size_t n;
    hk_error err;
    assert_ok(hk_file_read(path, strlen(text), &p, &n, &err));
    assert_string_equal(p, text);
    hk_free(p);
}

static void files(void **state)
{
    static char big[200000];
    hk_error err;
    hk_arrays list = { 0 };
    void *p;
    size_t n;
    struct stat st;
    (void)state;
    sample(&list, false);
    assert_refused(hk_file_write("/dev/full", "x", 1, &err), HK_E_IO, "/dev/full: cannot write");
    assert_refused(hk_npz_write("/dev/full", &list, &err), HK_E_IO, "/dev/full: cannot write");
    assert_refused(hk_npy_write("/dev/full", list.at, &err), HK_E_IO, "/dev/full");
    assert_refused(hk_safetensors_write("/dev/full", &list, NULL, &err), HK_E_IO, "/dev/full");
    assert_ok(hk_file_write("/dev/null", "x", 1, &err));
    assert_refused(hk_file_write("no/such", "x", 1, &err), HK_E_IO, "no/such");
    assert_refused(hk_file_write(".", "x", 1, &err), HK_E_IO, "folder");
    assert_refused(hk_file_write("", "x", 1, &err), HK_E_IO, "empty");
    assert_refused(hk_file_read("none", 0, &p, &n, &err), HK_E_IO, "none: cannot open");
    assert_refused(hk_file_read(".", 0, &p, &n, &err), HK_E_IO, ".: cannot read");

    assert_ok(hk_mkdirs("d/e//f/", &err));
    assert_ok(hk_mkdirs("d/e", &err));
    assert_true(hk_file_exists("d/e/f"));
    assert_ok(hk_file_write("d/old", "old", 3, &err));
    assert_refused(hk_mkdirs("d/old/x", &err), HK_E_IO, "d/old: exists and is not a folder");
    assert_refused(hk_file_read("d/old", 2, &p, &n, &err), HK_E_FORMAT, "limit is 2");

    /* A device that fills up half way leaves the old file and nothing else. */
    struct rlimit limit, small;
    int before = files_here();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    hk_status s = hk_file_write("d/old", big, sizeof big, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(s, HK_E_IO);
    assert_non_null(strstr(err.text, "d/old: cannot write at byte 100000"));
    assert_holds("d/old", "old");
    assert_int_equal(chdir("d"), 0);
    assert_int_equal(files_here(), 2);

    /* A link stays a link, permissions stay, and an abandoned writer leaves no trace. */
    assert_int_equal(symlink("old", "link"), 0);
    assert_int_equal(chmod("old", 0600), 0);
    assert_ok(hk_file_write("link", "new", 3, &err));
    assert_holds("old", "new");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("old", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    hk_writer w;
    assert_ok(hk_writer_open(&w, "old", &err));
    assert_ok(hk_writer_put(&w, "lost", 4, &err));
    hk_writer_abort(&w);
    hk_writer_abort(&w);
    assert_holds("old", "new");
    assert_int_equal(files_here(), 3);
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(files_here(), before);
    torture_write(hk_file_write("fresh", "x", 1, &err));
    hk_arrays_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),           cmocka_unit_test(arrays),
        cmocka_unit_test(gz),              cmocka_unit_test(safetensors_bad),
        cmocka_unit_test(safetensors),     cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
