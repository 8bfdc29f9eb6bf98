#include <criterion/criterion.h>

#include "descendants.h"

/* Words as in /proc/PID/cmdline; the last is ended by the literal. */
#define DEAF(line) cr_expect(descendants_is_deaf(line, sizeof line), "%s", line)
#define HEARS(line) cr_expect_not(descendants_is_deaf(line, sizeof line), "%s", line)

Test(descendants, an_interpreter_that_takes_nothing_from_its_environment)
{
    DEAF("python3\0-I\0x.py");
    DEAF("/usr/bin/python3.11\0-E");
    DEAF("python\0-S\0-c\0pass");
    DEAF("python\0-sIB\0x.py");
    DEAF("python\0-u\0-W\0error\0-X\0dev\0-I\0x.py");
    DEAF("python\0-Wignore\0-I");
    DEAF("python\0-Im\0module");
}

Test(descendants, one_that_does)
{
    HEARS("python3\0x.py\0-I");
    HEARS("python3\0-c\0pass\0-I");
    HEARS("python3\0-m\0module\0-E");
    HEARS("python3\0-mmoduleIES");
    HEARS("python3\0-W\0-I\0x.py");
    HEARS("python3\0-XI");
    HEARS("python3\0--\0-I");
    HEARS("python3\0-\0-I");
    HEARS("python3\0--help-all\0-I");
    HEARS("python3");
    HEARS("sh\0-E");
    HEARS("/usr/bin/env\0python\0-I");
    HEARS("");
}
