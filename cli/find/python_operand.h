/* The operand of commands that take any Python process, prepared or not: a number, or a part of the command line. */
#ifndef TSCAP_PYTHON_OPERAND_H
#define TSCAP_PYTHON_OPERAND_H

#include "settings.h"

struct python_operand {
    struct settings settings; /* as given, but for the operand: a part has become the number of the one process that it fits */
    char number[12];
};

/* With --subprocesses a part that fits several processes means the one that all others descend from. What is no part (a number,
 * "auto", a file, nothing), and a part that fits none, stay as they are: the rest is the command's to say. EXIT_OK, or an exit
 * code after a message: it fits several. */
int python_operand_find(struct python_operand *o, const struct settings *s);

/* The next process that begins and whose command line has the part: waits for it, as long as that takes. */
int python_operand_await(struct python_operand *o, const struct settings *s);

/* Why a part fits nothing: an exit code after a message. */
int python_operand_missing(const struct settings *s);

#endif
