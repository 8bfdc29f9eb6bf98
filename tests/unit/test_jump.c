/* Encodings as an assembler gives them. */
#include <criterion/criterion.h>
#include <elf.h>
#include <string.h>

#include "jump.h"

#define AT 0x10000u
#define NONE INT64_MAX

struct instruction {
    const char *text;
    uint8_t byte[8];
    size_t size;
    int64_t distance;
};

static void check(unsigned machine, const struct instruction *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t target = 1;
        bool jump = jump_at(machine, list[i].byte, list[i].size, AT, &target);
        cr_expect_eq(jump, list[i].distance != NONE, "%s", list[i].text);
        cr_expect_eq(target, jump ? AT + (uint64_t)list[i].distance : 1, "%s", list[i].text);
        for (size_t size = 0; size < list[i].size; size++)
            cr_expect_not(jump_at(machine, list[i].byte, size, AT, &target), "%s, %zu bytes of it", list[i].text, size);
    }
}
#define CHECK(machine, list) check(machine, list, sizeof list / sizeof *list)

Test(jump, x86_64)
{
    static const struct instruction list[] = {
        {"jmp . + 5", {0xe9, 0, 0, 0, 0}, 5, 5},
        {"jmp .", {0xe9, 0xfb, 0xff, 0xff, 0xff}, 5, 0},
        {"jmp . + 0x12345678", {0xe9, 0x73, 0x56, 0x34, 0x12}, 5, 0x12345678},
        {"jo . + 6", {0x0f, 0x80, 0, 0, 0, 0}, 6, 6},
        {"jg . - 0x100", {0x0f, 0x8f, 0xfa, 0xfe, 0xff, 0xff}, 6, -0x100},
        {"jmp farthest back", {0xe9, 0, 0, 0, 0x80}, 5, 5 - 0x80000000ll},
        {"jmp short", {0xeb, 0xfe}, 2, NONE},
        {"call", {0xe8, 0, 0, 0, 0}, 5, NONE},
        {"seto", {0x0f, 0x90, 0xc0, 0, 0, 0}, 6, NONE},
        {"movaps", {0x0f, 0x28, 0xc1, 0, 0, 0}, 6, NONE},
        {"je short", {0x74, 0x10}, 2, NONE},
        {"jmp *%rax", {0xff, 0xe0}, 2, NONE},
    };
    CHECK(EM_X86_64, list);
    cr_expect_eq(jump_step(EM_X86_64), 1);
}

Test(jump, aarch64)
{
    static const struct instruction list[] = {
        {"b .", {0x00, 0x00, 0x00, 0x14}, 4, 0},
        {"b . - 4", {0xff, 0xff, 0xff, 0x17}, 4, -4},
        {"b . + 128 MiB - 4", {0xff, 0xff, 0xff, 0x15}, 4, 0x7fffffc},
        {"b.eq . + 8", {0x40, 0x00, 0x00, 0x54}, 4, 8},
        {"b.le . - 8", {0xcd, 0xff, 0xff, 0x54}, 4, -8},
        {"cbz w0, . + 4", {0x20, 0x00, 0x00, 0x34}, 4, 4},
        {"cbnz x9, . - 1 MiB", {0x09, 0x00, 0x80, 0xb5}, 4, -0x100000},
        {"tbz w3, #0, . + 12", {0x63, 0x00, 0x00, 0x36}, 4, 12},
        {"tbnz x3, #63, . - 32 KiB", {0x03, 0x00, 0xfc, 0xb7}, 4, -0x8000},
        {"bl", {0x00, 0x00, 0x00, 0x94}, 4, NONE},
        {"ret", {0xc0, 0x03, 0x5f, 0xd6}, 4, NONE},
        {"br x0", {0x00, 0x00, 0x1f, 0xd6}, 4, NONE},
        {"nop", {0x1f, 0x20, 0x03, 0xd5}, 4, NONE},
        {"adr x0, .", {0x00, 0x00, 0x00, 0x10}, 4, NONE},
        {"svc #0", {0x01, 0x00, 0x00, 0xd4}, 4, NONE},
    };
    CHECK(EM_AARCH64, list);
    cr_expect_eq(jump_step(EM_AARCH64), 4);
}

Test(jump, another_machine)
{
    static const uint8_t code[] = {0xe9, 0, 0, 0, 0x14, 0, 0, 0};
    uint64_t target;
    cr_expect_not(jump_at(EM_386, code, sizeof code, AT, &target));
    cr_expect_eq(jump_step(EM_RISCV), 0);
}
