/* NumPy files: what is written reads back equal, and whatever is broken is refused with a message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "io_test.h"

#include "../../host/io/npz.h"

#include <archive.h>
#include <archive_entry.h>

static hk_status read_npz(const void *p, size_t n, hk_error *err)
{
    hk_arrays list = { 0 };
    hk_status s = hk_npz_parse(p, n, "a.npz", 0, &list, err);
    hk_arrays_clear(&list);
    return s;
}

static hk_status read_npy(const void *p, size_t n, hk_error *err)
{
    hk_array a = { 0 };
    hk_status s = hk_npy_parse(p, n, "a.npy", 0, &a, err);
    hk_array_clear(&a);
    return s;
}

/* A zip with this one member, packed by libarchive. */
static size_t zip(const char *member, const void *p, size_t n, bool deflate, char *out, size_t cap)
{
    size_t used = 0;
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    archive_write_set_format_zip(a);
    if (deflate) archive_write_zip_set_compression_deflate(a);
    else         archive_write_zip_set_compression_store(a);
    archive_write_set_bytes_in_last_block(a, 1);
    archive_write_open_memory(a, out, cap, &used);
    archive_entry_set_pathname(e, member);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, (la_int64_t)n);
    for (int i = 0; i < (strcmp(member, "twice.npy") ? 1 : 2); i++) {
        archive_write_header(a, e);
        archive_write_data(a, p, n);
    }
    archive_entry_free(e);
    archive_write_free(a);
    return used;
}

static void npz(void **state)
{
    hk_arrays list = { 0 }, back = { 0 }, none = { 0 };
    hk_error err;
    char z[4096], npy[1128] = "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, "
                              "'shape': (1000,), }";
    (void)state;
    memset(npy + strlen(npy + 10) + 10, ' ', 117 - strlen(npy + 10));
    npy[127] = '\n';
    sample(&list, false);
    torture_write(hk_npz_write("s.npz", &list, &err));
    assert_ok(hk_npz_read("s.npz", 0, &back, &err));
    assert_same(&list, &back);
    hk_arrays_clear(&back);
    assert_refused(hk_npz_read("s.npz", 20, &back, &err), HK_E_FORMAT, "limit");
    assert_refused(hk_npz_read("missing.npz", 0, &back, &err), HK_E_IO, "missing.npz");
    assert_refused(hk_npz_read(".", 0, &back, &err), HK_E_IO, "regular");
    torture_file(read_npz, "a.npz", "s.npz");
    hk_arrays_clear(&list);

    assert_ok(hk_npz_write("none.npz", &none, &err));
    assert_ok(hk_npz_read("none.npz", 0, &back, &err));
    assert_int_equal(back.n, 0);
    torture_file(read_npz, "a.npz", "none.npz");

    size_t n = zip("d.npy", npy, sizeof npy, true, z, sizeof z);
    assert_true(n < 500);
    torture(read_npz, "a.npz", z, n);
    n = zip("d.txt", npy, sizeof npy, true, z, sizeof z);
    assert_refused(read_npz(z, n, &err), HK_E_FORMAT, "member 'd.txt'");
    n = zip("twice.npy", npy, sizeof npy, true, z, sizeof z);
    assert_refused(read_npz(z, n, &err), HK_E_FORMAT, "twice");
    n = zip("short.npy", npy, sizeof npy - 1, true, z, sizeof z);
    assert_refused(read_npz(z, n, &err), HK_E_FORMAT, "member 'short.npy': truncated");
    n = zip("d.npy", npy, sizeof npy, false, z, sizeof z);
    z[n / 2] ^= 1;
    assert_refused(read_npz(z, n, &err), HK_E_FORMAT, "CRC");

    assert_ok(hk_arrays_add(&list, "b", HK_DT_BF16, 0, NULL, NULL, &err));
    assert_refused(hk_npz_write("b.npz", &list, &err), HK_E_UNSUP, "BF16");
    assert_false(hk_file_exists("b.npz"));
    hk_arrays_clear(&list);
}

