/* Who wants records, as sets: each consumer of this process is a member, a bit of a set, from when it is made until it goes.
 * What readers know of it is in the segment's roster (roster.h), which is made when the first member enters it. With the
 * interpreter's lock. */
#ifndef TSCAP_MEMBERSHIP_H
#define TSCAP_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

typedef uint64_t member_set;

/* The first are the command's and the collectors', always; the others are taken and given back. */
enum { MEMBER_SESSION, MEMBER_ATTACHED, MEMBER_COLLECTORS, MEMBER_OTHERS, MEMBERS_MAX = 60 };
#define MEMBER_BIT(member) ((member_set)1 << (member))

#pragma GCC visibility push(hidden)
extern member_set membership_running;    /* who wants records now, or is about to */
extern member_set membership_decorated;  /* who wants what is decorated, and blocks */
extern member_set membership_everything; /* who wants all that is marked, whoever marked it */
#pragma GCC visibility pop

/* A member that nobody has; -1: there are too many. And back. */
int membership_take(void);
void membership_give(unsigned member);

/* Into the roster, if it is not there: it sees the sites that it is told of, `text` in words; NULL: all that is recorded. 0,
 * -ENOMEM, -ENOSPC: then it is known to nobody. Out of it, with what was counted for it. */
int membership_enter(unsigned member, enum consumer_kind kind, const char *name, const char *text);
void membership_leave(unsigned member, uint64_t when);
uint32_t membership_number(unsigned member); /* in the segment; 0: it is not in the roster */

/* Calls that begin from here on are its, or are not; nothing that has begun is its any more. What is not in the roster is
 * passed over. 0 or -ENOSPC: then all is as before. */
int membership_begin(unsigned member, uint32_t flags, uint64_t when);
void membership_end(unsigned member, uint64_t when);
int membership_clear(unsigned member, uint64_t when);

/* From here on it selects these sites and no others. `text`: in the words of who asked. -ENOSPC: all is as before. */
int membership_select(unsigned member, const uint32_t *site, size_t sites, const char *text);

/* What readers are told of a profiler's switches: bits of CONSUMER_SWITCHES. */
void membership_switch(unsigned member, uint32_t switches);

/* A site that nothing has been recorded of yet, and who selects it. */
void membership_add_site(member_set members, uint32_t site);

/* Sites that members ask for by number: who does. */
member_set membership_choosers(uint32_t site);
int membership_choose(unsigned member, uint32_t site, bool on); /* 0 or -ENOMEM */
size_t membership_chosen_by(unsigned member, uint32_t *site);   /* those, with `site` NULL how many */

/* May there be records of it? */
void membership_note_recorded(uint32_t site);
bool membership_may_be_recorded(uint32_t site);

/* Is it decorated, or did attach select it: what collectors record? Other consumers' functions are theirs alone. */
bool membership_is_common(uint32_t site);

/* The segment goes, or is another process': so do the roster and all numbers of sites. Members stay. */
void membership_forget(void);

#endif
