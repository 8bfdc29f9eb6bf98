/* Attaching to all that descend from a process that is attached to. What a member forks from then on is an heir, and not our
 * business: it has the session and the selection from its parent, in memory. */
#ifndef TSCAP_TREE_ATTACHMENT_H
#define TSCAP_TREE_ATTACHMENT_H

#include "attachment.h"
#include "descendants.h"
#include "operand.h"

struct member;

struct tree_attachment {
    const struct attachment *root;    /* (borrowed) how, and what for */
    struct operand *operand;          /* (borrowed) the root, and with it all that have a segment */
    struct descendants descendants;   /* of the root */
    struct member *member;
    size_t count, room;
    int code;    /* of the first that failed, after its message */
    bool silent; /* without it: the terminal is somebody else's */
    bool untold; /* so it was */
};

/* Those that live now, once the root has its order: each one that runs Python and is not an heir already. Waits for those that are
 * just being made. Says how many they are. The exit code of the first that failed; the others are attached to all the same. In any
 * case to be ended, or, where the attachment is to stay, left. */
int tree_attachment_begin(struct tree_attachment *t, const struct attachment *root, struct operand *operand);

/* Those that came since, by exec(2) too; after how many ns is it worth to look again? */
uint64_t tree_attachment_look(struct tree_attachment *t);

/* Takes it back where it was bound to our life, and waits for that. */
void tree_attachment_end(struct tree_attachment *t);
void tree_attachment_leave(struct tree_attachment *t);

/* Of a process that is attached to alone: names those below it that run Python and are not recorded. */
void tree_attachment_tell_others(struct operand *operand);

#endif
