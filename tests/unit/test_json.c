#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static char *written;
static size_t written_bytes;
static FILE *out;
static struct json j;

static void begin(void)
{
    out = open_memstream(&written, &written_bytes);
    json_begin(&j, out);
}

static void end(void) { free(written); }

TestSuite(json, .init = begin, .fini = end);

/* Line breaks are for people: the comparison leaves them and what indents them out. */
static void expect(const char *expected)
{
    cr_assert(json_finish(&j));
    fclose(out);
    char *to = written;
    for (const char *p = written; *p; p++) {
        if (*p == '\n')
            p += strspn(p + 1, " ");
        else
            *to++ = *p;
    }
    *to = '\0';
    cr_expect_str_eq(written, expected);
}

Test(json, commas_and_brackets_come_right)
{
    json_object(&j, NULL);
    json_count(&j, "a", 1);
    json_array(&j, "b");
    json_end(&j);
    json_array(&j, "c");
    json_count(&j, NULL, 1);
    json_object(&j, NULL);
    json_end(&j);
    json_object(&j, NULL);
    json_bool(&j, "x", true);
    json_null(&j, "y");
    json_end(&j);
    json_end(&j);
    json_bool(&j, "d", false);
    expect("{\"a\": 1,\"b\": [],\"c\": [1,{},{\"x\": true, \"y\": null}],\"d\": false}");
}

Test(json, finishing_closes_what_is_open)
{
    json_object(&j, NULL);
    json_array(&j, "a");
    json_object(&j, NULL);
    json_array(&j, "b");
    json_count(&j, NULL, 7);
    expect("{\"a\": [{\"b\": [7]}]}");
}

Test(json, ending_too_much_is_harmless)
{
    json_object(&j, NULL);
    json_end(&j);
    json_end(&j);
    expect("{}");
}

Test(json, strings_are_escaped)
{
    json_array(&j, NULL);
    json_string(&j, NULL, "quote \" backslash \\ slash /");
    json_string(&j, NULL, "\b\f\n\r\t\x01\x1f\x7f");
    json_string(&j, NULL, NULL);
    expect("[\"quote \\\" backslash \\\\ slash /\",\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\",null]");
}

Test(json, what_is_no_utf8_is_a_surrogate)
{
    json_array(&j, NULL);
    json_string(&j, NULL, "\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80");
    json_string(&j, NULL, "\xff");
    json_string(&j, NULL, "\xc0\xaf");         /* overlong */
    json_string(&j, NULL, "\xe0\x80\xaf");     /* overlong */
    json_string(&j, NULL, "\xed\xa0\x80");     /* a surrogate */
    json_string(&j, NULL, "a\xc0\x80" "b");    /* NUL */
    json_string(&j, NULL, "\xf4\x90\x80\x80"); /* beyond U+10FFFF */
    json_string(&j, NULL, "\xe6\x97");         /* cut short */
    expect("[\"\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80\",\"\\udcff\",\"\\udcc0\\udcaf\",\"\\udce0\\udc80\\udcaf\","
           "\"\\ud800\",\"a\\u0000b\",\"\\udcf4\\udc90\\udc80\\udc80\",\"\\udce6\\udc97\"]");
}

Test(json, numbers)
{
    json_array(&j, NULL);
    json_count(&j, NULL, UINT64_MAX);
    json_number(&j, NULL, 0.5);
    json_number(&j, NULL, 1e300);
    json_number(&j, NULL, NAN);
    json_number(&j, NULL, -INFINITY);
    json_number(&j, NULL, 4.3);
    json_number(&j, NULL, 0.1 + 0.2);
    expect("[18446744073709551615,0.5,1e+300,null,null,4.3,0.30000000000000004]");
}

Test(json, depth_has_no_limit)
{
    enum { DEPTH = 5000 };
    for (int i = 0; i < DEPTH; i++)
        json_array(&j, NULL);
    cr_assert(json_finish(&j));
    fclose(out);
    size_t opened = 0, closed = 0;
    for (const char *p = written; *p; p++) {
        opened += *p == '[';
        closed += *p == ']';
    }
    cr_expect_eq(opened, DEPTH);
    cr_expect_eq(closed, DEPTH);
}
