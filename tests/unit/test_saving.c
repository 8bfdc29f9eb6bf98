/* What a capture is called when nobody says. */
#include <criterion/criterion.h>

#include <string.h>

#include "saving.h"

static const char *name_of(const char *command)
{
    static char name[SAVING_NAME];
    saving_name(command, name);
    return name;
}

Test(saving, a_script_a_module_or_a_program)
{
    cr_expect_str_eq(name_of("python3 app.py"), "app");
    cr_expect_str_eq(name_of("/usr/bin/python3.13 -X dev -W error -u /srv/my app.py"), "my");
    cr_expect_str_eq(name_of("python3 -m http.server 8000"), "http.server");
    cr_expect_str_eq(name_of("python3 -I -m package --flag"), "package");
    cr_expect_str_eq(name_of("/opt/env/bin/python /opt/env/bin/gunicorn app:app"), "gunicorn");
    cr_expect_str_eq(name_of("/usr/bin/uwsgi --ini x"), "uwsgi");
    cr_expect_str_eq(name_of("python3 manage.py runserver"), "manage");
}

Test(saving, an_interpreter_alone_is_what_it_is)
{
    cr_expect_str_eq(name_of("python3.9 -c pass"), "python3.9");
    cr_expect_str_eq(name_of("python3 -"), "python3");
    cr_expect_str_eq(name_of("python3 -i"), "python3");
    cr_expect_str_eq(name_of("python3 -m"), "python3");
    cr_expect_str_eq(name_of(""), "python");
}

Test(saving, odd_names_are_made_harmless)
{
    cr_expect_str_eq(name_of("python3 ../.hidden;rm.py"), "_hidden_rm");
    cr_expect_str_eq(name_of("python3 4242.py"), "python", "a number would be a segment's name");
    cr_expect_str_eq(name_of("python3 \xc3\xa9t\xc3\xa9.py"), "__t__");
    cr_expect_str_eq(name_of("/"), "python");
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_expect_lt(strlen(name_of(text)), SAVING_NAME);
}
