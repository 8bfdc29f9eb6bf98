/* Consumers: who wants records. The session of `tscap start` is one, what `tscap attach` selected is one (command.h), the collectors
 * together are one (collecting.h), each profiler is one. Each has its own beginning, end, zero and selection, and what one does
 * changes nobody else's numbers; what is armed is what any that runs wants. In the segment they are what roster.h says. The
 * interpreter's lock is held in all of these. */
#ifndef TSCAP_CONSUMERS_H
#define TSCAP_CONSUMERS_H

#include <stdbool.h>

#include "membership.h"
#include "rules.h"

#define CONSUMER_NAME_MAX 63 /* bytes; longer names are cut */

struct consumer_handle {
    unsigned member; /* whose bit in membership.h */
    enum consumer_kind kind;
    char name[CONSUMER_NAME_MAX + 1];
    bool encloses; /* it wants what collectors enclose, not all threads */
    bool accompanies; /* it runs only while another that is counted does */
    bool running;
    bool has_records; /* maybe: it has run since it was made or cleared */
    bool gone;     /* removed; or its segment is given up, or its parent process' */
};

/* FAILED: a Python exception is set. */
enum consumers_change { CONSUMERS_DONE, CONSUMERS_ALREADY, CONSUMERS_FAILED };

/* One that sees all that is recorded, or nothing until it selects something. NULL: with an exception. consumers_remove() and then
 * consumers_free() are its end. */
struct consumer_handle *consumers_new(enum consumer_kind kind, const char *name, bool everything);
void consumers_free(struct consumer_handle *c); /* one that is gone, or NULL */

/* It goes, and what was counted for it; whoever has been removed already stays so. */
void consumers_remove(struct consumer_handle *c);

/* Calls that begin from here on are its, or are not. Those that are open when it ends are its still, and end as they do; if nobody
 * wants records any more, they end now. `look_again`: for functions whose __code__ was replaced. `flags`: enum consumer_flag. */
enum consumers_change consumers_begin(struct consumer_handle *c, bool look_again, uint32_t flags);
enum consumers_change consumers_end(struct consumer_handle *c);

/* Nothing that has begun until now is its any more. 0, or -1 with an exception: all is as before. */
int consumers_clear(struct consumer_handle *c);

/* From here on it selects what these rules say, and what it chose by number. The rules are
 * taken over. 0, or -1 with an exception: all is as before. */
int consumers_select(struct consumer_handle *c, struct rules *rules);
int consumers_unselect(const struct consumer_handle *c); /* it has no rules any more: what was counted by them stays */
int consumers_choose(struct consumer_handle *c, uint32_t *site, size_t sites, bool on); /* the array is changed */

bool consumers_have_records(void); /* may one that consumers_new() made? */
bool consumers_refuse_gone(const struct consumer_handle *c); /* with an exception, too */
bool consumers_refuse(void); /* nothing can be recorded: with an exception that says why */

/* There is no room for what was to be done, -ENOSPC or -ENOMEM: an exception. -1. */
int consumers_raise(int error, const char *what);

/* The segment goes, or is another process': those that consumers_new() made are gone, nobody runs. */
void consumers_forget(void);

#endif
