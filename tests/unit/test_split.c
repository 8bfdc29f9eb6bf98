/* Made-up procedures; and functions of this very program, of which the symbols say what the compiler did. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "image.h"
#include "remote.h"
#include "split.h"

#include "../support/own_images.h"
#include "../support/procedures.h"
#include "../support/random.h"
#include "../support/split.h"

/* ---- made up: procedure 0 is the function ---- */

static struct procedures made;
static size_t part_count;
static unsigned machine;
static uint64_t unreadable; /* an address; 0: none */

static int read_made(void *context, uint64_t address, void *buffer, size_t size)
{
    (void)context;
    if (address < PROCEDURES_CODE || address - PROCEDURES_CODE + size > sizeof made.code || address == unreadable)
        return -EFAULT;
    memcpy(buffer, made.code + (address - PROCEDURES_CODE), size);
    return 0;
}

/* Parts, of which the first `functions` begin as functions do. */
static void begin(unsigned on, size_t parts, size_t functions)
{
    machine = on;
    part_count = parts;
    unreadable = 0;
    procedures_begin(&made, parts + 1);
    procedures_add(&made, parts + 1, procedures_function);
    for (size_t i = 1; i <= parts; i++)
        procedures_add(&made, parts + 1, i <= functions ? procedures_function : procedures_part);
}

static void put_jump(size_t from, size_t place, size_t to, size_t to_byte) { procedures_put_jump(&made, machine, from, place, to, to_byte); }

/* To that many different places, there and back. */
static void tie(size_t part, size_t there, size_t back)
{
    for (size_t i = 0; i < there; i++)
        put_jump(0, i + 5 * part % 27, part, 16 + 4 * i);
    for (size_t i = 0; i < back; i++)
        put_jump(part, i, 0, 32 + 4 * i);
}

/* Which one; 0: none. */
static size_t found(void)
{
    struct unwind_table t = procedures_table(&made);
    struct python_memory memory = {.read = read_made};
    struct procedure p = {0};
    if (!split_find(&t, machine, &memory, procedure_begin(0), &p))
        return 0;
    for (size_t i = 1; i <= part_count; i++)
        if (p.begin == procedure_begin(i) && p.end == procedure_begin(i + 1) && p.inner)
            return i;
    cr_assert_fail("something else");
    return 0;
}

static const unsigned machines[] = {EM_X86_64, EM_AARCH64};

Test(split, several_jumps_in_both_directions)
{
    for (size_t m = 0; m < 2; m++)
        for (size_t there = 0; there <= 5; there++)
            for (size_t back = 0; back <= 5; back++) {
                begin(machines[m], 3, 1);
                tie(2, there, back);
                cr_expect_eq(found(), there >= 4 && back >= 4 ? 2 : 0, "%zu there, %zu back", there, back);
            }
}

Test(split, to_one_place_is_not_several)
{
    for (size_t m = 0; m < 2; m++) {
        begin(machines[m], 1, 0);
        tie(1, 3, 5);
        for (size_t i = 3; i < 9; i++)
            put_jump(0, i, 1, 16 + 4 * (i % 3));
        cr_expect_eq(found(), 0);
        put_jump(0, 9, 1, 100);
        cr_expect_eq(found(), 1);
    }
}

/* Where a function begins, others jump to it instead of calling it. */
Test(split, to_the_beginning_does_not_count)
{
    begin(EM_X86_64, 1, 0);
    tie(1, 5, 3);
    put_jump(1, 3, 0, 0);
    cr_expect_eq(found(), 0);
    put_jump(1, 4, 0, 1);
    cr_expect_eq(found(), 1);
}

Test(split, what_can_be_called_is_no_part)
{
    begin(EM_X86_64, 2, 2);
    tie(1, 5, 5);
    cr_expect_eq(found(), 0);
}

Test(split, a_part_has_no_parts)
{
    begin(EM_X86_64, 2, 0);
    for (size_t i = 0; i < 5; i++) {
        put_jump(1, i, 2, 16 + 4 * i);
        put_jump(2, i, 1, 16 + 4 * i);
    }
    struct procedure p;
    struct python_memory memory = {.read = read_made};
    struct unwind_table t = procedures_table(&made);
    cr_expect_not(split_find(&t, machine, &memory, procedure_begin(1), &p));
}

