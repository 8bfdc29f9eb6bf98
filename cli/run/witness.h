/* A witness: a process in our group that does nothing. Nobody sends it anything, so what comes to it was sent to the whole group,
 * and has come to the job as well. It ends with us, however we do. */
#ifndef TSCAP_WITNESS_H
#define TSCAP_WITNESS_H

#include <stdbool.h>
#include <sys/types.h>

struct witness {
    pid_t pid; /* 0: there is none */
};

/* While all signals are blocked. */
void witness_begin(struct witness *w);
void witness_end(struct witness *w);

/* Has this signal come to it since it was asked last? */
bool witness_saw(struct witness *w, int number);

#endif
