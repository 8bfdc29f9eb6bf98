/* Sites that have a name in common: to a collector they are one. With the interpreter's lock held. */
#ifndef TSCAP_NAMING_H
#define TSCAP_NAMING_H

#include <stdint.h>

uint32_t naming_first(uint32_t site); /* the site that was first looked at of those with its name; itself, if memory is short */
void naming_forget(void);             /* after a fork: sites have other numbers */

#endif
