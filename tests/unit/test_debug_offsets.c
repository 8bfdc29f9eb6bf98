#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debug_offsets.h"

/* As 3.14.10 tells it, as far as it is looked at. */
#define VERSION 0x030e0af0u
#define SUPPORT 89

static uint64_t told[128];

static int read_told(void *context, uint64_t address, void *buffer, size_t size)
{
    (void)context;
    if (address > sizeof told || size > sizeof told - address)
        return -EFAULT;
    memcpy(buffer, (char *)told + address, size);
    return 0;
}

static const struct python_memory memory = {.read = read_told};

static void tell(void)
{
    static const uint64_t head[] = {0, VERSION, 0, 400000, 0x48, 0x50, 300000, 7296, 7304, 7352, 7368};
    static const uint64_t support[] = {24, 304, 8076, 0, 4, 512};
    memset(told, 0, sizeof told);
    memcpy(told, head, sizeof head);
    memcpy(told, "xdebugpy", 8);
    told[22] = 880;
    told[24] = 8;
    told[25] = 16;
    told[28] = 176;
    memcpy(told + SUPPORT, support, sizeof support);
}

static int look(struct debug_offsets *o, uint32_t version) { return debug_offsets_read(o, &memory, 0, version); }

Test(debug_offsets, what_it_tells)
{
    struct debug_offsets o;
    tell();
    cr_assert_eq(look(&o, VERSION), 0);
    cr_assert_eq(o.runtime_interpreters, 0x50);
    cr_assert_eq(o.interpreter_main, 7368);
    cr_assert_eq(o.interpreter_enabled, 8076);
    cr_assert_eq(o.thread_interpreter, 16);
    cr_assert_eq(o.thread_pending, 304);
    cr_assert_eq(o.thread_path, 308);
    cr_assert_eq(o.path_size, 512);
}

Test(debug_offsets, versions)
{
    struct debug_offsets o;
    tell();
    cr_assert_eq(look(&o, 0x030d00f0), -EPROTONOSUPPORT);
    cr_assert_eq(look(&o, 0x031000f0), -EPROTONOSUPPORT);
    cr_assert_eq(look(&o, 0x030e0ac1), -EPROTONOSUPPORT, "a release candidate");
    cr_assert_eq(look(&o, 0x030e09f0), -EBADMSG, "memory and file differ");
    told[2] = 1;
    cr_assert_eq(look(&o, VERSION), -EPROTONOSUPPORT, "free-threaded");
}

Test(debug_offsets, lies)
{
    static const struct {
        size_t word;
        uint64_t value;
    } lies[] = {{0, 0}, {3, UINT64_MAX}, {5, 400000}, {6, 1ull << 40}, {7, 299996}, {10, 3}, {22, 100}, {24, 880}, {25, UINT64_MAX},
                {28, 12}, {SUPPORT, 880}, {SUPPORT + 1, UINT64_MAX - 3}, {SUPPORT + 2, 300000}, {SUPPORT + 3, 880}, {SUPPORT + 4, 1 << 20},
                {SUPPORT + 5, 0}, {SUPPORT + 5, 577}};
    struct debug_offsets o;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        tell();
        told[lies[i].word] = lies[i].value;
        cr_assert_eq(look(&o, VERSION), -EBADMSG, "lie %zu", i);
    }
}

Test(debug_offsets, whatever_it_tells_is_within)
{
    struct debug_offsets o;
    unsigned seed = 1;
    size_t taken = 0;
    for (int i = 0; i < 200000; i++) {
        tell();
        for (int k = 0; k < 3; k++)
            told[2 + (size_t)rand_r(&seed) % (SUPPORT + 4)] = (uint64_t)rand_r(&seed) % 128 * 4;
        if (look(&o, VERSION) != 0)
            continue;
        taken++;
        cr_assert_leq(o.thread_pending + 4, o.thread_size);
        cr_assert_leq(o.thread_path + o.path_size, o.thread_size);
        cr_assert_leq(o.thread_breaker + 8, o.thread_size);
    }
    cr_assert_gt(taken, 0);
}
