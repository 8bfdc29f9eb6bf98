/* `with timestamp_block("name"):` a named stretch of code; dormant it looks at one flag on entry and exit. */
#ifndef TSCAP_BLOCK_H
#define TSCAP_BLOCK_H

#include "python.h"

int block_add_type(PyObject *module); /* 0, or -1 with an exception */
void block_forget_sites(void);        /* after a fork */
void block_tell(unsigned member);     /* it is told of all sites of blocks and collectors so far */

/* Site of a block or collector of that name, numbered at its first use with the caller's file and line. 0: no room. */
uint32_t block_site(PyObject *name, uint32_t kind);

#endif
