#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "wording.h"

static void write_name(const void *name, char *buffer, size_t size) { snprintf(buffer, size, "%s", (const char *)name); }
static void write_long(const void *name, char *buffer, size_t size)
{
    (void)name;
    memset(buffer, 'x', size - 1);
    buffer[size - 1] = '\0';
}

static const struct wording_field fields[] = {{"name", write_name}, {"names", write_long}, {0}};

static const char *filled(const char *what, const char *name)
{
    static struct wording_text t;
    wording_fill(&t, &(struct wording){what, "", ""}, fields, name);
    return t.what;
}

Test(wording, fields_are_filled_in)
{
    cr_expect_str_eq(filled("plain", "x"), "plain");
    cr_expect_str_eq(filled("{name}", "x"), "x");
    cr_expect_str_eq(filled("of {name}: {name}.", "x"), "of x: x.");
    cr_expect_str_eq(filled("100 %s of {name}", "x"), "100 %s of x");
}

Test(wording, what_was_filled_in_is_not_looked_at_again) { cr_expect_str_eq(filled("<{name}>", "{names}"), "<{names}>"); }

Test(wording, what_is_too_long_is_cut)
{
    cr_expect_eq(strlen(filled("{names}", "")), 255);
    cr_expect_eq(strlen(filled("of {names}, {name} and {names}", "x")), 255);
}

Test(wording, as_an_error, .init = cr_redirect_stderr)
{
    const struct wording w = {"{name} is not there", "it has gone", "look for {name}"};
    cr_expect_eq(wording_fail(EXIT_TIMEOUT, &w, fields, "x"), EXIT_TIMEOUT);
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: x is not there\n  it has gone\n  try: look for x\n");
}
