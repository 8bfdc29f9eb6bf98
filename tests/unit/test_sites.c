#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/segments.h"
#include "support.h"

enum { CAPACITY = 16 << 20, LITTLE = 1 << 20 };

static struct test_segment b;

static void begin_with(uint64_t capacity)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    cr_assert_eq(segment_begin(&b, capacity, &o), 0);
    cr_assert_not_null(b.sites);
}

static void begin(void) { begin_with(CAPACITY); }
static void begin_little(void) { begin_with(LITTLE); }

static void end(void)
{
    segment_end(&b);
    own_directory_remove();
}
TestSuite(sites, .init = begin, .fini = end);
TestSuite(sites_without_room, .init = begin_little, .fini = end);

static const struct site a_site = {.name = "query", .qualname = "Database.execute", .module = "db", .file = "/app/db.py",
                                   .line = 12, .track = 3, .kind = SITE_BLOCK};

static uint32_t intern_named(const char *name)
{
    struct site s = a_site;
    s.name = name;
    return sites_intern(b.sites, &s);
}

static uint32_t count(void) { return b.segment.header->site_count; }
static uint64_t lost(void) { return b.segment.header->lost_sites; }

static void check_name(uint32_t site, const char *expected)
{
    static char name[SITE_STRING_MAX + 1];
    cr_expect_str_eq(sites_name(b.sites, site, name, sizeof name), expected);
}

static const struct site_record *record_of(uint32_t site)
{
    const struct page_header *page = segment_page_at(b.segment.base, b.segment.header->site_first);
    for (; site > PAGE_ITEMS(struct site_record); site -= PAGE_ITEMS(struct site_record))
        page = segment_page_at(b.segment.base, page->next);
    return (const struct site_record *)((const char *)page + PAGE_ITEMS_OFFSET) + site - 1;
}

/* ---- identity ---- */

Test(sites, the_same_identity_has_the_same_number)
{
    char name[] = "query";
    cr_expect_eq(sites_intern(b.sites, &a_site), 1);
    cr_expect_eq(sites_intern(b.sites, &a_site), 1);
    cr_expect_eq(intern_named(name), 1, "the text counts, not where it is");
    cr_expect_eq(count(), 1);
}

Test(sites, anything_else_makes_another_site)
{
    struct site other[8];
    for (size_t i = 0; i < 8; i++)
        other[i] = a_site;
    other[1].name = "Query";
    other[2].qualname = "Database.executemany";
    other[3].module = "d";
    other[4].file = "/app/db.pyc";
    other[5].line++;
    other[6].track++;
    other[7].kind = SITE_FUNCTION;
    for (int again = 0; again < 2; again++)
        for (uint32_t i = 0; i < 8; i++)
            cr_expect_eq(sites_intern(b.sites, &other[i]), i + 1, "with field %u changed", i);
    cr_expect_eq(count(), 8);
}

Test(sites, texts_do_not_stand_in_for_each_other)
{
    struct site x = {.name = "a", .qualname = "b"}, y = {.name = "b", .qualname = "a"}, z = {.name = "ab", .qualname = ""};
    cr_expect_eq(sites_intern(b.sites, &x), 1);
    cr_expect_eq(sites_intern(b.sites, &y), 2);
    cr_expect_eq(sites_intern(b.sites, &z), 3);
}

Test(sites, no_text_is_the_empty_text)
{
    struct site nothing = {.name = NULL}, empty = {.name = "", .qualname = "", .module = "", .file = ""};
    cr_expect_eq(sites_intern(b.sites, &nothing), 1);
    cr_expect_eq(sites_intern(b.sites, &empty), 1);
    check_name(1, "");
    cr_expect_eq(record_of(1)->name, 0);
}

/* ---- many ---- */

static void check_reader_sees(const struct snapshot *s, uint32_t site, const char *name)
{
    char *is = snapshot_text(s, s->site[site].name), *file = snapshot_text(s, s->site[site].file);
    cr_assert_leq(site, s->sites);
    cr_assert_str_eq(is, name);
    cr_assert_str_eq(file, a_site.file);
    free(is);
    free(file);
    cr_assert(s->site[site].line == a_site.line && s->site[site].track == a_site.track && s->site[site].kind == a_site.kind);
}

