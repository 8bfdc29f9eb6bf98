#include "selection.h"

#include <stdlib.h>
#include <string.h>

#include "builtin_modules.h"
#include "qualname.h"
#include "text.h"

struct selection {
    struct rules rules;
    unsigned number;
};

static struct selection *in_force[SELECTIONS_MAX];
static unsigned count;
static char *library; /* where the standard library lies, with a slash at its end; NULL: not known */

bool selection_any(void) { return count > 0; }
selection_set selection_bit(const struct selection *s) { return (selection_set)1 << s->number; }

/* The next one in force, from `*i` on; NULL: no more. */
static const struct selection *next(unsigned *i)
{
    while (*i < SELECTIONS_MAX && !in_force[*i])
        ++*i;
    return *i < SELECTIONS_MAX ? in_force[(*i)++] : NULL;
}

bool selection_any_builtins(void)
{
    const struct selection *s;
    for (unsigned i = 0; (s = next(&i));)
        if (s->rules.builtins)
            return true;
    return false;
}

/* ---- beginning and ending ---- */

/* The folder of os.py: that of the standard library. `os` is imported before any program begins, but with -S; codecs always. */
static void find_library(void)
{
    PyObject *os = builtin_module_loaded("os"), *module = os ? os : builtin_module_loaded("codecs"); /* borrowed, like the next */
    PyObject *file = module ? PyDict_GetItemString(PyModule_GetDict(module), "__file__") : NULL;
    PyObject *kept;
    const char *path = text_utf8(file, &kept), *slash = strrchr(path, '/');
    free(library);
    library = slash ? strndup(path, (size_t)(slash + 1 - path)) : NULL;
    Py_XDECREF(kept);
    PyErr_Clear();
}

static unsigned free_number(void)
{
    unsigned number = 0;
    while (number < SELECTIONS_MAX && in_force[number])
        number++;
    return number;
}

static void free_selection(struct selection *s)
{
    rules_free(&s->rules);
    free(s);
}

struct selection *selection_begin(struct rules *rules)
{
    struct selection *s = calloc(1, sizeof *s);
    if (!s) {
        rules_free(rules);
        PyErr_NoMemory();
        return NULL;
    }
    *s = (struct selection){.rules = *rules, .number = free_number()};
    *rules = (struct rules){0};
    if (s->number == SELECTIONS_MAX)
        PyErr_Format(PyExc_RuntimeError, "there are %d selections of functions already", SELECTIONS_MAX);
    if (s->number == SELECTIONS_MAX || qualname_prepare() < 0) {
        free_selection(s);
        return NULL;
    }
    find_library();
    in_force[s->number] = s;
    count++;
    return s;
}

void selection_end(struct selection *s)
{
    in_force[s->number] = NULL;
    free_selection(s);
    if (--count == 0)
        qualname_forget();
}

/* ---- matching ---- */

/* What belongs to Python or was installed: not the program's own. Nor is generated code of a module that has no file, unless
 * that is what was run, as by `python -c`. */
static bool is_library(const char *module, const char *file)
{
    if (file[0] == '<')
        return strcmp(module, "__main__") != 0 || strncmp(file, "<frozen ", 8) == 0;
    return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") || (library && strncmp(file, library, strlen(library)) == 0);
}

static bool is_ours(const char *module)
{
    static const char package[] = "timestamp_capture";
    return strncmp(module, package, sizeof package - 1) == 0 && (module[sizeof package - 1] == '.' || module[sizeof package - 1] == '\0');
}

static bool wanted_without_rule(const struct rules *r, const char *module, const char *file)
{
    return r->all || (!r->chosen && !is_library(module, file));
}

bool selection_may_want(const char *module, const char *file)
{
    const struct selection *s;
    for (unsigned i = 0; !is_ours(module) && (s = next(&i));)
        if (wanted_without_rule(&s->rules, module, file) || rules_may_want(&s->rules, module))
            return true;
    return false;
}

selection_set selection_wants(const char *module, const char *qualname, const char *file)
{
    selection_set set = 0;
    const struct selection *s;
    for (unsigned i = 0; !is_ours(module) && (s = next(&i));)
        if (rules_want(&s->rules, module, qualname, wanted_without_rule(&s->rules, module, file)))
            set |= selection_bit(s);
    return set;
}

selection_set selection_wants_builtin(const char *module, const char *qualname)
{
    selection_set set = 0;
    const struct selection *s;
    for (unsigned i = 0; !is_ours(module) && (s = next(&i));)
        if (s->rules.builtins && rules_want(&s->rules, module, qualname, s->rules.all || !s->rules.chosen))
            set |= selection_bit(s);
    return set;
}
