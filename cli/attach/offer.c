#include "offer.h"

#include <stdio.h>
#include <unistd.h>

/* The first letter of a line; what comes after the line is left for who reads next. */
static char read_answer(void)
{
    char first = '\0', c;
    while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
        if (!first && c != ' ' && c != '\t')
            first = c;
    return first;
}

bool offer_to_attach(const struct plan *p)
{
    char version[32];
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    target_version(&p->target, version, sizeof version);
    fprintf(stderr,
            "tscap: process %d is CPython %s, but has not imported timestamp_capture\n"
            "  attach to it now, and detach on leaving? [y/N] ",
            (int)p->pid, version);
    char answer = read_answer();
    return answer == 'y' || answer == 'Y';
}
