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
    struct view file_view; /* of it, as long as it is open */
    bool file_open;
};

/* EXIT_OK, or an exit code after a message. To be freed in any case. */
int operand_find(struct operand *o, const struct settings *s, enum operand_kind kind);
void operand_free(struct operand *o);

/* The segment of this one, if it is open since it was found: the caller's from now on, to be closed with view_close(). False: it is
 * not open. */
bool operand_take_view(struct operand *o, const struct subject *of, struct view *v);

/* The process of an operand that is a number; 0: it is none. */
pid_t operand_pid(const char *text);

/* A part of a command line: neither a number, "auto", the name of a segment, nor nothing. */
bool operand_is_part(const char *text);

/* As operand_find() for a number or a part, but no matter whether it is prepared: alive, with a segment that can be read. If it
 * is not, or a part fits none or several, there is no subject, and no message. */
int operand_look(struct operand *o, const struct settings *s);

/* Finds all subjects again, and the same process among them. False: it is not there any more, or no memory. */
bool operand_refresh(struct operand *o);

#endif
