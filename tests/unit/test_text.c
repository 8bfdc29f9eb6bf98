#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

TestSuite(text, .init = text_init);

Test(text, widths)
{
    cr_expect_eq(text_width(""), 0);
    cr_expect_eq(text_width("abc"), 3);
    cr_expect_eq(text_width("\xc3\xa9t\xc3\xa9"), 3);          /* two letters with accents */
    cr_expect_eq(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);   /* two wide characters */
    cr_expect_eq(text_width("e\xcc\x81"), 1);                  /* a combining accent */
    cr_expect_eq(text_width("a\xff\xfe"), 3);                  /* not UTF-8: a column a byte */
    cr_expect_eq(text_width("\xe6\x97"), 2);                   /* cut in the middle of a character */
}

static void check_end(const char *before, size_t width, const char *after)
{
    char text[256];
    snprintf(text, sizeof text, "%s", before);
    text_cut_end(text, width);
    cr_expect_str_eq(text, after);
    cr_expect_leq(text_width(text), width > 3 ? width : 3);
}

Test(text, cut_at_the_end)
{
    check_end("short", 5, "short");
    check_end("much too long", 8, "much ...");
    check_end("\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac", 6, "\xe6\x97\xa5...");
    check_end("abcdef", 2, "...");
    check_end("ab", 1, "ab"); /* nothing shorter to say */
}

static void check_path(const char *before, size_t width, const char *after)
{
    char text[256];
    snprintf(text, sizeof text, "%s", before);
    text_cut_path(text, width);
    cr_expect_str_eq(text, after, "%zu columns: \"%s\", expected \"%s\"", width, text, after);
}

Test(text, the_middle_of_a_path_goes_first)
{
    const char *row = "Server.run (/usr/lib/python3/dist-packages/app/server.py:12)";
    check_path(row, 60, row);
    check_path(row, 44, "Server.run (/usr/li...ages/app/server.py:12)");
    check_path(row, 30, "Server.run (/.../server.py:12)");
    check_path(row, 10, "Server.run (.../server.py:12)"); /* neither the name nor that of the file is cut */
    check_path("no place", 4, "no place");
    check_path("a (b) (/long/long/path/x.py:1)", 20, "a (b) (/l.../x.py:1)");
    check_path("f (x.py:1)", 3, "f (x.py:1)");
}

Test(text, every_width_and_every_cut_stays_within_the_text)
{
    for (size_t width = 0; width < 80; width++) {
        char *text = strdup("n\xc3\xa9v (/\xe6\x97\xa5\xe6\x9c\xac/\xff\xfe/a/b/c/d/e/f/g/h/i/j/\xe6\x97\xa5.py:7)");
        size_t bytes = strlen(text);
        text_cut_path(text, width);
        cr_expect_leq(strlen(text), bytes);
        text_cut_end(text, width);
        cr_expect_leq(strlen(text), bytes);
        free(text);
    }
}
