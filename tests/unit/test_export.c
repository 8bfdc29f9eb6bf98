/* What writers make of a profile that is made up: names that no program would have, and numbers beyond what formats like. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <zlib.h>

#include "escape.h"
#include "export.h"
#include "flame.h"
#include "gzip.h"
#include "marshal.h"
#include "names.h"
#include "path.h"
#include "protobuf.h"
#include "version.h"
#include "weight.h"

/* ---- a profile: main calls a function of a hostile name, and that one itself; a second thread calls it, too ---- */

#define HOSTILE "a;b\n\"<&\\\xff\x01 12"
enum { SITES = 4, NODES = 5 };

static struct profile_site site[SITES];
static struct profile_node node[NODES + 1];
static struct profile_pair pair[4];
static struct profile_thread thread[2];
static const struct export_process process[2] = {{.pid = 41, .command = "app"}, {.pid = 42, .command = "app"}};

static struct profile_site made_site(uint32_t id, char *name, char *file, uint32_t line)
{
    return (struct profile_site){.id = id, .name = name, .qualname = name, .module = "m", .file = file, .line = line, .kind = SITE_FUNCTION};
}

static struct profile_times made_times(uint64_t calls, uint64_t inclusive, uint64_t exclusive)
{
    return (struct profile_times){.calls = calls, .primitive_calls = calls, .inclusive = inclusive, .exclusive = exclusive,
                                  .off_inclusive = inclusive / 2, .off_exclusive = exclusive / 2};
}

static void fill_nodes(void)
{
    node[1] = (struct profile_node){.site = 1, .t = made_times(1, 100, 40), .first_child = 2};
    node[2] = (struct profile_node){.site = 3, .t = made_times(7, 60, 50), .parent = 1, .first_child = 3};
    node[3] = (struct profile_node){.site = 3, .t = made_times(2, 10, 10), .parent = 2};
    node[4] = (struct profile_node){.other = true, .t = made_times(0, 33, 3), .first_child = 5};
    node[5] = (struct profile_node){.site = 3, .t = made_times(3000000000, 30, 30), .parent = 4};
}

static struct profile made_profile(void)
{
    site[0] = made_site(1, "main", "/x/a.py", 1);
    site[1] = made_site(2, "never", "/x/a.py", 9);
    site[2] = made_site(3, HOSTILE, "/x/b,.py", 5);
    site[3] = made_site(9, "main", "/y/a.py", 1);
    site[0].t = made_times(1, 100, 40);
    site[2].t = made_times(3000000009, 90, 90);
    fill_nodes();
    pair[0] = (struct profile_pair){0, 1, made_times(1, 100, 40)};
    pair[1] = (struct profile_pair){0, 3, made_times(3000000000, 30, 30)};
    pair[2] = (struct profile_pair){1, 3, made_times(7, 60, 50)};
    pair[3] = (struct profile_pair){3, 3, made_times(2, 10, 10)};
    thread[0] = (struct profile_thread){.process = 0, .tid = 51, .name = "work;er", .first_root = 1};
    thread[1] = (struct profile_thread){.process = 1, .tid = 52, .name = "", .first_root = 4};
    return (struct profile){.site = site, .sites = SITES, .pair = pair, .pairs = 4, .node = node, .nodes = NODES, .thread = thread, .threads = 2};
}

static struct export made_export(const struct profile *p)
{
    return (struct export){.profile = p, .process = process, .processes = 1, .scale = {.ns_per_tick = 1}, .cpu = true};
}

/* What it writes, to be freed. */
static char *written(export_writer *write, const struct export *e, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    cr_assert(write(e, out));
    cr_assert_eq(fclose(out), 0);
    return text;
}

static void expect_text(export_writer *write, const struct export *e, const char *expected)
{
    size_t size;
    char *text = written(write, e, &size);
    cr_expect_str_eq(text, expected);
    free(text);
}

/* ---- files ---- */

