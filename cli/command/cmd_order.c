#include "command.h"
#include "exit_code.h"
#include "master_start.h"
#include "operand.h"
#include "order.h"
#include "settings.h"
#include "stray_start.h"
#include "tree_order.h"

static int tell_all(struct operand *o, const struct settings *s, enum control_command command, uint64_t timeout, const char *done,
                    const char *already)
{
    int code = tree_order(o, command, timeout, done, already);
    return code == EXIT_OK && command == CONTROL_START ? stray_start(o, s) : code;
}

static int run(const struct settings *s, enum control_command command, const char *done, const char *already)
{
    struct operand operand;
    bool whole_tree = s->subprocesses && command == CONTROL_START;
    int code = whole_tree ? master_find(&operand, s) : operand_find(&operand, s, OPERAND_LIVING);
    uint64_t timeout = setting_or(s->timeout, ORDER_TIMEOUT);
    if (code == EXIT_OK)
        code = s->subprocesses ? tell_all(&operand, s, command, timeout, done, already)
                               : order_give(operand.subject, command, timeout, done, already);
    operand_free(&operand);
    return code;
}

int cmd_start(const struct settings *s) { return run(s, CONTROL_START, "recording", "records already"); }

int cmd_stop(const struct settings *s) { return run(s, CONTROL_STOP, "stopped recording", "does not record"); }

int cmd_reset(const struct settings *s) { return run(s, CONTROL_RESET, "forgot what was recorded of", "has nothing recorded"); }
