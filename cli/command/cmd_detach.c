#include "command.h"
#include "message.h"
#include "operand.h"
#include "order.h"
#include "settings.h"
#include "tree_detach.h"

static int detach(const struct subject *subject, uint64_t timeout)
{
    struct control_reply reply;
    int r = order_ask(subject, CONTROL_DETACH, 0, timeout, &reply);
    int code = order_check(subject, CONTROL_DETACH, timeout, r, &reply);
    if (code != EXIT_OK)
        return code;
    note(reply.result == CONTROL_ALREADY ? "process %d was not attached to" : "detached from process %d", (int)subject->pid);
    order_tell_what_is_left(subject);
    return EXIT_OK;
}

int cmd_detach(const struct settings *s)
{
    struct operand operand;
    uint64_t timeout = setting_or(s->timeout, ORDER_TIMEOUT);
    int code = operand_find(&operand, s, OPERAND_LIVING);
    if (code == EXIT_OK)
        code = s->subprocesses ? tree_detach(&operand, timeout) : detach(operand.subject, timeout);
    operand_free(&operand);
    return code;
}
