/* What `tscap attach` asks for and `tscap detach` takes back. */
#ifndef TSCAP_ATTACHMENT_H
#define TSCAP_ATTACHMENT_H

#include "command.h"
#include "rules.h"

/* The interpreter's lock is held. FAILED: an exception is set. What is taken of the rules is taken over. */
enum consumers_change attachment_begin(struct rules *rules);
enum consumers_change attachment_end(void);

/* `tscap attach` brings the recorder along, and the program imports it: from then on it is the program's. */
void attachment_bring(void);
void attachment_hand_over(void);

/* In the child after fork(2): it is not attached to. */
void attachment_forget(void);

#endif
