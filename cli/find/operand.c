#include "operand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "containers.h"
#include "diagnosis.h"
#include "message.h"
#include "process_tree.h"
#include "units.h"

#define LISTED 12

/* ---- by what is written ---- */

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* A slash may stand in a command line too: it means a file only where files are taken. */
static bool is_file(const char *text, enum operand_kind kind)
{
    return ends(text, ".tscap") || (kind == OPERAND_ANY && strchr(text, '/'));
}

pid_t operand_pid(const char *text)
{
    uint64_t number;
    return units_read_count(text, &number) && number <= INT32_MAX ? (pid_t)number : 0;
}

static bool is_number(const char *text) { return text[0] && text[strspn(text, "0123456789")] == '\0'; }

bool operand_is_part(const char *text)
{
    return text && *text && !is_number(text) && strcmp(text, "auto") != 0 && !is_file(text, OPERAND_LIVING);
}

/* ---- a number ---- */

/* A living process before dead ones that had its number, of these our own before what others say, a later one before an
 * earlier. */
static bool is_better(const struct subject *a, const struct subject *b)
{
    if (!b || a->alive != b->alive)
        return !b || a->alive;
    bool own = a->uid == geteuid();
    return own != (b->uid == geteuid()) ? own : a->start_time > b->start_time;
}

static struct subject *with_pid(const struct subjects *all, pid_t pid)
{
    struct subject *best = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].pid == pid && is_better(&all->subject[i], best))
            best = &all->subject[i];
    return best;
}

static int check_living(const struct subject *s, const char *command)
{
    if (s->alive)
        return EXIT_OK;
    return fail(EXIT_NO_PROCESS,
                "cannot %s %d\n"
                "the process %s; what it recorded is still there\n"
                "tscap dump %d",
                command, (int)s->pid, s->replaced ? "has become another program, or was detached from" : "has ended", (int)s->pid);
}

static struct subject *search(struct operand *o, pid_t pid)
{
    struct subject *found = with_pid(&o->all, pid);
    if ((!found || !found->alive) && containers_find_process(&o->all, &o->places, pid))
        found = with_pid(&o->all, pid);
    return found;
}

static int find_by_pid(struct operand *o, const struct settings *s, pid_t pid, enum operand_kind kind)
{
    struct subject *found = search(o, pid);
    if (!found)
        return diagnose_process(pid, &o->places, s->command);
    if (found->error < 0)
        return diagnose_segment(found->where, found->error);
    o->subject = found;
    return kind == OPERAND_LIVING ? check_living(found, s->command) : EXIT_OK;
}

/* ---- "auto", or a part of the command line ---- */

static bool fits(const struct subject *s, const char *part)
{
    return subject_ready(s) && (!part || strstr(s->command, part));
}

static size_t count_fitting(struct operand *o, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < o->all.count; i++)
        if (fits(&o->all.subject[i], part)) {
            o->subject = &o->all.subject[i];
            count++;
        }
    return count;
}

/* The one that all others descend from. False: there is none, or no memory. */
static bool take_root(struct operand *o, const char *part, size_t count)
{
    struct subject *found = NULL;
    for (size_t i = 0; i < o->all.count && !found; i++) {
        struct process_tree tree = {0};
        size_t below = 0;
        if (fits(&o->all.subject[i], part) && process_tree_of(&tree, &o->all, &o->all.subject[i]) == 0)
            for (size_t k = 0; k < tree.count; k++)
                below += fits(tree.relative[k].subject, part);
        if (below == count)
            found = &o->all.subject[i];
        process_tree_free(&tree);
    }
    if (found)
        o->subject = found;
    return found;
}

static void list_fitting(const struct operand *o, const char *part, char *buffer, size_t size)
{
    size_t used = 0, listed = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < o->all.count && used < size && listed < LISTED; i++) {
        const struct subject *s = &o->all.subject[i];
        if (fits(s, part)) {
            used += (size_t)snprintf(buffer + used, size - used, "%7d  %.100s\n", (int)s->pid, s->command);
            listed++;
        }
    }
}

static int is_ambiguous(const struct operand *o, const struct settings *s, const char *part, size_t count)
{
    char list[LISTED * 128];
    list_fitting(o, part, list, sizeof list);
    if (part)
        return fail(EXIT_USAGE,
                    "'%s' fits %zu processes\n"
                    "%stscap %s %d",
                    part, count, list, s->command, (int)o->subject->pid);
    return fail(EXIT_USAGE,
                "%zu processes can be recorded\n"
                "%stscap %s %d",
                count, list, s->command, (int)o->subject->pid);
}

static bool fits_one(struct operand *o, const struct settings *s, const char *part)
{
    size_t count = count_fitting(o, part);
    return count == 1 || (count > 1 && s->subprocesses && take_root(o, part, count));
}

