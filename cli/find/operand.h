/* The operand of a command: which process, or which file. */
#ifndef TSCAP_OPERAND_H
#define TSCAP_OPERAND_H

#include <stdbool.h>

#include "settings.h"
#include "subject.h"

enum operand_kind {
    OPERAND_LIVING,  /* a process that can be told something */
    OPERAND_PROCESS, /* also one that has died */
    OPERAND_ANY,     /* also a file */
};

struct operand {
    struct subject *subject; /* found; within `all` or `file` */
    struct places places;
    struct subjects all;
    struct subject file;
};

/* EXIT_OK, or an exit code after a message. To be freed in any case. */
int operand_find(struct operand *o, const struct settings *s, enum operand_kind kind);
void operand_free(struct operand *o);

/* The process of an operand that is a number; 0: it is none. */
pid_t operand_pid(const char *text);

/* As operand_find() for a number, but no matter whether it is prepared: alive, with a segment that can be read. If it is
 * not, there is no subject, and no message. */
int operand_look(struct operand *o, const struct settings *s);

/* Finds all subjects again, and the same process among them. False: it is not there any more, or no memory. */
bool operand_refresh(struct operand *o);

#endif
