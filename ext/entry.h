/* The way in for `tscap attach`: shared/attach.h says how it is called. */
#ifndef TSCAP_ENTRY_H
#define TSCAP_ENTRY_H

#include <stdbool.h>

/* Was the package brought by `tscap attach`, not by the program? */
bool entry_brought_us(void);

#endif