static int find_by_part(struct operand *o, const struct settings *s, const char *part, enum operand_kind kind)
{
    bool file = kind == OPERAND_ANY && part && access(part, F_OK) == 0;
    if (fits_one(o, s, part))
        return EXIT_OK;
    size_t count = count_fitting(o, part);
    if (count > 1)
        return is_ambiguous(o, s, part, count);
    if (!part)
        return diagnose_nothing(&o->places);
    if (file)
        return fail(EXIT_NO_PROCESS,
                    "no process fits '%s'\n"
                    "there is a file of that name; what has neither a slash nor .tscap at its end is a part of a command line\n"
                    "tscap %s ./%s",
                    part, s->command, part);
    return fail(EXIT_NO_PROCESS,
                "no process fits '%s'\n"
                "no command line of a process that can be recorded has this in it; looked in %s\n"
                "tscap ps",
                part, o->places.sought);
}

/* ---- a file ---- */

static int find_file(struct operand *o, const struct settings *s, enum operand_kind kind)
{
    if (kind != OPERAND_ANY)
        return fail(EXIT_USAGE,
                    "%s: '%s' is a file\n"
                    "it takes a running process\n"
                    "tscap dump %s",
                    s->command, s->operand, s->operand);
    int r = subject_of_file(&o->file, s->operand, &o->file_view);
    if (r < 0)
        return diagnose_segment(s->operand, r);
    o->file_open = !o->file.captured;
    o->subject = &o->file;
    return EXIT_OK;
}

/* False: no memory. */
static bool find_subjects(struct operand *o, pid_t only, bool containers)
{
    if (only)
        return subjects_find_process(&o->all, &o->places, only) == 0;
    return subjects_find(&o->all, &o->places) == 0 && (!containers || containers_find(&o->all, &o->places) == 0);
}

/* `only`: 0, or who is wanted, alone. */
static int list(struct operand *o, pid_t only, bool containers)
{
    int code = places_open(&o->places);
    if (code != EXIT_OK || find_subjects(o, only, containers))
        return code;
    return fail(EXIT_FAILED,
                "cannot list processes\n"
                "out of memory\n"
                SAME_AGAIN);
}

static int find_process(struct operand *o, const struct settings *s, enum operand_kind kind)
{
    const char *text = s->operand;
    pid_t pid = operand_pid(text);
    int r = list(o, s->subprocesses ? 0 : pid, !is_number(text) || s->subprocesses);
    if (r != EXIT_OK)
        return r;
    if (pid)
        return find_by_pid(o, s, pid, kind);
    if (is_number(text) || !*text)
        return fail(EXIT_USAGE,
                    "'%s' cannot be a process\n"
                    "numbers of processes are 1 to %d\n"
                    "tscap ps",
                    text, INT32_MAX);
    return find_by_part(o, s, strcmp(text, "auto") == 0 ? NULL : text, kind);
}

int operand_find(struct operand *o, const struct settings *s, enum operand_kind kind)
{
    *o = (struct operand){0};
    return is_file(s->operand, kind) ? find_file(o, s, kind) : find_process(o, s, kind);
}

int operand_look(struct operand *o, const struct settings *s)
{
    *o = (struct operand){0};
    pid_t pid = operand_pid(s->operand);
    bool part = operand_is_part(s->operand);
    int code = list(o, s->subprocesses ? 0 : pid, s->subprocesses || part);
    if (code != EXIT_OK)
        return code;
    if (part && fits_one(o, s, s->operand))
        return EXIT_OK;
    struct subject *found = pid ? search(o, pid) : NULL;
    o->subject = found && subject_ready(found) ? found : NULL;
    return code;
}

bool operand_take_view(struct operand *o, const struct subject *of, struct view *v)
{
    bool taken = of == &o->file && o->file_open;
    if (!taken)
        return subjects_take_view(&o->all, of, v);
    *v = o->file_view;
    o->file_open = false;
    return true;
}

void operand_free(struct operand *o)
{
    o->subject = NULL;
    if (o->file_open)
        view_close(&o->file_view);
    o->file_open = false;
    subjects_free(&o->all);
    places_close(&o->places);
}

bool operand_refresh(struct operand *o)
{
    const struct subject was = *o->subject;
    if (o->subject == &o->file)
        return false;
    subjects_free(&o->all);
    places_leave_containers(&o->places);
    o->subject = NULL;
    if (subjects_find(&o->all, &o->places) < 0 || containers_find(&o->all, &o->places) < 0)
        return false;
    if (was.apart && !with_pid(&o->all, was.pid))
        containers_find_process(&o->all, &o->places, was.pid);
    for (size_t i = 0; i < o->all.count; i++)
        if (o->all.subject[i].pid == was.pid && o->all.subject[i].start_time == was.start_time && o->all.subject[i].uid == was.uid)
            o->subject = &o->all.subject[i];
    return o->subject != NULL;
}
