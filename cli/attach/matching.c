#include "matching.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "python_functions.h"
#include "rules.h"

static bool is_meant(const struct python_functions *f, size_t i, const struct rules *r, const char *library)
{
    const char *module = f->scope[f->function[i].scope].module;
    if (rules_is_ours(module))
        return false;
    return rules_want(r, module, f->function[i].qualname, rules_otherwise(r, module, python_function_origin(f, i), library));
}

static const struct python_functions *sorted; /* qsort(3) takes no context */

static int compare(const void *a, const void *b)
{
    const struct python_function *x = &sorted->function[*(const size_t *)a], *y = &sorted->function[*(const size_t *)b];
    int order = strcmp(sorted->scope[x->scope].module, sorted->scope[y->scope].module);
    order = order ? order : strcmp(x->file, y->file);
    order = order ? order : (x->line > y->line) - (x->line < y->line);
    return order ? order : strcmp(x->qualname, y->qualname);
}

static size_t choose(const struct python_functions *f, const struct rules *r, size_t *meant)
{
    size_t count = 0;
    char *library = python_functions_library(f);
    for (size_t i = 0; i < f->count; i++)
        if (is_meant(f, i, r, library))
            meant[count++] = i;
    free(library);
    sorted = f;
    qsort(meant, count, sizeof *meant, compare);
    return count;
}

/* Without a rule it is the program's own functions, which nobody need see one by one. */
static void print(const struct python_functions *f, const size_t *meant, size_t count, bool named)
{
    printf("%zu function%s that it has now would be recorded%s\n", count, count == 1 ? "" : "s", named && count ? ":" : "");
    for (size_t i = 0; i < count && named; i++) {
        const struct python_function *p = &f->function[meant[i]];
        printf("    %s:%s (%s:%d)\n", f->scope[p->scope].module, p->qualname, p->file, p->line);
    }
}

static void tell_what_is_missing(const struct python_functions *f, const struct settings *s)
{
    if (!f->complete)
        note("not all of its memory could be read: there may be more");
    note("not listed: functions that it makes, imports or replaces later, and those that only its objects hold%s",
         s->builtins ? "; C functions (--builtins)" : "");
}

static int no_memory(pid_t pid)
{
    return fail(EXIT_FAILED,
                "cannot list the functions of process %d\n"
                "out of memory\n"
                SAME_AGAIN,
                (int)pid);
}

static int show(const struct python_functions *f, const struct attachment *a, pid_t pid)
{
    const struct settings *s = a->settings;
    struct rules r;
    size_t *meant = calloc(f->count + 1, sizeof *meant);
    if (!meant || rules_parse(&r, a->rules) < 0) {
        free(meant);
        return no_memory(pid);
    }
    size_t count = choose(f, &r, meant);
    print(f, meant, count, s->match.count || s->exclude.count || s->all);
    tell_what_is_missing(f, s);
    rules_free(&r);
    free(meant);
    return EXIT_OK;
}

/* That it cannot be read from outside stands in no way of attaching. */
static int tell_why_not(int error, uint32_t version)
{
    unsigned major = version >> 24, minor = version >> 16 & 0xff;
    if (error == -EPROTONOSUPPORT && version)
        note("which functions would be recorded cannot be listed: of CPython %u.%u, or of this build of it, where it keeps them is not known", major,
             minor);
    else
        note("which functions would be recorded cannot be listed: %s", strerror(-error));
    return EXIT_OK;
}

int matching_show(const struct attachment *a, pid_t pid)
{
    struct python_functions f;
    uint32_t version;
    int r = python_functions_of(&f, pid, &version);
    if (r == -ENOMEM)
        return no_memory(pid);
    if (r < 0)
        return tell_why_not(r, version);
    int code = show(&f, a, pid);
    python_functions_free(&f);
    return code;
}
