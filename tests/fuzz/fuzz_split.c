/* The unwind table and the code of another process, in one piece, from which the rest of a split function is found. The
 * input begins with where the table's header and the function are, and for which machine the code is. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "split.h"

#define BASE 0x400000u

struct image {
    const uint8_t *bytes;
    size_t size;
};

struct beginning {
    uint32_t header, function; /* offsets in what follows */
    uint8_t aarch64;
    uint8_t pad[7];
};

static int read_image(void *context, uint64_t address, void *buffer, size_t size)
{
    const struct image *i = context;
    if (address < BASE || address - BASE > i->size || i->size - (address - BASE) < size)
        return -EFAULT;
    memcpy(buffer, i->bytes + (address - BASE), size);
    return 0;
}

static void look_up(const struct unwind_table *t, uint64_t address)
{
    struct procedure p;
    if (unwind_table_find(t, address, &p))
        MUST(p.begin <= address && address < p.end);
}

static void find_rest(const struct unwind_table *t, unsigned machine, struct image *i, uint64_t function)
{
    struct python_memory memory = {.read = read_image, .context = i};
    struct procedure whole, part;
    if (!split_find(t, machine, &memory, function, &part))
        return;
    MUST(unwind_table_find(t, function, &whole) && whole.begin == function && !whole.inner);
    MUST(part.inner && part.begin != function && part.begin < part.end);
    MUST(part.begin >= BASE && part.end - BASE <= i->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct beginning b;
    if (size < sizeof b + 1)
        return 0;
    memcpy(&b, data, sizeof b);
    size -= sizeof b;
    uint8_t *bytes = malloc(size); /* exactly: one byte too far is seen */
    MUST(bytes != NULL);
    memcpy(bytes, data + sizeof b, size);
    struct image i = {.bytes = bytes, .size = size};
    struct unwind_table t = {.bytes = bytes, .begin = BASE, .end = BASE + size, .header = (uint64_t)BASE + b.header};
    for (uint64_t address = BASE; address < BASE + size; address += 1 + size / 64)
        look_up(&t, address);
    find_rest(&t, b.aarch64 & 1 ? EM_AARCH64 : EM_X86_64, &i, (uint64_t)BASE + b.function);
    free(bytes);
    return 0;
}
