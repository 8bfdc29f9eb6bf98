/* A session of our own: recording that is begun where nobody records, and ended by who began it: of those that were told, and
 * of those that were made meanwhile and got it from them. What anybody else ordered stays. If we are killed, they notice. */
#ifndef TSCAP_OWN_SESSION_H
#define TSCAP_OWN_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "group.h"

/* One that we told, and by what its session is known to be still the one that this began. */
struct begun {
    pid_t pid;
    uint64_t start_time;
    uint64_t anchor; /* of its segment */
    uint32_t orders; /* of its session */
    bool over;       /* it was told to stop */
    int tether;      /* connection that it lasts as long as; -1: none, it had it from its parent */
};

enum own_session_failure { OWN_SESSION_WORKS, OWN_SESSION_REFUSED, OWN_SESSION_NO_MEMORY };

struct own_session {
    const struct group *group; /* (borrowed) */
    struct begun *begun;
    size_t count, room;
    uint64_t since;    /* CLOCK_MONOTONIC */
    int asked;         /* descriptor: the root's answer is outstanding; -1: it is not */
    uint64_t patience; /* CLOCK_MONOTONIC: until when to wait for it */
    bool wanted;       /* descendants are still to be told */
    enum own_session_failure failure;
    int error;         /* of REFUSED, as from order_ask(), with this reply */
    struct control_reply reply;
};

void own_session_open(struct own_session *s, const struct group *group);
void own_session_free(struct own_session *s);

/* Asks the root to begin, if it does not record; waits for nothing. */
void own_session_begin(struct own_session *s, const struct subject *root);

/* To be called when `asked` can be read, and now and then. Once the root has answered its descendants are told; those that do
 * not answer soon are left alone. True: there is news of the root. */
bool own_session_go_on(struct own_session *s, const struct subject *root, bool readable);

/* Did we begin what this one records, and has nobody said anything since? */
bool own_session_lasts(const struct own_session *s, const struct subject *subject);

/* Were others told than the root? */
bool own_session_has_others(const struct own_session *s);

/* Why the root refused: an exit code after a message. */
int own_session_explain(const struct own_session *s, const struct subject *root);

/* Ends what it began. EXIT_OK, or the exit code of the first that could not be told, after messages. */
int own_session_end(struct own_session *s, struct subject *root);

#endif
