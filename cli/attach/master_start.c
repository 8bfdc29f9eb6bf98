#include "master_start.h"

#include "attachment.h"
#include "lineage.h"
#include "message.h"
#include "order.h"
#include "process.h"
#include "python_operand.h"

struct master {
    pid_t pid;
    uint64_t start_time;
    uint64_t timeout;
};

static bool is_below(const struct master *m, const struct subject *s)
{
    return subject_ready(s) && lineage_has(s->header.lineage, m->pid, m->start_time);
}

static size_t count_below(const struct master *m, const struct subjects *all)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += is_below(m, &all->subject[i]);
    return count;
}

static void start_each(const struct master *m, const struct subjects *all)
{
    size_t started = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct subject *s = &all->subject[i];
        struct control_reply reply;
        if (!is_below(m, s))
            continue;
        int error = order_ask(s, CONTROL_START, CONTROL_SUBPROCESSES, m->timeout, &reply);
        if (order_may_come_round(s, error))
            continue; /* it has ended */
        started += order_check(s, CONTROL_START, m->timeout, error, &reply) == EXIT_OK;
    }
    if (started)
        note("recording %zu process%s below %d, each by itself: not those that it makes later; tscap ps -t", started,
             started == 1 ? "" : "es", (int)m->pid);
}

static int bring(struct operand *o, const struct settings *s, const struct master *m)
{
    char problem[MESSAGE_MAX] = "";
    struct attachment a;
    attachment_init(&a, s);
    message_keep(problem, sizeof problem);
    int code = attachment_bring(&a, m->pid);
    message_keep(NULL, 0);
    if (code == EXIT_OK) {
        operand_free(o);
        note("process %d had not imported timestamp_capture: it was brought in, so that what it forks records", (int)m->pid);
        return operand_find(o, s, OPERAND_LIVING);
    }
    fail((enum exit_code)code, "%s", problem);
    start_each(m, &o->all);
    return code;
}

int master_find(struct operand *o, const struct settings *s)
{
    struct python_operand named;
    int code = operand_look(o, s);
    if (code != EXIT_OK || o->subject || (code = python_operand_find(&named, s)) != EXIT_OK)
        return code;
    struct master m = {.pid = operand_pid(named.settings.operand), .timeout = setting_or(s->timeout, ORDER_TIMEOUT)};
    if (m.pid && process_start_time(m.pid, &m.start_time) == 0 && count_below(&m, &o->all))
        return bring(o, &named.settings, &m);
    operand_free(o);
    return operand_find(o, s, OPERAND_LIVING);
}
