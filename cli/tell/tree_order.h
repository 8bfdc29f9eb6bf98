/* Orders to a process and all that descend from it. */
#ifndef TSCAP_TREE_ORDER_H
#define TSCAP_TREE_ORDER_H

#include "operand.h"
#include "order.h"

/* Also those that are made meanwhile. What members that have ended left goes with a reset. `done`, `already`: as for
 * order_give(). The exit code of the first that failed, after messages. */
int tree_order(struct operand *root, enum control_command command, uint64_t timeout_ns, const char *done, const char *already);

#endif
