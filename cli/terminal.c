#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