Test(split, one_of_two_is_not_certain)
{
    begin(EM_AARCH64, 3, 0);
    tie(1, 5, 5);
    cr_expect_eq(found(), 1);
    tie(3, 5, 3);
    cr_expect_eq(found(), 1);
    tie(3, 5, 4);
    cr_expect_eq(found(), 0);
}

Test(split, of_too_many_none_is_looked_at)
{
    begin(EM_X86_64, 20, 0);
    tie(1, 4, 4);
    for (size_t i = 2; i <= 16; i++)
        put_jump(0, 8 + i, i, 8);
    cr_expect_eq(found(), 1);
    put_jump(0, 25, 17, 8);
    cr_expect_eq(found(), 0);
}

Test(split, what_cannot_be_read)
{
    struct procedure p;
    struct python_memory memory = {.read = read_made};
    begin(EM_X86_64, 1, 0);
    tie(1, 5, 5);
    unreadable = procedure_begin(1);
    cr_expect_eq(found(), 0);
    unreadable = procedure_begin(0);
    cr_expect_eq(found(), 0);
    unreadable = 0;
    machine = EM_RISCV;
    cr_expect_eq(found(), 0);
    machine = EM_X86_64;
    struct unwind_table t = procedures_table(&made);
    cr_expect_not(split_find(&t, machine, &memory, procedure_begin(0) + 1, &p), "not where a function begins");
    cr_expect_not(split_find(&t, machine, &memory, procedure_begin(9), &p), "nothing");
    cr_expect_eq(found(), 1);
}

/* Half of all bytes are those that jumps begin with; no code, however it looks, is read beyond its end. */
Test(split, of_noise)
{
    static const uint8_t usual[] = {0xe9, 0x0f, 0x84, 0x00, 0x00, 0xff};
    struct random r = random_seeded(5);
    for (int i = 0; i < 500; i++) {
        begin(machines[i % 2], 20, 5);
        for (size_t k = 0; k < sizeof made.code; k++)
            made.code[k] = random_chance(&r, 50) ? usual[random_below(&r, sizeof usual)] : (uint8_t)random_below(&r, 256);
        cr_assert_leq(found(), part_count);
    }
}

/* ---- of this program ---- */

TestSuite(split_code, .init = look, .fini = forget);

static int read_own(void *context, uint64_t address, void *buffer, size_t size)
{
    (void)context;
    return remote_read(getpid(), address, buffer, size);
}

static bool find_part(const struct image *i, uint64_t function, struct procedure *p)
{
    struct unwind_table t = image_unwind_table(i);
    struct python_memory memory = {.read = read_own};
    return i->kept && split_find(&t, i->file.machine, &memory, function, p);
}

static int seven(void) { return 7; }

Test(split_code, the_part_is_found_without_its_name)
{
    uint64_t function = (uint64_t)(uintptr_t)_PyEval_EvalFrameDefault;
    const struct image *i = images_find(&images, function);
    struct procedure p;
    uint64_t named = image_symbol(i, "_PyEval_EvalFrameDefault.cold");
    cr_expect_eq(_PyEval_EvalFrameDefault("habcdef!", seven), 7 + 1 + 1 + 2 + 3 + 4 + 5 + 6);
    if (!named)
        cr_skip("this compiler has not split it");
    cr_assert(find_part(i, function, &p));
    cr_expect_eq(p.begin, named);
    cr_expect_eq(image_symbol_at(i, p.end - 1)->address, named);
}

/* A function may have several names. */
static bool is_named_after(const struct image *i, const struct image_symbol *part, uint64_t function)
{
    size_t length = strlen(part->name);
    bool cold = length > 5 && strcmp(part->name + length - 5, ".cold") == 0;
    for (size_t k = 0; cold && k < i->symbols; k++)
        if (i->symbol[k].address == function && strlen(i->symbol[k].name) == length - 5 && strncmp(i->symbol[k].name, part->name, length - 5) == 0)
            return true;
    return false;
}

/* Of all functions of all files here: the one that is named so, if any is named. */
Test(split_code, never_another_one)
{
    struct procedure p;
    for (size_t k = 0; k < images.count; k++) {
        const struct image *i = &images.image[k];
        uint64_t before = 0;
        for (size_t n = 0; n < i->symbols; n++) {
            const struct image_symbol *s = &i->symbol[n];
            if (!s->code || s->address == before || !find_part(i, before = s->address, &p))
                continue;
            const struct image_symbol *part = image_symbol_at(i, p.begin);
            cr_expect(!part || is_named_after(i, part, s->address), "%s: %s", s->name, part->name);
        }
    }
}
