#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "page.h"
#include "picture.h"
#include "source.h"
#include "text.h"

static struct subject subject = {.pid = 42, .alive = true, .command = "python3 service.py"};
static struct member member, *members[] = {&member};
static struct source source = {.member = members, .count = 1};
static struct picture p;

static void setup(void)
{
    int code;
    text_init();
    picture_init(&p, functions_sort_column(FUNCTIONS_TOP, NULL, &code));
    snprintf(p.state, sizeof p.state, "recording");
}

static void teardown(void) { picture_free(&p); }

TestSuite(picture, .init = setup, .fini = teardown);

/* ---- looks ---- */

#define SITES 30

/* A look at second `at`, whose site i ("f00", "f01" ...) had `calls[i]` calls, of 1000 * (i + 1) ns each. */
static struct capture look_at(unsigned at, const uint64_t *calls, unsigned sites)
{
    struct capture c = {.subject = &subject, .source = &source, .taken = at * 1000000000ull, .cpu = true, .scale.ns_per_tick = 1};
    c.snapshot.session = (struct session_state){.running = true, .started = 1};
    c.snapshot.asof = c.taken;
    snprintf(c.snapshot.header.python, sizeof c.snapshot.header.python, "3.12.1");
    c.profile = (struct profile){.site = calloc(sites + 1, sizeof *c.profile.site), .sites = sites, .complete = true};
    for (uint32_t i = 0; i < sites; i++) {
        struct profile_site *s = &c.profile.site[i];
        uint64_t time = calls[i] * 1000 * (i + 1);
        char name[16];
        snprintf(name, sizeof name, "f%02u", i);
        *s = (struct profile_site){.id = i + 1, .name = strdup(name), .qualname = strdup(name), .module = strdup("m")};
        s->file = strdup("/srv/m.py");
        s->t = (struct profile_times){.calls = calls[i], .primitive_calls = calls[i], .inclusive = time, .exclusive = time};
    }
    return c;
}

static void add_capture(struct capture *c)
{
    cr_assert_eq(picture_add(&p, c), 0);
    cr_assert_eq(picture_make(&p), 0);
}

static void add(unsigned at, const uint64_t *calls, unsigned sites)
{
    struct capture c = look_at(at, calls, sites);
    add_capture(&c);
}

static void press(const char *typed)
{
    for (; *typed; typed++)
        keys_press(&p, (uint32_t)*typed);
    cr_assert_eq(picture_make(&p), 0);
}

static const struct function_row *row(size_t i)
{
    cr_assert_lt(i, p.rows);
    return p.row[i];
}

/* ---- differences ---- */

Test(picture, the_first_look_is_where_the_interval_begins)
{
    add(1, (const uint64_t[]){5, 5}, 2);
    cr_expect_eq(p.rows, 0);
    press("a");
    cr_expect_eq(p.rows, 2);
    cr_expect_eq(row(0)->t.calls, 5);
}

Test(picture, each_interval_begins_at_the_look_before)
{
    add(1, (const uint64_t[]){5, 5}, 2);
    add(2, (const uint64_t[]){8, 6}, 2);
    cr_expect_eq(row(0)->t.calls, 3);
    cr_expect_eq(row(1)->t.calls, 1);
    add(4, (const uint64_t[]){8, 7}, 2);
    cr_expect_eq(p.rows, 1);
    cr_expect_eq(row(0)->t.calls, 1);
    cr_expect_eq(p.functions.seconds, 2.0);
}

Test(picture, a_look_with_a_gap_is_nothing_to_subtract)
{
    add(1, (const uint64_t[]){500}, 1);
    struct capture gap = look_at(2, (const uint64_t[]){0}, 1);
    gap.profile.complete = false;
    add_capture(&gap);
    cr_expect_eq(p.rows, 0);
    add(3, (const uint64_t[]){502}, 1);
    cr_expect_eq(row(0)->t.calls, 2, "not all the 502 that were missing");
    cr_expect_eq(p.functions.seconds, 2.0);
    add(4, (const uint64_t[]){503}, 1);
    cr_expect_eq(row(0)->t.calls, 1);
}

Test(picture, where_there_always_is_a_gap_the_last_look_has_to_do)
{
    for (unsigned at = 1; at < 4; at++) {
        struct capture c = look_at(at, &(uint64_t){at * at}, 1);
        c.profile.complete = false;
        add_capture(&c);
    }
    cr_expect_eq(row(0)->t.calls, 9 - 4);
}

Test(picture, r_is_a_baseline_of_the_total)
{
    press("a");
    add(1, (const uint64_t[]){5}, 1);
    add(2, (const uint64_t[]){7}, 1);
    cr_expect_eq(row(0)->t.calls, 7);
    press("r");
    cr_expect(p.rebase);
    add(3, (const uint64_t[]){10}, 1);
    cr_expect_not(p.rebase);
    cr_expect_eq(p.rows, 0);
    add(4, (const uint64_t[]){11}, 1);
    add(6, (const uint64_t[]){14}, 1);
    cr_expect_eq(row(0)->t.calls, 4);
    cr_expect_eq(p.functions.seconds, 3.0);
    press("a");
    cr_expect_eq(row(0)->t.calls, 3);
}

