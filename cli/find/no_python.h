/* A process in which no CPython is found that tscap knows: why, and what to type instead. */
#ifndef TSCAP_NO_PYTHON_H
#define TSCAP_NO_PYTHON_H

#include <sys/types.h>

#include "target.h"

struct no_python {
    char why[TARGET_PATH + 128];
    char remedy[128]; /* `command` of a Python process below it, as below a shell or what PyInstaller made; else how to find one */
};

/* `image`: its executable, "" for a thread of the kernel. */
void no_python_explain(struct no_python *n, pid_t pid, const char *image, const char *command);

#endif
