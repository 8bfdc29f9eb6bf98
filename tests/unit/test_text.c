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
    check_path(row, 29, "Server.run (.../server.py:12)"); /* the name and that of the file are whole as long as they can be */
    check_path(row, 26, "Server.run (...rver.py:12)"); /* then as much of them as there is room for, and the line */
    check_path(row, 23, "Serve... (...ver.py:12)");
    check_path("_load_unlocked (<frozen importlib._bootstrap>:666)", 40, "_load_unlocked (...tlib._bootstrap>:666)");
    check_path("no place", 4, "n...");
    check_path("a (b) (/long/long/path/x.py:1)", 20, "a (b) (/l.../x.py:1)");
    check_path("f (x.py:1)", 3, "...");
}

Test(text, what_a_path_needs_is_what_it_is_known_by)
{
    cr_expect_eq(text_least_path("Server.run (/usr/lib/python3/dist-packages/app/server.py:12)"), 29);
    cr_expect_eq(text_least_path("f (/a/x.py:1)"), 13, "dots would not make it shorter");
    cr_expect_eq(text_least_path("f (x.py:1)"), 10);
    cr_expect_eq(text_least_path("no place"), 8);
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

static void check_folded(const char *text, size_t width, const char *expected)
{
    char *folded = NULL;
    size_t bytes;
    FILE *out = open_memstream(&folded, &bytes);
    text_print_folded(text, width, out);
    fclose(out);
    cr_expect_str_eq(folded, expected, "%zu columns: \"%s\", expected \"%s\"", width, folded, expected);
    free(folded);
}

Test(text, lines_are_folded_at_blanks)
{
    check_folded("one two three\n\nfour\n", 0, "one two three\n\nfour\n");
    check_folded("one two three\n\nfour\n", 13, "one two three\n\nfour\n");
    check_folded("one two three\n\nfour\n", 9, "one two\n  three\n\nfour\n");
    check_folded("one two three four", 8, "one two\n  three\n  four\n");
    check_folded("without_any_blank", 8, "without_\n  any_bl\n  ank\n");
    check_folded("\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac", 5, "\xe6\x97\xa5\xe6\x9c\xac\n  \xe6\x97\xa5\n  \xe6\x9c\xac\n");
    check_folded("", 5, "");
}
