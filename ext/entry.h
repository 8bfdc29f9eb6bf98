/* The way in for `tscap attach`: shared/attach.h says how it is called. */
#ifndef TSCAP_ENTRY_H
#define TSCAP_ENTRY_H

#include <stdbool.h>

/* Was the recorder brought by `tscap attach`, and not imported by the program since? */
bool entry_brought_us(void);
void entry_hand_over(void); /* the program imports it */

#endif
