/* The tables of RFC 3629, section 4: each boundary from both sides. */
#include <criterion/criterion.h>

#include "utf8.h"

Test(utf8, characters)
{
    cr_expect_eq(utf8_sequence(""), 1, "the end is one, too");
    cr_expect_eq(utf8_sequence("a"), 1);
    cr_expect_eq(utf8_sequence("\x7f"), 1);
    cr_expect_eq(utf8_sequence("\xc2\x80"), 2);
    cr_expect_eq(utf8_sequence("\xdf\xbf"), 2);
    cr_expect_eq(utf8_sequence("\xe0\xa0\x80"), 3);
    cr_expect_eq(utf8_sequence("\xed\x9f\xbf"), 3);
    cr_expect_eq(utf8_sequence("\xee\x80\x80"), 3);
    cr_expect_eq(utf8_sequence("\xef\xbf\xbf"), 3);
    cr_expect_eq(utf8_sequence("\xf0\x90\x80\x80"), 4);
    cr_expect_eq(utf8_sequence("\xf4\x8f\xbf\xbf"), 4);
    cr_expect_eq(utf8_sequence("\xc3\xa9t\xc3\xa9"), 2, "the first of several");
}

static const char *const broken[] = {
    "\x80", "\xbf",                         /* the middle of one */
    "\xc3", "\xe2\x82", "\xf0\x9f\x98",     /* cut short by the end */
    "\xc3z", "\xe2\x82z", "\xf0\x9f\x98z",  /* or by another */
    "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", /* longer than need be */
    "\xed\xa0\x80", "\xed\xbf\xbf",         /* surrogates */
    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", /* beyond U+10FFFF */
};

Test(utf8, what_is_none)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        cr_expect_eq(utf8_sequence(broken[i]), 0, "number %zu", i);
}

static void check(const char *text, uint32_t code, size_t bytes)
{
    uint32_t is;
    cr_expect_eq(utf8_character(text, &is), bytes);
    cr_expect_eq(is, code, "%x, not %x", is, code);
}

Test(utf8, a_character_of_a_name)
{
    check("a", 'a', 1);
    check("\x7f", 0x7f, 1);
    check("\xc3\xa9", 0xe9, 2);
    check("\xe6\x97\xa5", 0x65e5, 3);
    check("\xf0\x9f\x98\x80", 0x1f600, 4);
    check("\xf4\x8f\xbf\xbf", 0x10ffff, 4);
    check("\xc0\x80", 0, 2);
    check("\xed\xa0\x80", 0xd800, 3);
    check("\xed\xb3\xa9", 0xdce9, 3);
    check("\xed\xbf\xbf", 0xdfff, 3);
}

Test(utf8, a_byte_that_begins_no_character_of_a_name)
{
    check("\xff", 0xdcff, 1);
    check("\x80", 0xdc80, 1);
    check("\xc0", 0xdcc0, 1);
    check("\xc0\x81", 0xdcc0, 1);
    check("\xed\xa0", 0xdced, 1);
    check("\xed", 0xdced, 1);
    check("\xe6\x97", 0xdce6, 1);
    check("\xf4\x90\x80\x80", 0xdcf4, 1);
}
