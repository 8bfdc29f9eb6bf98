#include <criterion/criterion.h>

#include "pairing.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MOST = 16 };

static struct pairing found[MOST];

#define PAIR(a, b, same) cr_assert(pairing_make(found, a, COUNT(a), b, COUNT(b), same))

static void check(size_t b, size_t a, enum pairing_by by)
{
    cr_assert_eq(found[b].other, a, "%zu is %zu, not %zu", b, found[b].other, a);
    cr_expect_eq(found[b].by, by, "%zu: by %s, not by %s", b, pairing_name(found[b].by), pairing_name(by));
}

static void check_none(size_t b) { cr_expect_eq(found[b].other, PAIRING_NONE, "%zu is %zu", b, found[b].other); }

Test(pairing, a_line_that_moved_does_not_matter)
{
    const struct identity a[] = {{"f", "app", "/x/app.py", 10, 0, 0}, {"g", "app", "/x/app.py", 20, 0, 0}};
    const struct identity b[] = {{"g", "app", "/x/app.py", 10, 0, 0}, {"f", "app", "/x/app.py", 90, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FILE);
    PAIR(a, b, true);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FILE);
}

Test(pairing, another_name_kind_or_track_is_another)
{
    const struct identity a[] = {{"f", "app", "/x/app.py", 10, 0, 0}};
    const struct identity b[] = {{"h", "app", "/x/app.py", 10, 0, 0}, {"f", "app", "/x/app.py", 10, 1, 0}, {"f", "app", "/x/app.py", 10, 0, 2}};
    PAIR(a, b, false);
    for (size_t i = 0; i < COUNT(b); i++)
        check_none(i);
}

Test(pairing, as_many_alike_go_by_their_order)
{
    const struct identity a[] = {{"<lambda>", "app", "app.py", 12, 0, 0}, {"<lambda>", "app", "app.py", 10, 0, 0}};
    const struct identity b[] = {{"<lambda>", "app", "app.py", 12, 0, 0}, {"<lambda>", "app", "app.py", 14, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FILE);
    PAIR(a, b, true);
    check(0, 0, PAIRING_FILE);
    check_none(1);
}

Test(pairing, more_on_one_side_go_by_line_first)
{
    const struct identity a[] = {{"C.f", "app", "app.py", 10, 0, 0}, {"C.f", "app", "app.py", 20, 0, 0}, {"C.f", "app", "app.py", 30, 0, 0}};
    const struct identity b[] = {{"C.f", "app", "app.py", 20, 0, 0}, {"C.f", "app", "app.py", 31, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FILE);
    PAIR(b, a, false);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FILE);
    check_none(2);
}

Test(pairing, another_folder)
{
    const struct identity a[] = {{"f", "app", "/x/app.py", 10, 0, 0}, {"f", "lib", "/x/lib.py", 10, 0, 0}};
    const struct identity b[] = {{"f", "lib", "lib.py", 10, 0, 0}, {"f", "app", "/y/z/app.py", 11, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_FOLDER);
    check(1, 0, PAIRING_FOLDER);
}

Test(pairing, the_same_path_comes_before_another_folder)
{
    const struct identity a[] = {{"f", "m", "/x/m.py", 10, 0, 0}, {"f", "m", "/y/m.py", 10, 0, 0}};
    const struct identity b[] = {{"f", "m", "/y/m.py", 10, 0, 0}, {"f", "m", "/z/m.py", 10, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_FILE);
    check(1, 0, PAIRING_FOLDER);
}

Test(pairing, a_file_that_was_renamed_or_moved)
{
    const struct identity a[] = {{"f", "app.old", "/x/app/old.py", 10, 0, 0}, {"g", "app.old", "/x/app/old.py", 20, 0, 0}, {"main", "__main__", "/x/a.py", 1, 0, 0},
                                 {"h", "shop.api", "/x/shop/api.py", 3, 0, 0}};
    const struct identity b[] = {{"g", "app.new", "/x/app/new.py", 10, 0, 0}, {"f", "app.new", "/x/app/new.py", 30, 0, 0}, {"main", "__main__", "/x/b.py", 1, 0, 0},
                                 {"h", "store.api", "/x/store/api.py", 3, 0, 0}};
    PAIR(a, b, false);
    check(0, 1, PAIRING_NAME);
    check(1, 0, PAIRING_NAME);
    check(2, 2, PAIRING_RENAMED);
    check(3, 3, PAIRING_MODULE);
    PAIR(a, b, true);
    for (size_t i = 0; i < COUNT(b); i++)
        check_none(i);
}

/* One that went from a file that is there still, and one that came elsewhere, have nothing to do with each other. */
Test(pairing, a_file_that_is_there_still_was_not_renamed)
{
    const struct identity a[] = {{"f", "app", "app.py", 10, 0, 0}, {"helper", "app", "app.py", 20, 0, 0}};
    const struct identity b[] = {{"f", "app", "app.py", 10, 0, 0}, {"helper", "other", "other.py", 20, 0, 0}};
    PAIR(a, b, false);
    check(0, 0, PAIRING_FILE);
    check_none(1);
}

Test(pairing, a_name_that_several_have_is_not_enough)
{
    const struct identity a[] = {{"get", "old", "old.py", 10, 0, 0}, {"<lambda>", "old", "old.py", 11, 0, 0}};
    const struct identity b[] = {{"get", "new", "new.py", 10, 0, 0}, {"get", "newer", "newer.py", 10, 0, 0}, {"<lambda>", "new", "new.py", 11, 0, 0}};
    PAIR(a, b, false);
    for (size_t i = 0; i < COUNT(b); i++)
        check_none(i);
}

Test(pairing, numbers_of_generated_files_do_not_count)
{
    const struct identity a[] = {{"f", "__main__", "<ipython-input-3-ab>", 1, 0, 0}, {"g", "app", "<string>", 2, 0, 0}};
    const struct identity b[] = {{"f", "__main__", "<ipython-input-14-ab>", 1, 0, 0}, {"g", "app", "<string>", 7, 0, 0}};
    PAIR(a, b, true);
    check(0, 0, PAIRING_FILE);
    check(1, 1, PAIRING_FILE);
}

Test(pairing, none_and_nothing)
{
    const struct identity a[] = {{"", "", "", 0, 0, 0}};
    cr_expect(pairing_make(found, NULL, 0, a, 1, false));
    check_none(0);
    cr_expect(pairing_make(found, a, 1, NULL, 0, false));
    cr_expect(pairing_make(found, a, 1, a, 1, false));
    check(0, 0, PAIRING_FILE);
}
