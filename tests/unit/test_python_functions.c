#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python_functions.h"

/* A made-up memory that lies in every way: objects of true types, whose words lead anywhere in it, or are anything. */
#define WORDS 8192
#define BASE 0x10000u
#define TYPES 12
#define TYPE_WORDS 48
#define TYPES_AT 1024 /* word */

static uint64_t word[WORDS];

static int read_words(void *context, uint64_t address, void *buffer, size_t size)
{
    (void)context;
    if (address < BASE || address > BASE + sizeof word || BASE + sizeof word - address < size)
        return -EFAULT;
    memcpy(buffer, (char *)word + (address - BASE), size);
    return 0;
}

static const struct python_memory memory = {.read = read_words};

static uint64_t address_of(size_t index) { return BASE + 8 * (uint64_t)index; }
static size_t type_at(size_t type) { return TYPES_AT + type * TYPE_WORDS; }

static uint64_t some_word(unsigned *seed)
{
    int kind = rand_r(seed) % 16;
    if (kind < 7)
        return address_of((size_t)rand_r(seed) % WORDS);
    if (kind < 12)
        return address_of(type_at((size_t)rand_r(seed) % TYPES));
    if (kind < 14)
        return (uint64_t)rand_r(seed) % 16;
    return kind == 14 ? 0 : (uint64_t)rand_r(seed) << 32 | (uint64_t)rand_r(seed);
}

/* The places of tp_name, tp_flags and tp_base are the same in all versions. */
static void make_types(void)
{
    static const char *const names[TYPES] = {"module", "function", "classmethod", "method",  "property", "code",
                                             "cell",   "tuple",    "dict",        "type",    "str",      "functools.partial"};
    for (size_t i = 0; i < TYPES; i++) {
        uint64_t *type = word + type_at(i);
        memset(type + TYPE_WORDS - 4, 0, 32);
        memcpy(type + TYPE_WORDS - 4, names[i], strlen(names[i]));
        type[24 / 8] = address_of(type_at(i) + TYPE_WORDS - 4);
        type[168 / 8] = strcmp(names[i], "tuple") == 0 ? 1u << 26 : strcmp(names[i], "dict") == 0 ? 1u << 29 : strcmp(names[i], "type") == 0 ? 1u << 31 : 0;
        type[256 / 8] = 0;
    }
}

/* A way to a function, as it would be: the interpreter, its modules, one that is in its own names, which have a function, and its code. What
 * is behind them is wild. */
enum { INTERPRETER = 2000, DICT = 2200, KEYS = 2220, MODULE = 2300, FUNCTION = 2320, CODE = 2360 };

static void make_object(size_t at, size_t type) { word[at + 1] = address_of(type_at(type)); }

static void make_dict(uint32_t minor)
{
    make_object(DICT, 8);
    word[DICT + 4] = address_of(KEYS);
    word[DICT + 5] = 0;
    word[KEYS + 1] = minor < 11 ? 8 : (uint64_t)3 << 8 | (uint64_t)1 << 16; /* size, or log2 of the bytes of indices and the kind */
    word[KEYS + (minor < 11 ? 4 : 3)] = 20;
    size_t entries = KEYS + (minor < 11 ? 6 : 5), words = minor < 11 ? 3 : 2;
    word[entries + words - 1] = address_of(MODULE);
    word[entries + 2 * words - 1] = address_of(FUNCTION);
}

static void make_way(uint32_t minor)
{
    static const size_t modules[] = {[9] = 856, [10] = 856, [11] = 888, [12] = 944, [13] = 16};
    static const size_t function_code[] = {[9] = 16, [10] = 48, [11] = 48, [12] = 48, [13] = 48};
    static const size_t code_flags[] = {[9] = 36, [10] = 36, [11] = 48, [12] = 48, [13] = 48};
    if (minor < 13)
        word[minor < 11 ? 4 : 5] = address_of(INTERPRETER);
    word[INTERPRETER + modules[minor] / 8] = address_of(DICT);
    make_dict(minor);
    make_object(MODULE, 0);
    word[MODULE + 2] = address_of(DICT);
    make_object(FUNCTION, 1);
    word[FUNCTION + function_code[minor] / 8] = address_of(CODE);
    make_object(CODE, 5);
    word[CODE + code_flags[minor] / 8] = (uint64_t)3 << 32 | 3;
}

/* Where it tells its places: what is true. */
static void make_told(void)
{
    memcpy(word, "xdebugpy", 8);
    word[40 / 8] = 200 * 8;
    word[200] = address_of(INTERPRETER);
    word[64 / 8] = 8;
    word[88 / 8] = 16;
    word[360 / 8] = 8;
}

static void check_sane(const struct python_functions *f)
{
    for (size_t i = 0; i < f->count; i++) {
        cr_assert_lt(f->function[i].scope, f->scopes);
        cr_assert_not_null(f->function[i].qualname);
        cr_assert_not_null(python_function_origin(f, i));
    }
    free(python_functions_library(f));
}

/* How many were found. */
static size_t read_wild(unsigned seed, uint32_t version)
{
    struct python_functions f;
    for (size_t i = 0; i < WORDS; i++)
        word[i] = some_word(&seed);
    make_types();
    make_way(version >> 16 & 0xff);
    if (version >= 0x030d0000)
        make_told();
    if (seed % 4)
        for (int i = 0; i < 8; i++)
            word[INTERPRETER + (size_t)rand_r(&seed) % 400] = some_word(&seed);
    if (python_functions_read(&f, &memory, BASE, version) < 0)
        return 0;
    check_sane(&f);
    size_t count = f.count;
    python_functions_free(&f);
    return count;
}

Test(python_functions, wild_memory, .timeout = 300)
{
    for (uint32_t minor = 9; minor <= 13; minor++) {
        size_t found = 0;
        for (unsigned seed = 0; seed < 400; seed++)
            found += read_wild(seed * 16 + minor, 0x030000f0u | minor << 16);
        cr_expect_geq(found, 100, "the way to a function is found where nothing hides it: 3.%u, %zu", minor, found);
    }
}

Test(python_functions, versions_that_are_not_known)
{
    struct python_functions f;
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0x030812f0), -EPROTONOSUPPORT);
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0x030e00f0), -EPROTONOSUPPORT);
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0), -EPROTONOSUPPORT);
}

Test(python_functions, objects_with_a_longer_head)
{
    struct python_functions f;
    memcpy(word, "xdebugpy", 8);
    word[360 / 8] = 24;
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0x030d00f0), -EPROTONOSUPPORT, "free-threaded");
}

Test(python_functions, nothing_is_there)
{
    struct python_functions f;
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0x030b07f0), -EBADMSG, "no interpreter yet");
    cr_expect_eq(python_functions_read(&f, &memory, BASE, 0x030d00f0), -EBADMSG, "it does not tell what it should");
}
