#include "no_python.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pythons.h"
#include "status.h"

#define GENERATIONS 64 /* that may lie between */

/* By its name, as "/usr/bin/python2.7": for what is asked of each CPython came with 3.7. */
static bool is_old_python(const char *image)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    return strncmp(name, "python", 6) == 0 && name[6 + strspn(name + 6, "0123456789.")] == '\0';
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
    struct status s;
    for (int i = 0; i < GENERATIONS && pid > 1 && status_read(&s, pid) == 0; i++) {
        pid = s.parent;
        if (pid == ancestor)
            return true;
    }
    return false;
}

/* The first one; 0: there is none. */
static pid_t find_below(pid_t pid)
{
    struct pythons p;
    pid_t found = 0;
    pythons_find(&p, NULL);
    for (size_t i = 0; i < p.count && !found; i++)
        if (descends_from(p.process[i].pid, pid))
            found = p.process[i].pid;
    pythons_free(&p);
    return found;
}

void no_python_explain(struct no_python *n, pid_t pid, const char *image, const char *command)
{
    pid_t below = find_below(pid);
    if (!image[0])
        snprintf(n->why, sizeof n->why, "it is a thread of the kernel");
    else if (is_old_python(image))
        snprintf(n->why, sizeof n->why, "%s is an older CPython: 3.9 to 3.15 are supported", image);
    else if (below)
        snprintf(n->why, sizeof n->why, "%s has no CPython in it, but process %d, below it, is Python", image, (int)below);
    else
        snprintf(n->why, sizeof n->why, "%s has no CPython in it", image);
    if (below)
        snprintf(n->remedy, sizeof n->remedy, "tscap %s %d", command, (int)below);
    else
        snprintf(n->remedy, sizeof n->remedy, "tscap ps --python");
}
