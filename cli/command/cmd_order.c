#include "command.h"
#include "exit_code.h"
#include "family_order.h"
#include "operand.h"
#include "order.h"
#include "settings.h"

static int run(const struct settings *s, enum control_command command, const char *done, const char *already)
{
    struct operand operand;
    int code = operand_find(&operand, s, OPERAND_LIVING);
    uint64_t timeout = setting_or(s->timeout, ORDER_TIMEOUT);
    if (code == EXIT_OK)
        code = s->subprocesses ? family_order(&operand, command, timeout, done, already)
                               : order_give(operand.subject, command, timeout, done, already);
    operand_free(&operand);
    return code;
}

int cmd_start(const struct settings *s) { return run(s, CONTROL_START, "recording", "records already"); }

int cmd_stop(const struct settings *s) { return run(s, CONTROL_STOP, "stopped recording", "does not record"); }

int cmd_reset(const struct settings *s) { return run(s, CONTROL_RESET, "forgot what was recorded of", "has nothing recorded"); }