Test(picture, a_reset_of_the_process_ends_what_there_was)
{
    press("ar");
    add(1, (const uint64_t[]){500}, 1);
    struct capture c = look_at(3, (const uint64_t[]){4}, 1);
    c.breaks = 1;
    c.snapshot.session.started = 2500000000;
    add_capture(&c);
    cr_expect_eq(row(0)->t.calls, 4);
    cr_expect_float_eq(p.functions.seconds, 0.5, 1e-6);
    press("a");
    cr_expect_eq(row(0)->t.calls, 4);
    c = look_at(4, (const uint64_t[]){9}, 1);
    c.breaks = 1;
    add_capture(&c);
    cr_expect_eq(row(0)->t.calls, 5);
}

Test(picture, the_heading_names_the_view_where_there_are_others)
{
    struct page page;
    static const uint64_t calls[] = {1};
    member.snapshot.audiences.consumer[0] = (struct consumer){.number = 1, .kind = CONSUMER_SESSION, .name = "session"};
    member.view = audiences_view_kinds(&member.snapshot.audiences, 1u << CONSUMER_SESSION);
    source.shown = CHOICE_DEFAULT;
    add(1, calls, 1);
    cr_assert_eq(page_make(&page, &p, 24, 200), 0);
    cr_expect_null(strstr(page.line[1].text, "view"), "%s", page.line[1].text);
    page_free(&page);
    member.snapshot.audiences.consumer[1] = (struct consumer){.number = 2, .kind = CONSUMER_YAPPI};
    cr_assert_eq(page_make(&page, &p, 24, 200), 0);
    cr_expect_not_null(strstr(page.line[1].text, ", recording, view 1 session, "), "%s", page.line[1].text);
    page_free(&page);
}

/* ---- order, filter, scrolling ---- */

static void add_many(void)
{
    uint64_t calls[SITES];
    for (unsigned i = 0; i < SITES; i++)
        calls[i] = SITES - i;
    add(1, calls, SITES);
    press("a");
}

Test(picture, sorting_goes_round)
{
    add_many();
    press("sss"); /* %, mean, CPU */
    cr_expect_str_eq(p.sort[PICTURE_FUNCTIONS]->name, "cpu");
    press("sss"); /* open, suspended, elapsed */
    press("ss"); /* el.mean, bytes */
    press("ss");
    cr_expect_str_eq(p.sort[PICTURE_FUNCTIONS]->name, "calls");
    cr_expect_str_eq(row(0)->label, "f00");
    press("S");
    cr_expect_str_eq(p.sort[PICTURE_FUNCTIONS]->name, "name");
    press("SSSSSS4");
    cr_expect_str_eq(p.sort[PICTURE_FUNCTIONS]->name, "cpu");
}

Test(picture, hidden_columns_are_not_sorted_by)
{
    add_many();
    p.habit[PICTURE_FUNCTIONS].hidden = 1u << 4;
    press("s");
    cr_expect_str_eq(p.sort[PICTURE_FUNCTIONS]->name, "mean");
}

Test(picture, the_filter_is_typed)
{
    add_many();
    press("/F1qX");
    cr_expect_eq(p.rows, 0);
    keys_press(&p, KEYS_BACKSPACE);
    keys_press(&p, KEYS_BACKSPACE);
    press("");
    cr_expect_eq(p.rows, 10, "f10 to f19; keys are text now");
    cr_expect_not(p.leaving);
    keys_press(&p, 0x65e5);
    keys_press(&p, 7);
    keys_press(&p, KEYS_UP);
    cr_expect_str_eq(p.filter, "F1\xe6\x97\xa5", "what has no width or is no character is no text");
    keys_press(&p, KEYS_BACKSPACE);
    keys_press(&p, KEYS_ENTER);
    press("");
    cr_expect_eq(p.rows, 10);
    cr_expect_not(p.typing);
    keys_press(&p, KEYS_ESCAPE);
    press("");
    cr_expect_eq(p.rows, SITES);
}

Test(picture, the_filter_is_on_names_not_on_files)
{
    add_many();
    press("/m.py");
    cr_expect_eq(p.rows, 0);
    keys_press(&p, KEYS_ESCAPE);
    press("/f01");
    cr_expect_eq(p.rows, 1);
}

Test(picture, a_filter_that_is_too_long_ends)
{
    add_many();
    press("/");
    for (unsigned i = 0; i < 2 * PICTURE_FILTER; i++)
        keys_press(&p, i % 2 ? 'x' : 0x65e5);
    cr_expect_lt(strlen(p.filter), (size_t)PICTURE_FILTER);
    for (unsigned i = 0; i < PICTURE_FILTER; i++)
        keys_press(&p, KEYS_BACKSPACE);
    cr_expect_str_eq(p.filter, "");
}

/* ---- pages ---- */

static struct page page;

