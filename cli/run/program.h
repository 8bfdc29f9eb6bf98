/* A program that we started to record it: who of its processes records, and who has to be attached to for that. */
#ifndef TSCAP_PROGRAM_H
#define TSCAP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "attachment.h"
#include "descendants.h"
#include "job.h"
#include "keeping.h"
#include "program_output.h"
#include "saving.h"
#include "settings.h"
#include "startup.h"

struct program {
    const struct settings *settings; /* (borrowed) */
    struct startup startup;
    struct attachment attachment;
    struct job job;
    struct descendants descendants;
    struct saving saving; /* opened before the program begins where --output names the file */
    struct keeping keeping;
    struct program_output output; /* if what it writes would be in the way of what we show */
    bool refused; /* one could not be attached to, and that was told */
};

/* Starts it. EXIT_OK, or an exit code after a message; to be freed in any case. */
int program_start(struct program *p, const struct settings *s);

/* Until it ends: attaches to those that do not come by themselves. */
void program_await(struct program *p);

/* For who has more to do meanwhile. What program_await() does between two looks at the job: after how many ns again? */
uint64_t program_attend(struct program *p);

void program_free(struct program *p);

#endif
