/* The recording of a family that a viewer begins where nobody records, and ends when it leaves: of those that it told, and of
 * those that were made meanwhile and got it from them. What anybody else ordered stays. */
#ifndef TSCAP_FAMILY_SESSION_H
#define TSCAP_FAMILY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "members.h"

struct begun {
    pid_t pid;
    uint64_t start_time;
    uint32_t orders; /* of its session, once it was told */
    bool over;       /* it was told to stop */
};

struct family_session {
    struct begun *begun;
    size_t count, room;
    uint64_t since; /* CLOCK_MONOTONIC */
};

void family_session_open(struct family_session *f);
void family_session_free(struct family_session *f);

/* This one was told by somebody else, on our behalf. False: no memory. */
bool family_session_add(struct family_session *f, const struct subject *s, uint32_t orders);

/* Tells the members that do not record; the root is left out. Those that do not answer soon are left alone. */
bool family_session_begin(struct family_session *f, const struct members *m);

/* EXIT_OK, or the exit code of the first that could not be told, after messages. */
int family_session_end(struct family_session *f, const struct members *m);

#endif
