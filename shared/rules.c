#include "rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

static bool add(struct rules *r, const char *pattern, size_t length, bool exclude)
{
    struct rule *more = realloc(r->rule, (r->count + 1) * sizeof *more);
    if (!more)
        return false;
    r->rule = more;
    struct rule *rule = &r->rule[r->count++];
    const char *colon = memchr(pattern, ':', length), *name = colon ? colon + 1 : pattern;
    *rule = (struct rule){.module = colon ? strndup(pattern, (size_t)(colon - pattern)) : NULL,
                          .name = strndup(name, length - (size_t)(name - pattern)),
                          .exclude = exclude};
    r->chosen |= !exclude;
    return rule->name && (rule->module || !colon);
}

/* Where the pattern of such a line begins; NULL: it is another, or has none. */
static const char *pattern_of(const char *line, size_t length, const char *key)
{
    size_t begin = strlen(key);
    return length > begin && memcmp(line, key, begin) == 0 ? line + begin : NULL;
}

static bool is(const char *line, size_t length, const char *word) { return strlen(word) == length && memcmp(line, word, length) == 0; }

/* Whoever it names is asked for by number and start time before anything is done about it. */
static void take_keeper(struct rules *r, const char *text)
{
    long pid;
    uint64_t start_time;
    if (sscanf(text, "%ld %" SCNu64, &pid, &start_time) != 2 || pid <= 0 || pid > INT32_MAX)
        return;
    r->keeper = (pid_t)pid;
    r->keeper_start = start_time;
}

static bool take_line(struct rules *r, const char *line, size_t length)
{
    const char *match = pattern_of(line, length, CONTROL_RULE_MATCH), *exclude = pattern_of(line, length, CONTROL_RULE_EXCLUDE);
    if (match)
        return add(r, match, length - (size_t)(match - line), false);
    if (exclude)
        return add(r, exclude, length - (size_t)(exclude - line), true);
    if (pattern_of(line, length, CONTROL_RULE_KEEPER))
        take_keeper(r, line + strlen(CONTROL_RULE_KEEPER));
    r->all |= is(line, length, CONTROL_RULE_ALL);
    r->builtins |= is(line, length, CONTROL_RULE_BUILTINS);
    r->labels |= is(line, length, CONTROL_RULE_LABELS);
    r->start |= is(line, length, CONTROL_RULE_START);
    r->tether |= is(line, length, CONTROL_RULE_TETHER);
    r->subprocesses |= is(line, length, CONTROL_RULE_SUBPROCESSES);
    r->stays |= is(line, length, CONTROL_RULE_STAYS);
    r->alone |= is(line, length, CONTROL_RULE_ALONE);
    return true;
}

int rules_parse(struct rules *r, const char *text)
{
    *r = (struct rules){0};
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (!take_line(r, line, length)) {
            rules_free(r);
            return -ENOMEM;
        }
        line += length + (line[length] == '\n');
    }
    r->all &= !r->chosen; /* what is named is meant, wherever it lies */
    return 0;
}

void rules_free(struct rules *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->rule[i].module);
        free(r->rule[i].name);
    }
    free(r->rule);
    *r = (struct rules){0};
}

static bool fits(const struct rule *r, const char *module, const char *qualname)
{
    char whole[4096];
    if (r->module)
        return fnmatch(r->module, module, 0) == 0 && fnmatch(r->name, qualname, 0) == 0;
    if (fnmatch(r->name, qualname, 0) == 0)
        return true;
    return snprintf(whole, sizeof whole, "%s.%s", module, qualname) < (int)sizeof whole && fnmatch(r->name, whole, 0) == 0;
}

bool rules_want(const struct rules *r, const char *module, const char *qualname, bool otherwise)
{
    bool wanted = otherwise;
    for (size_t i = 0; i < r->count; i++) {
        if (!fits(&r->rule[i], module, qualname))
            continue;
        if (r->rule[i].exclude)
            return false;
        wanted = true;
    }
    return wanted;
}

bool rules_may_want(const struct rules *r, const char *module)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->rule[i].exclude && (!r->rule[i].module || fnmatch(r->rule[i].module, module, 0) == 0))
            return true;
    return false;
}

/* Generated code of a module that has no file is not the program's own either, unless that is what was run, as by `python -c`. */
bool rules_is_library(const char *module, const char *file, const char *library)
{
    if (file[0] == '<')
        return strcmp(module, "__main__") != 0 || strncmp(file, "<frozen ", 8) == 0;
    return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") || (library && strncmp(file, library, strlen(library)) == 0);
}

bool rules_otherwise(const struct rules *r, const char *module, const char *file, const char *library)
{
    return r->all || (!r->chosen && !rules_is_library(module, file, library));
}

bool rules_is_ours(const char *module)
{
    static const char package[] = "timestamp_capture";
    return strncmp(module, package, sizeof package - 1) == 0 && (module[sizeof package - 1] == '.' || module[sizeof package - 1] == '\0');
}