Test(export, folded)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    e.processes = 2;
#define FRAME "m.a\\x3bb\\x0a\"<&\\\\\\xff\\x01\\x2012"
#define FIRST "process 41, work\\x3ber (tid 51);m.main (a.py:1) #1"
    expect_text(export_folded, &e,
                FIRST " 40\n" FIRST ";" FRAME " 50\n" FIRST ";" FRAME ";" FRAME " 10\n"
                      "process 42, (no name) (tid 52);(other paths) 3\n"
                      "process 42, (no name) (tid 52);(other paths);" FRAME " 30\n");
    e.metric = EXPORT_CALLS;
    expect_text(export_folded, &e,
                FIRST " 1\n" FIRST ";" FRAME " 7\n" FIRST ";" FRAME ";" FRAME " 2\n"
                      "process 42, (no name) (tid 52);(other paths);" FRAME " 3000000000\n");
}

Test(export, callgrind)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
#define NAME "a;b\\x0a\"<&\\\\\\xff\\x01 12"
    e.cpu = false;
    expect_text(export_callgrind, &e,
                "# callgrind format\nversion: 1\ncreator: tscap " TSCAP_VERSION "\npid: 41\ncmd: app\npositions: line\n"
                "event: Wall : wall-clock time (ns)\nevents: Wall\n"
                "\nfl=(4) ?" "??\nfn=(1) (not recorded)\ncfi=(1) /x/a.py\ncfn=(2) main\ncalls=1 1\n0 100\n"
                "cfi=(2) /x/b,.py\ncfn=(4) " NAME "\ncalls=3000000000 5\n0 30\n"
                "\nfl=(1)\nfn=(2)\n1 40\ncfi=(2)\ncfn=(4)\ncalls=7 5\n1 60\n"
                "\nfl=(2)\nfn=(4)\n5 90\ncfi=(2)\ncfn=(4)\ncalls=2 5\n5 10\n"
                "\ntotals: 130\n");
}

Test(export, csv)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    site[0].qualname = "=cmd|' '!A0";
    p.sites = 1;
    expect_text(export_csv, &e,
                "name,qualname,module,file,line,track,kind,calls,primitive_calls,open,raised,suspended,inclusive_ns,exclusive_ns,cpu_ns,"
                "exclusive_cpu_ns,cpu_unknown_ns,exclusive_cpu_unknown_ns,waited_ns,elapsed_ns,bytes,processes,ended,min_ns,max_ns,p50_ns,p95_ns,p99_ns,"
                "stddev_ns,elapsed_min_ns,elapsed_max_ns,elapsed_p50_ns,elapsed_p95_ns,elapsed_p99_ns\r\n"
                "\"main\",\"'=cmd|' '!A0\",\"m\",\"/x/a.py\",1,0,function,1,1,0,0,0,100,40,50,20,0,0,0,0,0,0,0,,,,,,,,,,,\r\n");
}

/* What is in quotes may have anything but a single quote. */
Test(export, names_in_csv)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    size_t size;
    char *text = written(export_csv, &e, &size);
    cr_expect_not_null(strstr(text, "\"a;b\n\"\"<&\\\xef\xbf\xbd\x01 12\",\"a;b"));
    cr_expect_not_null(strstr(text, ",\"m\",\"/x/b,.py\",5,"));
    free(text);
}

Test(export, speedscope_has_valid_strings_and_indices)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    size_t size;
    char *text = written(export_speedscope, &e, &size);
    cr_expect_not_null(strstr(text, "\"m.a;b\\n\\\"<&\\\\\\udcff\\u0001 12\""));
    cr_expect_not_null(strstr(text, "\"samples\": [[0], [0,2], [0,2,2]], \"weights\": [40, 50, 10], \"endValue\": 100"));
    cr_expect_not_null(strstr(text, "\"samples\": [[4], [4,2]], \"weights\": [3, 30], \"endValue\": 33"));
    free(text);
}

