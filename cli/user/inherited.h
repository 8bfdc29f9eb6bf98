/* What tscap was started with and changes for itself, kept for a program that it starts in turn: that gets it as it was. */
#ifndef TSCAP_INHERITED_H
#define TSCAP_INHERITED_H

void inherited_note(void);    /* before anything is changed */
void inherited_restore(void); /* in a child, which is about to become another program */

#endif
