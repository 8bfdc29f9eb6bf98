/* Pairing: which function of one set is which of another, by what stays the same from one version of a program to the next. No I/O.
 *
 * Name, kind and track are always the same; lines move. What besides must be the same is asked for less and less, and each time only
 * of those that are left:
 *
 *   PAIRING_FILE      module and path
 *   PAIRING_FOLDER    module and the file's own name: another checkout, another environment, or paths that were left out
 *   PAIRING_RENAMED   module: the file was renamed
 *   PAIRING_MODULE    the file's own name: a package was renamed, or a script is imported now
 *   PAIRING_NAME      nothing: the file was moved and renamed
 *
 * The last three are only for files of which no function has been found yet, and for a function that is the only one of its name left
 * in both sets. Several that are alike, such as lambdas or definitions in branches, are told apart by their lines: if there are
 * as many in both sets, by their order, else those in the same line belong together, and then the rest by order. Of a file of
 * generated code, "<...>", digits in its name do not count. */
#ifndef TSCAP_PAIRING_H
#define TSCAP_PAIRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity {
    const char *name, *module, *file; /* (borrowed) "": none */
    uint32_t line, kind, track;
};

enum pairing_by { PAIRING_FILE, PAIRING_FOLDER, PAIRING_RENAMED, PAIRING_MODULE, PAIRING_NAME };

struct pairing {
    size_t other; /* index in `a`; PAIRING_NONE */
    enum pairing_by by;
};
#define PAIRING_NONE SIZE_MAX

/* Of each of `b`. `same`: both ran the same program, so that only the first two are tried, and what has no name of its own, such as
 * "<lambda>", is the same only in the same line. False: no memory. */
bool pairing_make(struct pairing *of_b, const struct identity *a, size_t a_count, const struct identity *b, size_t b_count, bool same);

/* As JSON has it: "file", "folder", "renamed", "module", "name". */
const char *pairing_name(enum pairing_by by);

#endif
