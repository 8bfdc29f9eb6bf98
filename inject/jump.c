#include "jump.h"

#include <elf.h>
#include <string.h>

/* jmp and jcc with a distance of 32 bits, counted from the next instruction. */
static bool read_x86_64(const uint8_t *code, size_t size, int64_t *distance)
{
    int32_t rest;
    size_t operation = size && code[0] == 0xe9 ? 1 : size > 1 && code[0] == 0x0f && (code[1] & 0xf0) == 0x80 ? 2 : 0;
    if (operation == 0 || size < operation + sizeof rest)
        return false;
    memcpy(&rest, code + operation, sizeof rest);
    *distance = (int64_t)rest + (int64_t)(operation + sizeof rest);
    return true;
}

/* `bits` of the word from `lowest` on: a distance with sign, in instructions. */
static int64_t words(uint32_t word, unsigned lowest, unsigned bits)
{
    int64_t value = word >> lowest & ((1u << bits) - 1);
    return 4 * (value >> (bits - 1) ? value - ((int64_t)1 << bits) : value);
}

/* b; b.cond; cbz, cbnz; tbz, tbnz. */
static bool read_aarch64(const uint8_t *code, size_t size, int64_t *distance)
{
    uint32_t word;
    if (size < sizeof word)
        return false;
    memcpy(&word, code, sizeof word);
    if (word >> 26 == 0x05)
        *distance = words(word, 0, 26);
    else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
        *distance = words(word, 5, 19);
    else if ((word & 0x7e000000) == 0x36000000)
        *distance = words(word, 5, 14);
    else
        return false;
    return true;
}

static const struct machine {
    unsigned machine;
    size_t step;
    bool (*read)(const uint8_t *code, size_t size, int64_t *distance);
} machines[] = {
    {EM_X86_64, 1, read_x86_64},
    {EM_AARCH64, 4, read_aarch64},
};

static const struct machine *find_machine(unsigned machine)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (machines[i].machine == machine)
            return &machines[i];
    return NULL;
}

bool jump_at(unsigned machine, const uint8_t *code, size_t size, uint64_t address, uint64_t *target)
{
    const struct machine *m = find_machine(machine);
    int64_t distance;
    if (!m || !m->read(code, size, &distance))
        return false;
    *target = address + (uint64_t)distance;
    return true;
}

size_t jump_step(unsigned machine)
{
    const struct machine *m = find_machine(machine);
    return m ? m->step : 0;
}
