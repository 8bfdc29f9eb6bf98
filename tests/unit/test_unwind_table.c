/* Tables made up, of this program, cut off and broken. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "image.h"
#include "unwind_table.h"

#include "../support/own_images.h"
#include "../support/procedures.h"
#include "../support/random.h"

/* ---- made up ---- */

static struct procedures made;

static struct unwind_table make(const uint8_t *const *instructions, size_t count)
{
    procedures_begin(&made, count);
    for (size_t i = 0; i < count; i++)
        procedures_add(&made, count, instructions[i]);
    return procedures_table(&made);
}

Test(unwind_table, each_address_has_its_procedure)
{
    const uint8_t *const three[] = {procedures_function, procedures_part, procedures_function};
    struct unwind_table t = make(three, 3);
    struct procedure p;
    for (size_t i = 0; i < 3; i++)
        for (uint64_t at = procedure_begin(i); at < procedure_begin(i + 1); at++) {
            cr_assert(unwind_table_find(&t, at, &p));
            cr_assert(p.begin == procedure_begin(i) && p.end == procedure_begin(i + 1) && p.inner == (i == 1));
        }
    cr_expect_not(unwind_table_find(&t, procedure_begin(0) - 1, &p));
    cr_expect_not(unwind_table_find(&t, procedure_begin(3), &p));
    cr_expect_not(unwind_table_find(&t, 0, &p));
    cr_expect_not(unwind_table_find(&t, UINT64_MAX, &p));
}

/* What stands before the first advance is how it begins. */
Test(unwind_table, how_a_procedure_begins)
{
    static const struct {
        uint8_t instructions[12];
        int inner; /* -1: not understood */
    } list[] = {
        {{0}, 0},
        {{1, 0}, 0},
        {{2, 0x0e, 8}, 0},                    /* says what is so anyway */
        {{2, 0x0e, 16}, 1},                   /* def_cfa_offset */
        {{3, 0x0e, 0x90, 1}, 1},              /* of two bytes */
        {{2, 0x0d, 6}, 1},                    /* def_cfa_register */
        {{3, 0x0c, 6, 16}, 1},                /* def_cfa */
        {{3, 0x0c, 7, 8}, 0},
        {{5, 0x83, 2, 0xc6, 0x0e, 32}, 1},    /* offset, restore */
        {{6, 0x05, 33, 4, 0x0a, 0x0e, 32}, 1}, /* offset_extended, remember_state */
        {{7, 0x07, 1, 0x08, 2, 0x2d, 0x0e, 32}, 1},
        {{5, 0x2e, 0, 0, 0x0e, 40}, 1},
        {{3, 0x41, 0x0e, 16}, 0},             /* advance_loc */
        {{4, 0x02, 9, 0x0e, 16}, 0},          /* advance_loc1 */
        {{5, 0x03, 9, 0, 0x0e, 16}, 0},
        {{7, 0x04, 9, 0, 0, 0, 0x0e, 16}, 0},
        {{3, 0x0f, 1, 0x96}, -1},             /* by an expression */
        {{1, 0x3f}, -1},
        {{1, 0x0e}, -1},                      /* cut off */
        {{2, 0x0e, 0x80}, -1},
        {{11, 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, -1}, /* more than any number */
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const uint8_t *const one[] = {list[i].instructions};
        struct unwind_table t = make(one, 1);
        struct procedure p;
        bool found = unwind_table_find(&t, procedure_begin(0), &p);
        cr_expect_eq(found ? p.inner : -1, list[i].inner, "number %zu", i);
    }
}

/* Bytes of the header, of what is common and of the description, that are otherwise than all linkers have them. */
Test(unwind_table, what_is_not_known_is_not_read)
{
    static const struct {
        size_t at;
        uint8_t value;
    } list[] = {
        {0, 2},  {1, 0x1a}, {2, 0x02}, {3, 0x33},   /* the header */
        {11, 1},                                    /* 16 million entries */
        {20, 0}, {21, 1},   {23, 0xff},             /* length of what is common */
        {24, 1}, {28, 3},   {29, 'e'}, {30, 'S'}, {30, 0}, {36, 0x9b}, /* its id, version, letters; how addresses are encoded */
        {44, 0}, {45, 1},   {47, 0xff},             /* length of the description */
        {48, 0}, {51, 0xff},                        /* where the common is */
        {55, 0x7f},                                 /* it begins elsewhere */
        {57, 0},                                    /* no bytes */
    };
    const uint8_t *const one[] = {procedures_part};
    struct procedure p;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct unwind_table t = make(one, 1);
        cr_assert(unwind_table_find(&t, procedure_begin(0), &p));
        made.table[list[i].at] = list[i].value;
        cr_expect_not(unwind_table_find(&t, procedure_begin(0), &p), "byte %zu", list[i].at);
    }
}

/* ---- of this program ---- */

TestSuite(own_unwind_table, .init = look, .fini = forget);

static struct image *own_image(void)
{
    struct image *i = images_find(&images, (uint64_t)(uintptr_t)own_image);
    cr_assert(i && i->kept);
    return i;
}

Test(own_unwind_table, is_as_the_symbols_say)
{
    const struct image *i = own_image();
    struct unwind_table t = image_unwind_table(i);
    struct procedure p;
    size_t found = 0;
    for (size_t k = 0; k < i->symbols; k++) {
        const struct image_symbol *s = &i->symbol[k];
        if (!s->code || s->size < 16 || !unwind_table_find(&t, s->address, &p) || p.begin != s->address)
            continue;
        bool cold = strstr(s->name, ".cold");
        cr_expect(p.end - p.begin == s->size, "%s", s->name);
        cr_expect(cold || !p.inner, "%s", s->name);
        found++;
    }
    cr_expect_gt(found, 30);
}

/* The bytes lie at the end of what was allocated: sanitizers see who reads beyond. */
Test(own_unwind_table, cut_off_anywhere)
{
    struct unwind_table whole = image_unwind_table(own_image());
    uint64_t address = (uint64_t)(uintptr_t)own_image, size = whole.end - whole.begin;
    struct procedure p;
    cr_assert(unwind_table_find(&whole, address, &p));
    for (uint64_t kept = 1; kept < size; kept += 1 + kept / 50) {
        uint8_t *bytes = malloc(kept);
        memcpy(bytes, whole.bytes, kept);
        struct unwind_table t = {.bytes = bytes, .begin = whole.begin, .end = whole.begin + kept, .header = whole.header};
        cr_expect(!unwind_table_find(&t, address, &p) || (address >= p.begin && address < p.end));
        free(bytes);
    }
}

Test(unwind_table, broken_anyhow)
{
    const uint8_t *const three[] = {procedures_function, procedures_part, procedures_function};
    struct random r = random_seeded(3);
    struct procedure p;
    for (int i = 0; i < 20000; i++) {
        struct unwind_table t = make(three, 3);
        for (uint32_t k = 1 + random_below(&r, 6); k > 0; k--)
            made.table[random_below(&r, (uint32_t)made.used)] = (uint8_t)random_below(&r, 256);
        uint8_t *bytes = malloc(made.used);
        memcpy(bytes, made.table, made.used);
        t.bytes = bytes;
        uint64_t at = PROCEDURES_CODE + random_below(&r, 4 * PROCEDURE_BYTES);
        cr_assert(!unwind_table_find(&t, at, &p) || (at >= p.begin && at < p.end));
        free(bytes);
    }
}
