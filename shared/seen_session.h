/* The session as who sees only some consumers' calls has it: since when there are calls, and until when. */
#ifndef TSCAP_SEEN_SESSION_H
#define TSCAP_SEEN_SESSION_H

#include "audiences.h"
#include "snapshot.h"

/* Since the first of those that are seen has had calls; where there is none of them, as it is. Where nobody ever began a session
 * it goes on while one of them does, and ended with the last. */
struct session_state seen_session(const struct audience_view *v, const struct session_state *s);

/* Of one consumer, from its beginning to its end; of one that is gone it has no beginning. */
struct session_state seen_session_of_one(const struct audience_view *v, const struct session_state *s);

#endif