Test(sites, ten_thousand)
{
    enum { MANY = 10000 };
    char name[32];
    for (int again = 0; again < 2; again++)
        for (uint32_t i = 1; i <= MANY; i++) {
            snprintf(name, sizeof name, "function number %u", i);
            cr_assert_eq(intern_named(name), i);
        }
    cr_expect_eq(count(), MANY);
    cr_expect_eq(lost(), 0);
    struct view v;
    struct snapshot s;
    cr_assert_eq(open_as_reader(&v, &b.segment), 0);
    cr_assert_eq(look(&s, &v, PATIENT), 0);
    cr_assert_eq(s.sites, MANY);
    for (uint32_t i = 1; i <= MANY; i++) {
        snprintf(name, sizeof name, "function number %u", i);
        check_name(i, name);
        check_reader_sees(&s, i, name);
    }
    snapshot_free(&s);
    view_close(&v);
}

Test(sites, equal_texts_are_kept_once)
{
    struct site same = {.name = "run", .qualname = "run", .module = "run", .file = "other"};
    uint32_t first = sites_intern(b.sites, &same);
    same.line = 2;
    uint32_t second = sites_intern(b.sites, &same);
    const struct site_record *x = record_of(first), *y = record_of(second);
    cr_expect(x->name == x->qualname && x->name == x->module && x->name != x->file);
    cr_expect(y->name == x->name && y->file == x->file);
}

Test(sites, more_sites_of_known_texts_take_pages_of_records_only)
{
    enum { MANY = 126 * 40 };
    struct site s = a_site;
    uint32_t before = b.segment.header->pages_used;
    for (uint32_t i = 1; i <= MANY; i++) {
        s.line = i;
        cr_assert_eq(sites_intern(b.sites, &s), i);
    }
    cr_expect_leq(b.segment.header->pages_used - before, MANY / PAGE_ITEMS(struct site_record) + 4);
}

Test(sites, numbers_alone_tell_them_apart)
{
    enum { MANY = 2000 };
    for (int again = 0; again < 2; again++) {
        struct site line = a_site, track = a_site, kind = a_site;
        for (uint32_t i = 0; i < MANY; i++) {
            line.line = track.track = kind.kind = 100 + i;
            cr_assert_eq(sites_intern(b.sites, &line), 3 * i + 1);
            cr_assert_eq(sites_intern(b.sites, &track), 3 * i + 2);
            cr_assert_eq(sites_intern(b.sites, &kind), 3 * i + 3);
        }
    }
}

Test(sites, a_variant_differs_in_what_it_is_of_alone)
{
    uint32_t function = sites_intern(b.sites, &a_site), first = sites_add_variant(b.sites, function), second = sites_add_variant(b.sites, function);
    cr_expect(first == function + 1 && second == function + 2);
    cr_expect_eq(sites_intern(b.sites, &a_site), function, "a variant is nothing that is interned");
    cr_expect_eq(sites_count(b.sites), second);
    struct site_record expected = *record_of(function);
    expected.variant_of = function;
    cr_expect_eq(memcmp(record_of(first), &expected, sizeof expected), 0);
    check_name(second, "query");
}

/* A child that C code forked has the segment of its parent, and a table of its own: what it adds is not the parent's. */
Test(sites, who_else_counts_changes_no_number)
{
    struct site s = a_site;
    uint32_t expected = 0, per_page = PAGE_ITEMS(struct site_record);
    for (s.line = 1; s.line <= 4 * per_page; s.line++) {
        b.segment.header->site_count += per_page / 3;
        cr_assert_eq(sites_intern(b.sites, &s), ++expected);
        cr_assert_eq(sites_add_variant(b.sites, expected), expected + 1);
        check_name(++expected, "query");
    }
    cr_expect_eq(count(), expected);
}

Test(sites_without_room, a_variant_is_lost_and_counted)
{
    uint32_t function = sites_intern(b.sites, &a_site), last = function, next;
    while ((next = sites_add_variant(b.sites, function)) != 0) {
        cr_assert_eq(next, last + 1);
        last = next;
    }
    cr_expect_eq(lost(), 1);
    cr_expect_eq(count(), last);
    cr_expect_eq(sites_add_variant(b.sites, function), 0);
    cr_expect_eq(lost(), 2);
    check_name(last, "query");
}

/* ---- long names ---- */

static const char *long_name(size_t length, const char *end)
{
    static char text[3 * SITE_STRING_MAX];
    memset(text, 'n', length);
    strcpy(text + length, end);
    return text;
}

