#include <stdio.h>

#include "command.h"
#include "message.h"
#include "obstacle.h"
#include "operand.h"
#include "settings.h"

static void print_obstacle(const struct obstacle *o)
{
    printf("%s %s\n  %s\n  try: %s\n", o->code == EXIT_OK ? "may be:" : "no:", o->what, o->why, o->remedy);
}

static void print_machine(void)
{
    int scope = protection_yama();
    printf("kernel.yama.ptrace_scope: %d\n", scope);
    printf("may trace other users' processes: %s\n", protection_may_trace_others() ? "yes" : "no");
}

static int print_process(pid_t pid)
{
    struct obstacle o[OBSTACLES_MAX];
    struct prospect p;
    size_t count = obstacles_find(o, OBSTACLES_MAX, &p, pid, METHOD_AUTO);
    const struct obstacle *worst = obstacles_worst(o, count);
    for (size_t i = 0; i < count; i++)
        print_obstacle(&o[i]);
    if (!worst)
        printf("process %d can be attached to: %s\n", (int)pid, p.extension.library);
    return worst ? (int)worst->code : EXIT_OK;
}

int cmd_doctor(const struct settings *s)
{
    pid_t pid = s->operand ? operand_pid(s->operand) : 0;
    if (s->operand && !pid)
        return fail(EXIT_USAGE,
                    "'%s' cannot be a process\n"
                    "it takes a number\n"
                    "tscap doctor --help",
                    s->operand);
    print_machine();
    return pid ? print_process(pid) : EXIT_OK;
}
