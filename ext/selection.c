#include "selection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builtin_modules.h"
#include "qualname.h"
#include "text.h"

static struct rules of[MEMBERS_MAX];
static member_set in_force;
static char *library; /* where the standard library lies, with a slash at its end; NULL: not known */

bool selection_any(void) { return in_force != 0; }
bool selection_has(unsigned member) { return in_force & MEMBER_BIT(member); }
bool selection_hears_of_builtins(unsigned member) { return selection_has(member) && (of[member].builtins || of[member].labels); }

/* The lowest of the set is taken out of it. */
static unsigned next(member_set *left)
{
    unsigned member = (unsigned)__builtin_ctzll(*left);
    *left &= *left - 1;
    return member;
}

member_set selection_with_builtins(void)
{
    member_set set = 0;
    for (member_set left = in_force; left;) {
        unsigned member = next(&left);
        set |= of[member].builtins ? MEMBER_BIT(member) : 0;
    }
    return set;
}

bool selection_any_builtins(void)
{
    for (member_set left = in_force & membership_running; left;)
        if (selection_hears_of_builtins(next(&left)))
            return true;
    return false;
}

/* ---- beginning and ending ---- */

/* The folder of os.py: that of the standard library. `os` is imported before any program begins, but with -S; codecs always. */
static void find_library(void)
{
    PyObject *os = builtin_module_loaded("os"), *module = os ? os : builtin_module_loaded("codecs"); /* borrowed, like the next */
    PyObject *file = module ? python_dict_get(PyModule_GetDict(module), "__file__") : NULL;
    PyObject *kept;
    const char *path = text_utf8(file, &kept), *slash = strrchr(path, '/');
    free(library);
    library = slash ? strndup(path, (size_t)(slash + 1 - path)) : NULL;
    Py_XDECREF(kept);
    PyErr_Clear();
}

int selection_exchange(unsigned member, struct rules *rules)
{
    if (!in_force && qualname_prepare() < 0)
        return -1;
    struct rules before = of[member];
    of[member] = *rules;
    *rules = before;
    in_force |= MEMBER_BIT(member);
    find_library();
    return 0;
}

void selection_drop(unsigned member)
{
    if (!selection_has(member))
        return;
    rules_free(&of[member]);
    in_force &= ~MEMBER_BIT(member);
    if (!in_force)
        qualname_forget();
}

/* ---- in words ---- */

static __attribute__((format(printf, 2, 3))) void append(char buffer[SELECTION_TEXT], const char *format, ...)
{
    size_t used = strlen(buffer);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer + used, SELECTION_TEXT - used, format, arguments);
    va_end(arguments);
}

const char *selection_describe(unsigned member, char buffer[SELECTION_TEXT])
{
    const struct rules *r = &of[member];
    snprintf(buffer, SELECTION_TEXT, "%s", r->all ? "all functions" : r->chosen || !selection_has(member) ? "" : "the program's functions");
    for (size_t i = 0; i < r->count; i++)
        append(buffer, "%s%s%s%s%s", *buffer ? ", " : "", r->rule[i].exclude ? "not " : "", r->rule[i].module ? r->rule[i].module : "",
               r->rule[i].module ? ":" : "", r->rule[i].name);
    if (r->builtins)
        append(buffer, ", C functions");
    return buffer;
}

/* ---- matching ---- */

bool selection_may_want(const char *module, const char *file)
{
    for (member_set left = rules_is_ours(module) ? 0 : in_force; left;) {
        const struct rules *r = &of[next(&left)];
        if (rules_otherwise(r, module, file, library) || rules_may_want(r, module))
            return true;
    }
    return false;
}

member_set selection_wants(const char *module, const char *qualname, const char *file)
{
    member_set set = 0;
    for (member_set left = rules_is_ours(module) ? 0 : in_force; left;) {
        unsigned member = next(&left);
        if (rules_want(&of[member], module, qualname, rules_otherwise(&of[member], module, file, library)))
            set |= MEMBER_BIT(member);
    }
    return set;
}

member_set selection_wants_builtin(const char *module, const char *qualname)
{
    member_set set = 0;
    for (member_set left = rules_is_ours(module) ? 0 : in_force; left;) {
        unsigned member = next(&left);
        const struct rules *r = &of[member];
        if (r->builtins && rules_want(r, module, qualname, r->all || !r->chosen))
            set |= MEMBER_BIT(member);
    }
    return set;
}