static void check_kept(const char *name, size_t kept)
{
    static char is[SITE_STRING_MAX + 1];
    sites_name(b.sites, intern_named(name), is, sizeof is);
    cr_expect(memcmp(is, name, kept) == 0);
    cr_expect_str_eq(is + kept, SITE_STRING_CUT);
}

Test(sites, names_of_any_length_up_to_the_limit_are_whole)
{
    static const size_t lengths[] = {STRING_PIECE - 1, STRING_PIECE, STRING_PIECE + 1, 2 * STRING_PIECE, 4096, 10000, SITE_STRING_MAX - 1, SITE_STRING_MAX};
    for (uint32_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        cr_expect_eq(intern_named(long_name(lengths[i], "")), i + 1);
        cr_expect_eq(intern_named(long_name(lengths[i], "")), i + 1, "found again");
    }
    for (uint32_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_name(i + 1, long_name(lengths[i], ""));
}

Test(sites, longer_names_are_cut_and_say_so)
{
    cr_expect_eq(intern_named(long_name(SITE_STRING_MAX, "more")), 1);
    cr_expect_eq(intern_named(long_name(2 * SITE_STRING_MAX, "")), 1, "what differs later is not seen");
    check_kept(long_name(SITE_STRING_MAX, "more"), SITE_STRING_MAX - strlen(SITE_STRING_CUT));
}

Test(sites, names_are_cut_between_characters)
{
    static const char *const wide[] = {"\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        for (size_t over = 1; over < strlen(wide[i]); over++) {
            char end[16];
            size_t kept = SITE_STRING_MAX - strlen(SITE_STRING_CUT) - strlen(wide[i]) + over;
            snprintf(end, sizeof end, "%s....", wide[i]);
            check_kept(long_name(kept, end), kept);
        }
}

Test(sites, what_is_no_character_is_cut_at_the_limit)
{
    static char text[2 * SITE_STRING_MAX];
    memset(text, 0x80, sizeof text - 1);
    check_kept(text, SITE_STRING_MAX - strlen(SITE_STRING_CUT));
}

/* Many long names would leave no room for what is recorded. */
Test(sites, long_names_together_have_a_limit)
{
    uint32_t fit = (uint32_t)(CAPACITY / 16 / SITE_STRING_MAX);
    for (uint32_t i = 0; i < fit + 3; i++) {
        static char name[SITE_STRING_MAX + 1];
        memset(name, 'n', SITE_STRING_MAX);
        snprintf(name, 16, "%015u", i);
        name[15] = '_';
        if (i < fit)
            check_name(intern_named(name), name);
        else
            check_kept(name, STRING_PIECE - strlen(SITE_STRING_CUT));
    }
    cr_expect_eq(count(), fit + 3);
    check_kept(long_name(SITE_STRING_MAX, "more"), STRING_PIECE - strlen(SITE_STRING_CUT));
}

/* ---- names ---- */

Test(sites, numbers_that_are_none_have_no_name)
{
    sites_intern(b.sites, &a_site);
    check_name(1, "query");
    check_name(0, "");
    check_name(2, "");
    check_name(UINT32_MAX, "");
}

Test(sites, a_small_buffer_gets_what_fits)
{
    char name[4] = "";
    sites_intern(b.sites, &a_site);
    cr_expect_str_eq(sites_name(b.sites, 1, name, sizeof name), "que");
}

/* ---- no room ---- */

/* Sites until one finds no room. */
static uint32_t fill(void)
{
    char name[64];
    for (uint32_t i = 1;; i++) {
        snprintf(name, sizeof name, "a name that takes a good deal of room: %u", i);
        if (!intern_named(name))
            return i - 1;
    }
}

Test(sites_without_room, are_counted)
{
    uint32_t known = fill();
    cr_expect_gt(known, 1000);
    cr_expect_eq(lost(), 1);
    cr_expect_eq(count(), known);
    cr_expect_eq(intern_named("one more that needs a page of its own"), 0);
    cr_expect_eq(lost(), 2);
    cr_expect_eq(count(), known);
    check_name(known + 1, "");
    cr_expect_eq(intern_named("a name that takes a good deal of room: 1"), 1, "those that are known stay known");
    cr_expect_eq(intern_named("a name that takes a good deal of room: 77"), 77);
    cr_expect_eq(lost(), 2);
    cr_expect_gt(b.segment.header->refused_growth, 0);
}
