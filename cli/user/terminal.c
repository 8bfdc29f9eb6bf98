#include "terminal.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

size_t terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

static bool set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool is(const char *name, const char *wanted)
{
    const char *value = getenv(name);
    return value && strcmp(value, wanted) == 0;
}

bool terminal_styled(void)
{
    if (set("NO_COLOR"))
        return false;
    if (set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0"))
        return true;
    return isatty(STDOUT_FILENO) && set("TERM") && !is("TERM", "dumb") && !is("CLICOLOR", "0");
}

static const char *terminfo_problem(void)
{
    int found;
    if (setupterm(NULL, STDOUT_FILENO, &found) != OK)
        return found < 0 ? "there is no database of terminals (terminfo)" : "TERM names a terminal that is not known here";
    bool places_cursor = cursor_address && clear_screen;
    del_curterm(cur_term);
    return places_cursor ? NULL : "TERM names a terminal that cannot place its cursor";
}

const char *terminal_problem(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return "standard input and output are not both a terminal";
    return set("TERM") ? terminfo_problem() : "TERM is not set";
}
