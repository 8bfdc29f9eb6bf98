#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python_frames.h"

/* A made-up memory that lies in every way: each word is a pointer into it, or anything. */
#define WORDS 4096
#define BASE 0x10000u

static uint64_t word[WORDS];
static uint64_t reads;

static int read_words(void *context, uint64_t address, void *buffer, size_t size)
{
    (void)context;
    reads++;
    if (address < BASE || address > BASE + sizeof word || BASE + sizeof word - address < size)
        return -EFAULT;
    memcpy(buffer, (char *)word + (address - BASE), size);
    return 0;
}

static const struct python_memory memory = {.read = read_words};

static uint64_t some_word(unsigned *seed)
{
    int kind = rand_r(seed) % 8;
    if (kind < 5)
        return BASE + 8 * ((uint64_t)rand_r(seed) % WORDS);
    if (kind == 5)
        return (uint64_t)rand_r(seed) % 256;
    return kind == 6 ? 0 : (uint64_t)rand_r(seed) << 32 | (uint64_t)rand_r(seed);
}

static void check_sane(const struct python_stacks *s)
{
    for (size_t i = 0; i < s->threads; i++)
        for (size_t k = 0; k < s->thread[i].frames; k++) {
            const struct python_frame *f = &s->thread[i].frame[k];
            cr_assert_lt(f->code, s->code_count);
            cr_assert_not_null(s->codes[f->code].function);
            cr_assert_not_null(s->codes[f->code].file);
        }
}

static void read_wild(unsigned seed, uint32_t version, bool told)
{
    struct python_stacks s;
    for (size_t i = 0; i < WORDS; i++)
        word[i] = some_word(&seed);
    if (told) {
        memcpy(word, "xdebugpy", 8);
        for (size_t i = 1; i < 128; i++)
            word[i] = (uint64_t)rand_r(&seed) % 64 * 8;
    }
    if (python_frames_read(&s, &memory, BASE, version) == 0) {
        check_sane(&s);
        python_frames_free(&s);
    }
}

Test(python_frames, wild_memory, .timeout = 300)
{
    for (unsigned seed = 0; seed < 400; seed++)
        for (uint32_t minor = 9; minor <= 15; minor++)
            read_wild(seed * 16 + minor, 0x030000f0u | minor << 16, minor >= 13);
}

Test(python_frames, versions_that_are_not_known)
{
    struct python_stacks s;
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x030812f0), -EPROTONOSUPPORT);
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x03100000), -EPROTONOSUPPORT);
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x020712f0), -EPROTONOSUPPORT);
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0), -EPROTONOSUPPORT);
}

Test(python_frames, nothing_is_there)
{
    struct python_stacks s;
    cr_expect_eq(python_frames_read(&s, &memory, 0, 0x030b07f0), -EFAULT);
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x030b07f0), -EBADMSG, "no interpreter yet");
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x030d00f0), -EBADMSG, "it does not tell what it should");
    memcpy(word, "xdebugpy", 8);
    memset(word + 1, 0xff, sizeof word - 8);
    cr_expect_eq(python_frames_read(&s, &memory, BASE, 0x030d00f0), -EBADMSG, "offsets that cannot be");
}
