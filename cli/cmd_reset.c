#include "command.h"
#include "order.h"

int cmd_reset(const struct settings *s)
{
    return order_run(s, CONTROL_RESET, "forgot what was recorded of", "has nothing recorded");
}
