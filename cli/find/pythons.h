/* Processes that run CPython, whether they carry timestamp_capture or not: those of the user; as root, everybody's. */
#ifndef TSCAP_PYTHONS_H
#define TSCAP_PYTHONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "settings.h"
#include "subject.h"

struct python_process {
    pid_t pid, parent;
    uint64_t start_time; /* clock ticks since boot */
    uid_t uid;           /* effective */
    uint32_t version;    /* PY_VERSION_HEX; 0: not known */
    bool loaded;         /* the extension of timestamp_capture is mapped */
    char command[SUBJECT_COMMAND];
};

struct pythons {
    struct python_process *process; /* by pid */
    size_t count, room;
};

/* Those whose command line has `part` in it; NULL: all. To be freed in any case. 0 or -ENOMEM. */
int pythons_find(struct pythons *p, const char *part);
void pythons_free(struct pythons *p);

/* The one that all others descend from, themselves or by processes between; NULL: there is none. */
const struct python_process *pythons_root(const struct pythons *p);

#endif
