#include "watch.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "builtin_modules.h"
#include "control.h"
#include "qualname.h"
#include "text.h"

struct rule {
    char *module; /* NULL: the pattern is for the whole name */
    char *name;
    bool exclude;
};

static struct {
    bool active, all, builtins, chosen; /* chosen: there is a rule that says what, not only what not */
    struct rule *rule;
    size_t count;
    char *library; /* where the standard library lies, with a slash at its end; NULL: not known */
} w;

bool watch_active(void) { return w.active; }
bool watch_builtins(void) { return w.active && w.builtins; }

/* ---- rules ---- */

static void forget_rules(void)
{
    for (size_t i = 0; i < w.count; i++) {
        free(w.rule[i].module);
        free(w.rule[i].name);
    }
    free(w.rule);
    free(w.library);
    memset(&w, 0, sizeof w);
}

static bool add_rule(const char *pattern, size_t length, bool exclude)
{
    struct rule *more = realloc(w.rule, (w.count + 1) * sizeof *more);
    if (!more)
        return false;
    w.rule = more;
    struct rule *r = &w.rule[w.count];
    const char *colon = memchr(pattern, ':', length);
    *r = (struct rule){.exclude = exclude};
    if (colon) {
        r->module = strndup(pattern, (size_t)(colon - pattern));
        r->name = strndup(colon + 1, length - (size_t)(colon + 1 - pattern));
    } else
        r->name = strndup(pattern, length);
    w.count++;
    w.chosen |= !exclude;
    return r->name && (r->module || !colon);
}

/* Lines of other kinds are the listener's. */
static bool take_line(const char *line, size_t length)
{
    static const char match[] = CONTROL_RULE_MATCH, exclude[] = CONTROL_RULE_EXCLUDE;
    if (length > sizeof match - 1 && memcmp(line, match, sizeof match - 1) == 0)
        return add_rule(line + sizeof match - 1, length - (sizeof match - 1), false);
    if (length > sizeof exclude - 1 && memcmp(line, exclude, sizeof exclude - 1) == 0)
        return add_rule(line + sizeof exclude - 1, length - (sizeof exclude - 1), true);
    w.all |= length == strlen(CONTROL_RULE_ALL) && memcmp(line, CONTROL_RULE_ALL, length) == 0;
    w.builtins |= length == strlen(CONTROL_RULE_BUILTINS) && memcmp(line, CONTROL_RULE_BUILTINS, length) == 0;
    return true;
}

/* The folder of os.py: that of the standard library. `os` is imported before any program begins, but with -S; codecs always. */
static void find_library(void)
{
    PyObject *os = builtin_module_loaded("os"), *module = os ? os : builtin_module_loaded("codecs"); /* borrowed, like the next */
    PyObject *file = module ? PyDict_GetItemString(PyModule_GetDict(module), "__file__") : NULL;
    PyObject *kept;
    const char *path = text_utf8(file, &kept), *slash = strrchr(path, '/');
    w.library = slash ? strndup(path, (size_t)(slash + 1 - path)) : NULL;
    Py_XDECREF(kept);
    PyErr_Clear();
}

int watch_begin(const char *rules)
{
    forget_rules();
    if (qualname_prepare() < 0)
        return -1;
    bool taken = true;
    for (const char *line = rules; taken && *line;) {
        size_t length = strcspn(line, "\n");
        taken = take_line(line, length);
        line += length + (line[length] == '\n');
    }
    if (!taken) {
        forget_rules();
        PyErr_NoMemory();
        return -1;
    }
    find_library();
    w.all &= !w.chosen; /* what is named is meant, wherever it lies */
    w.active = true;
    return 0;
}

void watch_end(void)
{
    forget_rules();
    qualname_forget();
}

/* ---- matching ---- */

static bool fits(const struct rule *r, const char *module, const char *qualname)
{
    char whole[4096];
    if (r->module)
        return fnmatch(r->module, module, 0) == 0 && fnmatch(r->name, qualname, 0) == 0;
    if (fnmatch(r->name, qualname, 0) == 0)
        return true;
    return snprintf(whole, sizeof whole, "%s.%s", module, qualname) < (int)sizeof whole && fnmatch(r->name, whole, 0) == 0;
}

/* What belongs to Python or was installed: not the program's own. Nor is generated code of a module that has no file, unless
 * that is what was run, as by `python -c`. */
static bool is_library(const char *module, const char *file)
{
    if (file[0] == '<')
        return strcmp(module, "__main__") != 0 || strncmp(file, "<frozen ", 8) == 0;
    return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") ||
           (w.library && strncmp(file, w.library, strlen(w.library)) == 0);
}

static bool is_ours(const char *module)
{
    static const char package[] = "timestamp_capture";
    return strncmp(module, package, sizeof package - 1) == 0 && (module[sizeof package - 1] == '.' || module[sizeof package - 1] == '\0');
}

/* `wanted`: as long as no rule fits. An exclusion goes before any other. */
static bool rules_want(const char *module, const char *qualname, bool wanted)
{
    if (!w.active || is_ours(module))
        return false;
    for (size_t i = 0; i < w.count; i++) {
        if (!fits(&w.rule[i], module, qualname))
            continue;
        if (w.rule[i].exclude)
            return false;
        wanted = true;
    }
    return wanted;
}

static bool wanted_without_rule(const char *module, const char *file) { return w.all || (!w.chosen && !is_library(module, file)); }

bool watch_may_want(const char *module, const char *file)
{
    bool may = w.active && wanted_without_rule(module, file);
    for (size_t i = 0; w.active && i < w.count && !may; i++)
        may = !w.rule[i].exclude && (!w.rule[i].module || fnmatch(w.rule[i].module, module, 0) == 0);
    return may && !is_ours(module);
}

bool watch_wants(const char *module, const char *qualname, const char *file)
{
    return rules_want(module, qualname, wanted_without_rule(module, file));
}

bool watch_wants_builtin(const char *module, const char *qualname)
{
    return w.builtins && rules_want(module, qualname, w.all || !w.chosen);
}
