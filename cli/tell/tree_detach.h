/* Detaching from a process and all that descend from it. */
#ifndef TSCAP_TREE_DETACH_H
#define TSCAP_TREE_DETACH_H

#include <stdint.h>

#include "operand.h"

/* The root first: who is made from then on is no heir to it. Also those that are made meanwhile. The exit code of the first that
 * failed, after messages. */
int tree_detach(struct operand *root, uint64_t timeout_ns);

#endif
