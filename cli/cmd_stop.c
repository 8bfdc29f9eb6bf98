#include "command.h"
#include "order.h"

int cmd_stop(const struct settings *s) { return order_run(s, CONTROL_STOP, "stopped recording", "does not record"); }
