/* Rules: what an order to attach asks for, parsed from its text, lines as control.h lists them.
 *
 * They say which functions are meant that are not decorated. A function is named module:qualname; patterns are globs
 * (fnmatch(3); "*" crosses dots). One with a colon has a part for each side; one without fits the qualified name by itself
 * or after its module and a dot. */
#ifndef TSCAP_RULES_H
#define TSCAP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rule {
    char *module; /* NULL: the pattern is for the whole name */
    char *name;
    bool exclude;
};

struct rules {
    struct rule *rule;
    size_t count;
    bool chosen;               /* there is one that says what, not only what not */
    bool all, builtins;        /* whatever else is there; C functions, too */
    bool labels;               /* those are told of, wanted or not */
    bool start, tether, alone, subprocesses, stays; /* how to attach */
    pid_t keeper;              /* 0: none */
    uint64_t keeper_start;
};

/* Lines that are not known are passed over. 0 or -ENOMEM: then there are none. */
int rules_parse(struct rules *r, const char *text);
void rules_free(struct rules *r);

/* Is this function meant? `otherwise`: as long as no rule fits. An exclusion goes before any other. */
bool rules_want(const struct rules *r, const char *module, const char *qualname, bool otherwise);

/* Does this belong to Python, or was it installed, so that it is not the program's own? `file`: where it comes from; `library`: the folder of
 * the standard library, with a slash at its end; NULL: not known. */
bool rules_is_library(const char *module, const char *file, const char *library);

/* Is it meant as long as no rule fits? */
bool rules_otherwise(const struct rules *r, const char *module, const char *file, const char *library);

/* Nothing of this package is ever meant. */
bool rules_is_ours(const char *module);

/* Could a rule mean a function of this module? To ask before names are looked for. */
bool rules_may_want(const struct rules *r, const char *module);

#endif