static size_t find_line(const char *begin)
{
    for (size_t i = 0; i < page.lines; i++)
        if (strncmp(page.line[i].text, begin, strlen(begin)) == 0)
            return i;
    return SIZE_MAX;
}

static void make_page(size_t height, size_t width)
{
    page_free(&page);
    cr_assert_eq(page_make(&page, &p, height, width), 0);
    cr_expect_leq(page.lines, height);
    for (size_t i = 0; i < page.lines; i++)
        cr_expect_leq(text_width(page.line[i].text), width, "%s", page.line[i].text);
}

Test(picture, a_page)
{
    add_many();
    make_page(24, 80);
    cr_expect_eq(page.lines, 24);
    cr_expect_eq(find_line("42 python3 service.py"), 0);
    cr_expect_eq(find_line("Python 3.12.1, recording, 0 threads, "), 1);
    size_t columns = find_line("calls  ");
    cr_assert_lt(columns, 6);
    cr_expect_eq(page.line[columns].style, PAGE_REVERSE);
    cr_expect_eq(text_width(page.line[columns].text), 80, "reverse to the end of the line");
    cr_expect(strncmp(page.line[columns].text + page.line[columns].mark, "exclusive", page.line[columns].mark_width) == 0);
    page_free(&page);
}

Test(picture, scrolling_stays_within_the_rows)
{
    add_many();
    make_page(24, 80);
    size_t rows = p.page;
    keys_press(&p, KEYS_UP);
    make_page(24, 80);
    cr_expect_eq(p.first, 0);
    keys_press(&p, KEYS_PAGE_DOWN);
    make_page(24, 80);
    cr_expect_eq(p.first, SITES - rows < rows ? SITES - rows : rows);
    keys_press(&p, KEYS_END);
    keys_press(&p, KEYS_DOWN);
    make_page(24, 80);
    cr_expect_eq(p.first, SITES - rows);
    keys_press(&p, KEYS_PAGE_UP);
    keys_press(&p, KEYS_HOME);
    make_page(24, 80);
    cr_expect_eq(p.first, 0);
    keys_press(&p, KEYS_END);
    make_page(24, 80);
    press("/f29");
    make_page(24, 80);
    cr_expect_eq(p.first, 0, "fewer rows than fit");
    cr_expect(page.typing);
    cr_expect_str_eq(page.line[page.lines - 1].text, "/f29");
    page_free(&page);
}

Test(picture, a_column_is_hidden_and_comes_back)
{
    add_many();
    make_page(24, 80);
    cr_expect_eq(p.habit[PICTURE_FUNCTIONS].shown & 2, 0, "calls/s is left out at 80 columns");
    press("2");
    make_page(24, 80);
    cr_expect_neq(p.habit[PICTURE_FUNCTIONS].shown & 2, 0, "unless it is wanted");
    press("28");
    make_page(24, 200);
    cr_expect_eq(p.habit[PICTURE_FUNCTIONS].shown & 2, 0);
    cr_expect_neq(p.habit[PICTURE_FUNCTIONS].shown & 128, 0, "names stay");
    press("9");
    make_page(24, 200);
    page_free(&page);
}

Test(picture, losses_and_notices_are_the_last_to_go)
{
    struct capture c = look_at(1, (const uint64_t[]){5}, 1);
    c.profile.lost = 3;
    c.profile.clamped = 2;
    add_capture(&c);
    press("a");
    snprintf(p.notice, sizeof p.notice, "it has ended");
    make_page(24, 120);
    cr_expect_neq(find_line("3 calls lost"), SIZE_MAX);
    cr_expect_neq(find_line("2 times that would have been negative"), SIZE_MAX);
    cr_expect_neq(find_line("it has ended"), SIZE_MAX);
    make_page(5, 120);
    cr_expect_eq(find_line("3 calls lost"), 0);
    cr_expect_eq(find_line("2 times"), 1);
    cr_expect_eq(find_line("it has ended"), 2);
    cr_expect_eq(find_line("calls "), 3);
    make_page(3, 120);
    cr_expect_eq(find_line("it has ended"), 0);
    page_free(&page);
}

Test(picture, every_size_does)
{
    static const char *const keys_before[] = {"", "?", "?/f", "\r", "t"};
    add_many();
    snprintf(p.notice, sizeof p.notice, "n\033otice \xe6\x97\xa5\xe6\x9c\xac");
    for (size_t k = 0; k < sizeof keys_before / sizeof *keys_before; k++) {
        press(keys_before[k]);
        for (size_t height = 0; height < 40; height++)
            for (size_t width = 0; width < 130; width += 1 + width / 8)
                make_page(height, width);
    }
    cr_expect_eq(find_line("n\033"), SIZE_MAX);
    page_free(&page);
}

Test(picture, keys_have_one_meaning)
{
    for (uint32_t key = 1; key <= KEYS_OTHER; key++) {
        unsigned rows = 0;
        for (size_t i = 0; i < key_count; i++)
            rows += (key >= keys[i].first && key <= keys[i].last) || key == keys[i].other;
        cr_expect_leq(rows, 1u, "%x", key);
    }
}