Test(export, names_in_svg)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    size_t size;
    char *text = written(export_svg, &e, &size);
    cr_expect_not_null(strstr(text, "<title>m.a;b\xef\xbf\xbd&#34;&#60;&#38;\\\xef\xbf\xbd\xef\xbf\xbd 12\n/x/b,.py:5\n"));
    cr_expect_not_null(strstr(text, "data-total=\"133\""));
    free(text);
}

/* Beyond 31 bits: 'l', digits of 15 bits. */
Test(export, pstats_has_large_counts)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    static const char count[] = "l\3\0\0\0\x09\x5e\xa0\x65\2\0"; /* 3000000009 */
    size_t size;
    char *bytes = written(export_pstats, &e, &size);
    cr_expect_not_null(memmem(bytes, size, count, sizeof count - 1));
    cr_expect_eq(bytes[0], '{');
    cr_expect_eq(bytes[size - 1], '0');
    free(bytes);
}

static size_t inflate_all(const char *bytes, size_t size, unsigned char *to, size_t room)
{
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (uInt)size, .next_out = to, .avail_out = (uInt)room};
    cr_assert_eq(inflateInit2(&z, 15 + 16), Z_OK);
    cr_assert_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    cr_assert_eq(z.avail_in, 0);
    inflateEnd(&z);
    return room - z.avail_out;
}

Test(export, pprof_paths_are_innermost_first)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    static const unsigned char sample[] = {0x0a, 3, 3, 3, 1, 0x12, 3, 2, 10, 5}; /* sites 3, 3, 1; calls, wall, cpu */
    unsigned char plain[4096];
    size_t size;
    char *bytes = written(export_pprof, &e, &size);
    size_t used = inflate_all(bytes, size, plain, sizeof plain);
    cr_expect_not_null(memmem(plain, used, sample, sizeof sample));
    cr_expect_not_null(memmem(plain, used, "m.a;b\n\"<&\\\xef\xbf\xbd\x01 12", 17));
    free(bytes);
}

/* In every format, at any length; what is shown of them is cut at a character. */
Test(export, long_names)
{
    static export_writer *const all[] = {export_csv, export_folded, export_speedscope, export_pstats, export_callgrind, export_pprof, export_svg};
    static char name[65536 + 3];
    struct profile p = made_profile();
    struct export e = made_export(&p);
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    site[2].name = site[2].qualname = name;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t size;
        char *bytes = written(all[i], &e, &size);
        cr_expect(export_pprof == all[i] || memmem(bytes, size, name, 65536));
        cr_expect_null(memmem(bytes, size, "\xef\xbf\xbd", 3), "nothing in them is invalid");
        free(bytes);
    }
}

/* ---- what they stand on ---- */

Test(export, rounded_series_sum_to_the_rounded_sum)
{
    struct export e = {.scale = {.ns_per_tick = 0.4}};
    struct weights w = weights_begin(&e, EXPORT_WALL);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t weight = weights_next(&w, 1);
        cr_assert_leq(weight, 1);
        sum += weight;
    }
    cr_expect_eq(sum, 400);
    w = weights_begin(&e, EXPORT_CALLS);
    cr_expect_eq(weights_next(&w, 7), 7);
}

static void expect_names(const struct profile *p, enum names_scope scope, const char *const *expected)
{
    char **names = names_make(p, scope);
    cr_assert_not_null(names);
    for (uint32_t i = 0; i < p->sites; i++)
        cr_expect_str_eq(names[i], expected[i]);
    names_free(names, p);
}

