#include "python_operand.h"

#include <stdio.h>
#include <time.h>

#include "message.h"
#include "operand.h"
#include "pythons.h"

#define LISTED 12

static int no_memory(void)
{
    return fail(EXIT_FAILED,
                "cannot list processes\n"
                "out of memory\n"
                SAME_AGAIN);
}

static int is_ambiguous(const struct settings *s, const struct pythons *p)
{
    char list[LISTED * 128];
    size_t used = 0;
    for (size_t i = 0; i < p->count && i < LISTED && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%7d  %.100s\n", (int)p->process[i].pid, p->process[i].command);
    return fail(EXIT_USAGE,
                "'%s' fits %zu Python processes\n"
                "%stscap %s %d",
                s->operand, p->count, list, s->command, (int)p->process[p->count - 1].pid);
}

static int choose(struct python_operand *o, const struct settings *s, const struct pythons *p)
{
    const struct python_process *found = p->count == 1 || s->subprocesses ? pythons_root(p) : NULL;
    if (!found && p->count)
        return is_ambiguous(s, p);
    if (found) {
        snprintf(o->number, sizeof o->number, "%d", (int)found->pid);
        o->settings.operand = o->number;
    }
    return EXIT_OK;
}

int python_operand_find(struct python_operand *o, const struct settings *s)
{
    struct pythons p;
    *o = (struct python_operand){.settings = *s};
    if (!operand_is_part(s->operand))
        return EXIT_OK;
    int code = pythons_find(&p, s->operand) == 0 ? choose(o, s, &p) : no_memory();
    pythons_free(&p);
    return code;
}

/* ---- one that is still to come ---- */

#define LOOK_NS 20000000

static const struct python_process *newcomer(const struct pythons *now, const struct pythons *before)
{
    for (size_t i = 0; i < now->count; i++) {
        bool known = false;
        for (size_t k = 0; k < before->count && !known; k++)
            known = before->process[k].pid == now->process[i].pid && before->process[k].start_time == now->process[i].start_time;
        if (!known)
            return &now->process[i];
    }
    return NULL;
}

/* False: no memory. */
static bool await(struct python_operand *o, const char *part, const struct pythons *before)
{
    struct timespec pause = {.tv_nsec = LOOK_NS};
    for (bool found = false; !found; nanosleep(&pause, NULL)) {
        struct pythons now;
        bool whole = pythons_find(&now, part) == 0;
        const struct python_process *first = newcomer(&now, before);
        if (first)
            snprintf(o->number, sizeof o->number, "%d", (int)first->pid);
        found = first;
        pythons_free(&now);
        if (!whole)
            return false;
    }
    o->settings.operand = o->number;
    return true;
}

int python_operand_await(struct python_operand *o, const struct settings *s)
{
    struct pythons before;
    *o = (struct python_operand){.settings = *s};
    if (!operand_is_part(s->operand))
        return fail(EXIT_USAGE,
                    "%s: '%s' is not what can be waited for\n"
                    "--wait takes a part of the command line of the process that is to begin\n"
                    "tscap %s --wait app.py",
                    s->command, s->operand, s->command);
    bool whole = pythons_find(&before, s->operand) == 0;
    if (whole)
        note("waits for a Python process that begins and has '%s' in its command line (^C ends)", s->operand);
    whole = whole && await(o, s->operand, &before);
    pythons_free(&before);
    return whole ? EXIT_OK : no_memory();
}

int python_operand_missing(const struct settings *s)
{
    return fail(EXIT_NO_PROCESS,
                "no process fits '%s'\n"
                "no command line of a Python process of yours has this in it\n"
                "tscap ps --python",
                s->operand);
}
