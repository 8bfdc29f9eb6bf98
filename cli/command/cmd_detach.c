#include "command.h"
#include "message.h"
#include "operand.h"
#include "order.h"
#include "settings.h"

int cmd_detach(const struct settings *s)
{
    struct operand operand;
    struct control_reply reply;
    uint64_t timeout = setting_or(s->timeout, ORDER_TIMEOUT);
    int code = operand_find(&operand, s, OPERAND_LIVING);
    if (code == EXIT_OK) {
        const struct subject *subject = operand.subject;
        int r = order_ask(subject, CONTROL_DETACH, 0, timeout, &reply);
        code = order_check(subject, CONTROL_DETACH, timeout, r, &reply);
        if (code == EXIT_OK)
            note(reply.result == CONTROL_ALREADY ? "process %d was not attached to" : "detached from process %d", (int)subject->pid);
    }
    operand_free(&operand);
    return code;
}