Test(export, no_two_functions_are_called_alike)
{
    struct profile_site s[] = {made_site(1, "f", "/x/a.py", 1), made_site(2, "f", "/x/a.py", 2), made_site(3, "f", "/y/b.py", 1),
                               made_site(4, "f", "/x/a.py", 1), made_site(5, "g", "/x/a.py", 3), made_site(6, "f (a.py:2)", "/x/a.py", 1)};
    struct profile p = {.site = s, .sites = 6};
    expect_names(&p, NAMES_IN_ALL, (const char *const[]){"m.f (a.py:1) #1", "m.f (a.py:2) #2", "m.f (b.py:1)", "m.f (a.py:1) #4", "m.g", "m.f (a.py:2) #6"});
    expect_names(&p, NAMES_IN_FILE, (const char *const[]){"f (a.py:1) #1", "f (a.py:2) #2", "f", "f (a.py:1) #4", "g", "f (a.py:2) #6"});
    expect_names(&p, NAMES_IN_LINE, (const char *const[]){"f #1", "f", "f", "f #4", "g", "f (a.py:2)"});
}

/* Names that look as if they had been told apart already. */
Test(export, no_name_is_like_one_that_was_made_longer)
{
    struct profile_site s[] = {made_site(1, "f", "a.py", 1), made_site(2, "f", "a.py", 1), made_site(3, "f #1", "a.py", 1),
                               made_site(4, "f #1 #3", "a.py", 1), made_site(5, "#6", "a.py", 1), made_site(6, "g #", "a.py", 1)};
    struct profile p = {.site = s, .sites = 6};
    expect_names(&p, NAMES_IN_LINE, (const char *const[]){"f #1", "f #2", "f #1 #3", "f #1 #3 #4", "#6", "g #"});
}

Test(export, a_chosen_name_goes_before_a_qualified_one)
{
    struct profile_site s = made_site(1, "query", "a.py", 1);
    s.qualname = "Class.run";
    cr_expect_str_eq(names_plain(&s), "query");
    s.name = "run";
    cr_expect_str_eq(names_plain(&s), "Class.run");
    s.qualname = "";
    cr_expect_str_eq(names_plain(&s), "run");
}

