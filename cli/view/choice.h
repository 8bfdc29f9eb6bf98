/* Choices: whose calls are shown. --consumer names a consumer, in each segment anew; without it they are what the
 * session, what attach selected and the collectors see; where there are none of these, everybody's. */
#ifndef TSCAP_CHOICE_H
#define TSCAP_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audiences.h"
#include "snapshot.h"

enum choice_of { CHOICE_DEFAULT, CHOICE_EVERYTHING, CHOICE_CONSUMER };

struct settings;

struct choice {
    enum choice_of of;
    const char *text;    /* (borrowed) of --consumer: a number, a name, a kind; NULL: not given */
    const char *command; /* (borrowed) that shows it */
};

struct choice choice_make(const struct settings *s);

/* Can --consumer be meant so? A number is of one process. EXIT_OK, or EXIT_USAGE after a message. */
int choice_check(const struct settings *s);

/* The consumer that it names: the one with this number as long as that is there, else by its name or kind. `*number` 0: not
 * found before. 0; -ENODATA: there is none; -ENOTUNIQ: several fit. */
int choice_find(const struct choice *c, const struct audiences *a, uint32_t *number);

/* What it shows of this segment; `number`: of the consumer. Everything is what anybody sees; all there is where nobody ever wanted
 * records by the roster. */
struct audience_view choice_view(enum choice_of of, const struct snapshot *s, uint32_t number);

/* Has one of those whose calls are shown been cleared since, or was something else shown? */
bool choice_breaks(const struct audience_view *now, const struct audience_view *before);

/* The session as who sees only this has it: since it was cleared; of a consumer that was named, from its beginning to its end. */
struct session_state choice_session(enum choice_of of, const struct audience_view *v, const struct session_state *s);

/* "7 profiler shop", "1 session, 2 attached"; cut where there is no room. `number`: of the consumer that was looked for. */
#define CHOICE_TEXT 160
void choice_name(const struct audience_view *v, uint32_t number, char *buffer, size_t size);

/* Are there consumers whose calls it does not show? */
bool choice_leaves_out(const struct audience_view *v);

/* Why nothing was found: an exit code after a message. `error` as from choice_find(); `operand`: of the command. */
int choice_fail(const struct choice *c, const struct audiences *a, const char *operand, int error);

#endif
