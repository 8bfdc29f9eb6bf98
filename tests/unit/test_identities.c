/* The same function in two processes, and what only looks like it. */
#include <criterion/criterion.h>

#include "identities.h"

#include "../support/segments.h"
#include "support.h"

enum { CAPACITY = 8 << 20 };

static struct identities known;
static uint64_t refused;

static void begin(void)
{
    own_directory_make();
    known = (struct identities){0};
    refused = 0;
}

static void end(void)
{
    identities_free(&known);
    own_directory_remove();
}
TestSuite(identities, .init = begin, .fini = end);

/* A look at a process with these functions. */
static struct snapshot look_at(const struct site *site, uint32_t count)
{
    struct test_segment s;
    struct view v;
    struct snapshot shot;
    struct lanes_options o = small_lanes();
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(sites_intern(s.sites, &site[i]), i + 1);
    cr_assert_eq(view_of_memory(&v, s.segment.base, s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_assert_eq(shot.sites, count);
    segment_end(&s);
    return shot;
}

/* Their numbers, to be freed. */
static uint32_t *numbers_of(const struct site *site, uint32_t count)
{
    struct snapshot shot = look_at(site, count);
    uint32_t *numbers = identities_of(&known, &shot, &refused);
    cr_assert(numbers);
    cr_expect_eq(numbers[0], 0);
    snapshot_free(&shot);
    return numbers;
}

static struct site named(const char *name) { return (struct site){.name = name, .qualname = name, .module = "m", .file = "m.py", .line = 1}; }

Test(identities, one_number_in_all_processes)
{
    const struct site here[] = {named("f"), named("g"), named("h")}, there[] = {named("h"), named("i"), named("f")};
    uint32_t *a = numbers_of(here, 3), *b = numbers_of(there, 3), *again = numbers_of(here, 3);
    cr_expect(a[1] == 1 && a[2] == 2 && a[3] == 3, "%u %u %u", a[1], a[2], a[3]);
    cr_expect(b[1] == 3 && b[2] == 4 && b[3] == 1, "%u %u %u", b[1], b[2], b[3]);
    cr_expect(again[1] == 1 && again[2] == 2 && again[3] == 3);
    cr_expect_eq(known.known.count, 4);
    cr_expect_eq(refused, 0);
    free(a);
    free(b);
    free(again);
}

Test(identities, all_of_it_counts_but_for_the_track)
{
    struct site list[9];
    for (size_t i = 0; i < 9; i++)
        list[i] = (struct site){.name = "f", .qualname = "C.f", .module = "m", .file = "m.py", .line = 7};
    list[1].name = "g";
    list[2].qualname = "D.f";
    list[3].module = "n";
    list[4].file = "n.py";
    list[5].line = 8;
    list[6].kind = SITE_BLOCK;
    list[7].name = "";
    list[7].qualname = "fC.f"; /* the same letters in another place */
    list[8].line = 70;
    uint32_t *numbers = numbers_of(list, 9);
    for (uint32_t i = 1; i <= 9; i++)
        cr_expect_eq(numbers[i], i);
    free(numbers);
    list[0].track = 5;
    uint32_t *other = numbers_of(list, 1);
    cr_expect_eq(other[1], 1);
    free(other);
}

/* What stands between the parts of an identity stands in no name: there it becomes another character. */
Test(identities, a_line_end_in_a_name_moves_nothing)
{
    struct site list[] = {named("f"), named("f")};
    list[0].name = "f\nC";
    list[0].qualname = "f";
    list[1].name = "f";
    list[1].qualname = "C\nf";
    uint32_t *numbers = numbers_of(list, 2);
    cr_expect_neq(numbers[1], numbers[2]);
    free(numbers);
}

Test(identities, the_recorders_own_have_none)
{
    struct site list[] = {named("f"), named("own"), named("g")};
    list[1].kind = SITE_OWN;
    uint32_t *numbers = numbers_of(list, 3);
    cr_expect(numbers[1] == 1 && numbers[2] == 0 && numbers[3] == 2);
    cr_expect_eq(refused, 0);
    free(numbers);
}

Test(identities, the_longest_names_are_told_apart)
{
    static char a[SITE_STRING_MAX + 1], b[SITE_STRING_MAX + 1];
    memset(a, 'x', SITE_STRING_MAX);
    memset(b, 'x', SITE_STRING_MAX);
    b[SITE_STRING_MAX - 1] = 'y';
    struct site list[] = {named(a), named(b)};
    uint32_t *numbers = numbers_of(list, 2), *again = numbers_of(list, 2);
    cr_expect(numbers[1] == 1 && numbers[2] == 2 && again[1] == 1 && again[2] == 2);
    free(numbers);
    free(again);
}

/* The table grows several times on the way. */
Test(identities, thousands_keep_their_numbers)
{
    enum { MANY = 5000 };
    static char name[MANY][8];
    static struct site list[MANY], reversed[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name[i], sizeof name[i], "f%u", i);
        list[i] = reversed[MANY - 1 - i] = named(name[i]);
    }
    uint32_t *first = numbers_of(list, MANY / 2), *all = numbers_of(reversed, MANY), *again = numbers_of(list, MANY);
    for (uint32_t i = 1; i <= MANY; i++) {
        cr_assert(i > MANY / 2 || first[i] == i);
        cr_assert_eq(again[i], all[MANY + 1 - i]);
        cr_assert(i > MANY / 2 || again[i] == i);
    }
    cr_expect_eq(known.known.count, MANY);
    free(first);
    free(all);
    free(again);
}

Test(identities, beyond_the_most_they_are_counted)
{
    struct site list[] = {named("f"), named("g"), named("h")};
    uint32_t *numbers = numbers_of(list, 1);
    free(numbers);
    known.known.count = IDENTITIES_MAX - 1;
    numbers = numbers_of(list, 3);
    cr_expect_eq(numbers[1], 1, "known before");
    cr_expect_eq(numbers[2], IDENTITIES_MAX);
    cr_expect_eq(numbers[3], 0);
    cr_expect_eq(refused, 1);
    free(numbers);
    numbers = numbers_of(list, 3);
    cr_expect(numbers[2] == IDENTITIES_MAX && numbers[3] == 0, "each time the same");
    cr_expect_eq(refused, 2);
    free(numbers);
}

/* A segment may say anything: what is no string is "". */
Test(identities, references_that_lead_nowhere)
{
    static const uint32_t wrong[] = {0, 1, UINT32_MAX, 1u << 31, 12345};
    const struct site list[] = {named("f"), named("g")};
    struct snapshot shot = look_at(list, 2);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        shot.site[1].name = shot.site[1].qualname = shot.site[1].module = shot.site[1].file = wrong[i];
        uint32_t *numbers = identities_of(&known, &shot, &refused);
        cr_assert(numbers);
        cr_expect(numbers[1] && numbers[2] && numbers[1] != numbers[2]);
        free(numbers);
    }
    snapshot_free(&shot);
}
