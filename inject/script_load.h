/* Loading a library into a CPython 3.14 or later by a script that its own threads run (PEP 768): at a place of their choice,
 * with none of their registers touched. The library must be an extension module of the name LOAD_ENTRY whose function
 * "attach" takes the argument and returns a number, the result. */
#ifndef TSCAP_SCRIPT_LOAD_H
#define TSCAP_SCRIPT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "load.h"

struct script_load {
    struct load load;      /* `timeout_us`: for a thread to come by; `function`, `call_timeout_us` are not used */
    uint32_t version;      /* of the CPython */
    const char *module;    /* name of the extension module */
    bool with_waiting;     /* also a main thread that waits in the kernel is asked */
};

/* Beside load's problems: LOAD_NO_INTERFACE, LOAD_DISABLED, LOAD_UNHEARD; the process is as before then. */
void script_load_run(const struct script_load *l, struct load_report *r);

/* Could it be done? LOAD_OK or a problem; nothing is written. */
void script_load_rehearse(const struct script_load *l, struct load_report *r);

#endif
