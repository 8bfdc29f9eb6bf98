/* Tables of consumers and audiences that another process wrote: what makes no sense in them says nothing. */
#include <criterion/criterion.h>
#include <errno.h>

#include "audiences.h"

enum { PAGES = 1 + 2 * CONSUMER_PAGES + 2, TABLE = 1, SELECTION = 1 + 2 * CONSUMER_PAGES, SITES = 100 };

static _Alignas(4096) char base[PAGES * SEGMENT_PAGE];
static struct audiences a;

static struct segment_header *header(void) { return (struct segment_header *)base; }
static struct consumer_table *table(void)
{
    return segment_page_at(base, TABLE + (header()->consumer_turn & 1) * CONSUMER_PAGES);
}
static struct page_header *selection(void) { return segment_page_at(base, SELECTION); }

/* Consumer 7, which selects sites 1 and 70, is in audience 1. */
static void init(void)
{
    memset(base, 0, sizeof base);
    header()->consumer_pages = TABLE;
    header()->consumer_turn = 5;
    ((struct page_header *)segment_page_at(base, TABLE))->kind = PAGE_CONSUMER;
    table()->member[1] = 1;
    table()->consumer[0] = (struct consumer){.number = 7, .kind = CONSUMER_PROFILER, .flags = CONSUMER_SELECTS, .selection = SELECTION};
    selection()->kind = PAGE_SELECTION;
    uint64_t *words = (uint64_t *)((char *)selection() + PAGE_ITEMS_OFFSET);
    words[0] = 1 << 1;
    words[1] = 1 << 6;
}
static void fini(void) { audiences_free(&a); }
TestSuite(audiences, .init = init, .fini = fini);

static bool sees(uint32_t site, uint32_t audience)
{
    struct audience_view v;
    cr_assert_eq(audiences_view(&a, 7, &v), 0);
    return audience_view_has(&v, identity_pack(site, audience));
}

static void copy(void) { cr_assert_eq(audiences_copy(&a, base, PAGES, SITES), 0); }

Test(audiences, a_view_has_what_was_selected_in_its_audiences)
{
    copy();
    cr_expect(sees(1, 1) && sees(70, 1));
    cr_expect_not(sees(2, 1));
    cr_expect_not(sees(1, 2));
    cr_expect_not(sees(SITES + 70, 1));
}

Test(audiences, everything_is_seen_without_a_view)
{
    struct audience_view v = {.audiences = NULL};
    cr_expect(audience_view_has(&v, identity_pack(5, 255)));
    cr_expect_not(audience_view_is_short(&v));
}

Test(audiences, none_is_fine)
{
    struct audience_view v;
    header()->consumer_pages = 0;
    copy();
    cr_expect_eq(audiences_view(&a, 7, &v), -ENOENT);
    cr_expect_null(audiences_consumer(&a, 7));
}

Test(audiences, a_table_that_is_none_is_refused)
{
    static const uint32_t first[] = {PAGES - 1, PAGES, UINT32_MAX, SELECTION};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        header()->consumer_pages = first[i];
        cr_expect_eq(audiences_copy(&a, base, PAGES, SITES), -EBADMSG, "%u", first[i]);
    }
}

Test(audiences, nobody_is_in_number_0_nor_in_the_place_of_who_is_not_there)
{
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        table()->member[n] = UINT64_MAX;
    table()->consumer[1].number = 8; /* of no kind */
    copy();
    cr_expect_eq(a.member[0], 0);
    cr_expect_eq(a.member[9], 1);
    cr_expect_null(audiences_consumer(&a, 8));
}

Test(audiences, texts_end)
{
    memset(table()->consumer[0].name, 'x', sizeof table()->consumer[0].name);
    memset(table()->consumer[0].selected, '\033', sizeof table()->consumer[0].selected);
    copy();
    const struct consumer *c = audiences_consumer(&a, 7);
    cr_assert(c);
    cr_expect_eq(strlen(c->name), sizeof c->name - 1);
    cr_expect_null(strchr(c->selected, '\033'));
}

Test(audiences, selections_that_go_nowhere_select_nothing)
{
    static const uint32_t first[] = {0, PAGES, UINT32_MAX, TABLE};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        table()->consumer[0].selection = first[i];
        copy();
        cr_expect_not(sees(1, 1), "%u", first[i]);
        audiences_free(&a);
    }
}

Test(audiences, a_selection_that_goes_round_ends)
{
    selection()->next = SELECTION;
    cr_assert_eq(audiences_copy(&a, base, PAGES, 3 * SELECTION_BITS), 0);
    cr_expect(sees(1, 1));
    cr_expect(sees(SELECTION_BITS + 1, 1), "it is what it says");
}

Test(audiences, what_a_consumer_was_is_its_still_and_says_what_is_missing)
{
    struct audience_view v;
    table()->consumer[3] = (struct consumer){.number = 7, .kind = CONSUMER_PROFILER, .flags = CONSUMER_FORMER | CONSUMER_SHORT};
    table()->member[2] = 1 << 3;
    copy();
    cr_expect(sees(2, 2));
    cr_expect_eq(audiences_consumer(&a, 7)->flags, CONSUMER_SELECTS);
    cr_assert_eq(audiences_view(&a, 7, &v), 0);
    cr_expect(audience_view_is_short(&v));
}
