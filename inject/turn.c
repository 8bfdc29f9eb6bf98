#include "turn.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "process.h"
#include "status.h"
#include "tasks.h"
#include "tracee.h"

#define LOOK_NS 1000000
#define OUR_NAME "tscap"

/* Or was: it has gone meanwhile. */
static bool is_one_of_us(pid_t tracer)
{
    char name[32];
    return process_thread_name(tracer, tracer, name, sizeof name) < 0 || strcmp(name, OUR_NAME) == 0;
}

static bool is_traced_by_us(pid_t pid)
{
    struct tasks t;
    struct status s;
    if (tasks_read(&t, pid) < 0)
        return false;
    for (size_t i = 0; i < t.count; i++)
        if (status_read(&s, t.tid[i]) == 0 && s.tracer && is_one_of_us(s.tracer))
            return true;
    return false;
}

void turn_wait(pid_t pid, uint64_t timeout_us)
{
    struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = tracee_now_us() + timeout_us;
    while (is_traced_by_us(pid) && tracee_now_us() < deadline)
        nanosleep(&pause, NULL);
}

int turn_read_status(struct status *s, pid_t pid, uint64_t timeout_us)
{
    struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = tracee_now_us() + timeout_us;
    int r;
    while ((r = status_read(s, pid)) == 0 && s->tracer && is_one_of_us(s->tracer) && tracee_now_us() < deadline)
        nanosleep(&pause, NULL);
    return r;
}
