#include <criterion/criterion.h>

#include "labels.h"

static struct profile_site sites[] = {
    {.id = 1, .name = "run", .qualname = "Server.run", .module = "app", .file = "/app.py", .line = 3},
    {.id = 2, .name = "Client.run", .qualname = "Client.run", .module = "app", .file = ""},
    {.id = 3, .name = "query", .qualname = "Database.execute", .module = "db"},   /* @timestamp("query") */
    {.id = 4, .name = "parse", .qualname = "parse", .module = "json"},
    {.id = 5, .name = "parse", .qualname = "parse", .module = "xml"},
    {.id = 6, .name = "a block", .qualname = "", .module = "app"},
    {.id = 9, .name = "rerun", .qualname = "Server.run", .module = "app"},        /* ends alike, but is another word */
};
static const struct profile profile = {.site = sites, .sites = sizeof sites / sizeof *sites};

Test(labels, are_short_where_they_can_be_and_told_apart_where_not)
{
    static const char *const expected[] = {"Server.run", "Client.run", "query", "json.parse", "xml.parse", "a block", "rerun"};
    char **label = labels_make(&profile);
    cr_assert_not_null(label);
    for (uint32_t i = 0; i < profile.sites; i++)
        cr_expect_str_eq(label[i], expected[i]);
    labels_free(label, &profile);
}

Test(labels, place_is_left_out_where_it_is_not_known)
{
    char text[100];
    label_with_place(text, sizeof text, "Server.run", &sites[0]);
    cr_expect_str_eq(text, "Server.run (/app.py:3)");
    label_with_place(text, sizeof text, "Client.run", &sites[1]);
    cr_expect_str_eq(text, "Client.run");
    label_with_place(text, sizeof text, "(other)", NULL);
    cr_expect_str_eq(text, "(other)");
}
