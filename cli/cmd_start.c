#include "command.h"
#include "order.h"

int cmd_start(const struct settings *s) { return order_run(s, CONTROL_START, "recording", "records already"); }