Test(export, paths_grow_and_shrink)
{
    struct path path = path_begin(';');
    static const struct {
        unsigned depth;
        const char *frame, *text;
    } steps[] = {{0, "a", "a"}, {1, "b", "a;b"}, {2, "c", "a;b;c"}, {1, "", "a;"}, {2, "d", "a;;d"}, {0, "e", "e"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        cr_assert(path_set(&path, steps[i].depth, steps[i].frame));
        cr_expect_eq(path.used, strlen(steps[i].text));
        cr_expect_arr_eq(path.text, steps[i].text, path.used);
    }
    path_free(&path);
}

Test(export, no_invalid_utf8_comes_out)
{
    static const char *const cases[][2] = {{"\xff", "\xef\xbf\xbd"}, {"a\xc3", "a\xef\xbf\xbd"}, {"\xed\xa0\x80", "\xef\xbf\xbd"}, {"a\xc0\x80" "b", "a\xef\xbf\xbd" "b"},
                                           {"\xef\xbf\xbf", "\xef\xbf\xbf"}, {"\xc3\xa9", "\xc3\xa9"}, {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *valid = escape_invalid(cases[i][0]);
        cr_expect_str_eq(valid, cases[i][1]);
        free(valid);
    }
}

Test(export, protobuf_numbers)
{
    static const unsigned char expected[] = {0x08, 0x96, 0x01, 0x12, 0x02, 'h', 'i', 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    struct protobuf p = {0};
    protobuf_number(&p, 1, 150);
    protobuf_bytes(&p, 2, "hi", 2);
    protobuf_number(&p, 9, 0);
    protobuf_number(&p, 3, UINT64_MAX);
    cr_assert_eq(p.used, sizeof expected);
    cr_expect_arr_eq(p.bytes, expected, sizeof expected);
    protobuf_free(&p);
}

/* More than fits into any buffer, and nothing at all. */
Test(export, gzip)
{
    enum { SIZE = 300000 };
    static unsigned char from[SIZE], to[SIZE + 1];
    for (size_t size = 0; size <= SIZE; size += SIZE) {
        struct gzip z;
        char *bytes = NULL;
        size_t written_size;
        FILE *out = open_memstream(&bytes, &written_size);
        for (size_t i = 0; i < size; i++)
            from[i] = (unsigned char)(i * i >> 7);
        cr_assert(gzip_begin(&z, out));
        gzip_write(&z, from, size);
        gzip_end(&z);
        fclose(out);
        cr_expect_eq(inflate_all(bytes, written_size, to, sizeof to), size);
        cr_expect_arr_eq(to, from, size);
        free(bytes);
    }
}

/* ---- flame graphs ---- */

static void expect_box(const struct flame_box *b, enum flame_kind kind, uint32_t what, unsigned depth, uint64_t from, uint64_t value, uint64_t own)
{
    cr_expect_eq(b->kind, kind);
    cr_expect_eq(b->what, what);
    cr_expect_eq(b->depth, depth);
    cr_expect_eq(b->from, from);
    cr_expect_eq(b->value, value);
    cr_expect_eq(b->own, own);
}

Test(export, flame)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    struct flame f;
    cr_assert(flame_make(&f, &e, 1000));
    cr_assert_eq(f.count, 8);
    cr_expect_eq(f.depths, 5);
    expect_box(&f.box[0], FLAME_ALL, 0, 0, 0, 133, 0);
    expect_box(&f.box[1], FLAME_THREAD, 0, 1, 0, 100, 0);
    expect_box(&f.box[2], FLAME_FUNCTION, 0, 2, 0, 100, 40);
    expect_box(&f.box[3], FLAME_FUNCTION, 2, 3, 0, 60, 50);
    expect_box(&f.box[4], FLAME_FUNCTION, 2, 4, 0, 10, 10);
    expect_box(&f.box[5], FLAME_THREAD, 1, 1, 100, 33, 0);
    expect_box(&f.box[6], FLAME_FUNCTION, SITES, 2, 100, 33, 3);
    expect_box(&f.box[7], FLAME_FUNCTION, 2, 3, 100, 30, 30);
    flame_free(&f);
}

/* A part in three of 133 is 45: the second thread and what is deepest are narrower. */
Test(export, narrow_boxes_are_merged_and_drawn_if_they_are_wide_together)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    struct profile_thread three[] = {thread[0], thread[1], thread[1]};
    struct flame f;
    cr_assert(flame_make(&f, &e, 3));
    cr_expect_eq(f.count, 4);
    flame_free(&f);
    p.thread = three;
    p.threads = 3;
    cr_assert(flame_make(&f, &e, 3)); /* of 166: 56 */
    cr_assert_eq(f.count, 5);
    expect_box(&f.box[4], FLAME_SMALL, 2, 1, 100, 66, 0);
    flame_free(&f);
}

Test(export, flame_inverted)
{
    struct profile p = made_profile();
    struct export e = made_export(&p);
    struct flame f;
    uint64_t row[8] = {0}, own = 0;
    cr_assert(flame_make_inverted(&f, &e, 1000));
    for (size_t i = 0; i < f.count; i++) {
        row[f.box[i].depth] += f.box[i].value;
        own += f.box[i].own;
    }
    cr_expect_eq(row[0], 133);
    cr_expect_eq(row[1], 133);
    cr_expect_eq(row[2], 133, "each has a caller, or a thread");
    cr_expect_eq(row[3], 133 - 40 - 3, "and those that were not at a thread then");
    cr_expect_eq(own, 133);
    expect_box(&f.box[1], FLAME_FUNCTION, 2, 1, 0, 90, 90);
    expect_box(&f.box[2], FLAME_FUNCTION, 0, 1, 90, 40, 40);
    flame_free(&f);
}

Test(export, of_nothing)
{
    static export_writer *const all[] = {export_csv, export_folded, export_speedscope, export_pstats, export_callgrind, export_pprof, export_svg};
    struct profile p = {.sites = 0};
    struct profile_node none = {0};
    struct export e = made_export(&p);
    p.node = &none;
    for (size_t i = 0; i < 2 * sizeof all / sizeof *all; i++) {
        size_t size;
        e.invert = i % 2;
        free(written(all[i / 2], &e, &size));
    }
}
