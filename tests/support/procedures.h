/* A made-up image: procedures with code of jumps, and the table that describes them as linkers do. */
#ifndef TSCAP_TESTS_PROCEDURES_H
#define TSCAP_TESTS_PROCEDURES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unwind_table.h"

#define PROCEDURES_MAX 32
#define PROCEDURE_BYTES 0x100u /* each, one after the other */
#define PROCEDURES_CODE 0x400000u
#define PROCEDURES_TABLE (PROCEDURES_CODE + PROCEDURES_MAX * PROCEDURE_BYTES)

struct procedures { /* the table right behind the code, as the addresses say */
    uint8_t code[PROCEDURES_MAX * PROCEDURE_BYTES];
    uint8_t table[4096];
    size_t count, used; /* used: of the table */
    uint64_t description[PROCEDURES_MAX];
};

static inline uint64_t procedure_begin(size_t number) { return PROCEDURES_CODE + PROCEDURE_BYTES * number; }

static inline void procedures_put(struct procedures *p, const void *bytes, size_t size)
{
    memcpy(p->table + p->used, bytes, size);
    p->used += size;
}

static inline void procedures_put_word(struct procedures *p, uint64_t word)
{
    uint32_t low = (uint32_t)word;
    procedures_put(p, &low, sizeof low);
}

/* What is common: version 1, "zR", units 1 and -8, return address 16; encoding 0x1b; def_cfa r7 + 8; offset r16. */
static inline void procedures_begin(struct procedures *p, size_t count)
{
    static const uint8_t common[] = {20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0};
    *p = (struct procedures){.used = sizeof(struct unwind_header) + 8 * count};
    procedures_put(p, common, sizeof common);
}

/* `instructions`: of call frames, [0] is how many bytes. */
static inline size_t procedures_add(struct procedures *p, size_t count, const uint8_t *instructions)
{
    size_t common = sizeof(struct unwind_header) + 8 * count, number = p->count++;
    p->description[number] = PROCEDURES_TABLE + p->used;
    procedures_put_word(p, 13 + instructions[0]);
    procedures_put_word(p, p->used - common);
    procedures_put_word(p, procedure_begin(number) - (PROCEDURES_TABLE + p->used));
    procedures_put_word(p, PROCEDURE_BYTES);
    procedures_put(p, "", 1); /* no augmentation */
    procedures_put(p, instructions + 1, instructions[0]);
    return number;
}

static inline struct unwind_table procedures_table(struct procedures *p)
{
    struct unwind_header header = {1, 0x1b, 0x03, 0x3b, 0, (uint32_t)p->count};
    size_t used = p->used;
    p->used = 0;
    procedures_put(p, &header, sizeof header);
    for (size_t i = 0; i < p->count; i++) {
        procedures_put_word(p, procedure_begin(i) - PROCEDURES_TABLE);
        procedures_put_word(p, p->description[i] - PROCEDURES_TABLE);
    }
    p->used = used;
    return (struct unwind_table){.bytes = p->table, .begin = PROCEDURES_TABLE, .end = PROCEDURES_TABLE + used, .header = PROCEDURES_TABLE};
}

/* As number `place` in procedure `from`: a jump to byte `to_byte` of procedure `to`. `machine`: e_machine. */
static inline void procedures_put_jump(struct procedures *p, unsigned machine, size_t from, size_t place, size_t to, size_t to_byte)
{
    size_t at = PROCEDURE_BYTES * from + 8 * place;
    uint32_t distance = (uint32_t)(PROCEDURE_BYTES * to + to_byte - at), aarch64 = 0x14000000 | (distance / 4 & 0x3ffffff);
    uint8_t x86_64[] = {0x0f, 0x85, 0, 0, 0, 0};
    distance -= sizeof x86_64;
    memcpy(x86_64 + 2, &distance, sizeof distance);
    memcpy(p->code + at, machine == EM_X86_64 ? (void *)x86_64 : &aarch64, machine == EM_X86_64 ? sizeof x86_64 : sizeof aarch64);
}

/* Call-frame instructions. */
static const uint8_t procedures_function[] = {6, 0x41, 0x0e, 16, 0x42, 0x0e, 24}; /* pushes come later */
static const uint8_t procedures_part[] = {5, 0x0e, 64, 0x83, 2, 0x41};           /* the frame is there */

#endif