/* A .npy of this version, dictionary and amount of data. */
static size_t npy_file(char *out, int version, const char *dict, size_t data)
{
    size_t base = version == 1 ? 10 : 12, n = strlen(dict);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (char)version;
    out[7] = 0;
    memset(out + 8, 0, 4);
    out[8] = (char)n;
    memcpy(out + base, dict, n);
    for (size_t i = 0; i < data; i++) out[base + n + i] = (char)i;
    return base + n + data;
}

static void npy(void **state)
{
    static const struct { const char *dict; hk_status code; const char *text; } bad[] = {
        { "", HK_E_FORMAT, "ends at byte 10" },
        { "{'descr': '|u1', 'fortran_order': False}", HK_E_FORMAT, "lacks the key 'shape'" },
        { "{'descr': '|u1', 'descr': '|u1'}", HK_E_FORMAT, "'descr' twice" },
        { "{'colour': 1}", HK_E_FORMAT, "unknown key 'colour'" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': ()}", HK_E_UNSUP, "Python objects" },
        { "{'descr': '>f4', 'fortran_order': False, 'shape': ()}", HK_E_UNSUP, "big-endian" },
        { "{'descr': '<U5', 'fortran_order': False, 'shape': ()}", HK_E_UNSUP, "'<U5'" },
        { "{'descr': [('x', '<f4')], 'shape': ()}", HK_E_UNSUP, "structured" },
        { "{'descr': '<f4', 'fortran_order': Maybe}", HK_E_FORMAT, "True or False" },
        { "{'descr': '<f4', 'shape': (3)}", HK_E_FORMAT, "','" },
        { "{'descr': '<f4', 'shape': (-3,)}", HK_E_FORMAT, "found '-'" },
        { "{'descr': '<f4', 'shape': (1,1,1,1,1,1,1,1,1)}", HK_E_UNSUP, "dimensions" },
        { "{'descr': '<f4', 'shape': (99999999999999999999,)}", HK_E_FORMAT, "63 bits" },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387905,4)}",
          HK_E_FORMAT, "fit" },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (99,)}", HK_E_FORMAT, "truncated" },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", HK_E_FORMAT, "left over" },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} x", HK_E_FORMAT, "found 'x'" },
    };
    char f[512];
    hk_error err;
    hk_array a;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = npy_file(f, 1, bad[i].dict, 6);
        assert_refused(read_npy(f, n, &err), bad[i].code, bad[i].text);
        assert_non_null(strstr(err.text, "a.npy"));
    }
    for (int version = 1; version <= 3; version++) {
        size_t n = npy_file(f, version, "{\"shape\":(2, 3L), 'fortran_order': True , "
                            "'descr':'|u1',}   \n", 6);
        assert_ok(hk_npy_parse(f, n, "x/turn.npy", 0, &a, &err));
        assert_string_equal(a.name, "turn");
        assert_memory_equal(a.data, "\0\2\4\1\3\5", 6);
        hk_array_clear(&a);
        torture(read_npy, "a.npy", f, n);
    }
    size_t n = npy_file(f, 4, "{}", 6);
    assert_refused(read_npy(f, n, &err), HK_E_FORMAT, "version 4.0");
    hk_arrays list = { 0 };
    sample(&list, false);
    for (int i = 0; i < list.n; i++) {
        assert_ok(hk_npy_write("one.npy", &list.at[i], &err));
        assert_ok(hk_npy_read("one.npy", list.at[i].bytes, &a, &err));
        assert_int_equal(a.bytes, list.at[i].bytes);
        assert_memory_equal(a.data, list.at[i].data, a.bytes);
        hk_array_clear(&a);
    }
    torture_write(hk_npy_write("two.npy", &list.at[0], &err));
    hk_arrays_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(npz), cmocka_unit_test(npy) };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
