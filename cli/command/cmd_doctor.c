#include <stdio.h>

#include "command.h"
#include "message.h"
#include "operand.h"
#include "plan.h"
#include "problem.h"
#include "python_operand.h"
#include "settings.h"

static void print_problem(const struct problem *x, const struct plan *p)
{
    struct wording_text t;
    problem_text(x, p, &t);
    printf("%s %s\n  %s\n  try: %s\n", x->code == EXIT_OK ? "may be:" : "no:", t.what, t.why, t.remedy);
}

static void print_machine(void)
{
    int scope = protection_yama();
    printf("kernel.yama.ptrace_scope: %d\n", scope);
    printf("may trace other users' processes: %s\n", protection_may_trace_others() ? "yes" : "no");
}

static int print_process(pid_t pid)
{
    struct plan p;
    plan_make(&p, pid, METHOD_AUTO);
    for (size_t i = 0; i < p.problems; i++)
        print_problem(p.problem[i], &p);
    const struct problem *forbids = plan_forbidden_by(&p);
    if (!forbids)
        printf("process %d can be attached to: %s\n", (int)pid, p.extension.library);
    return forbids ? (int)forbids->code : EXIT_OK;
}

int cmd_doctor(const struct settings *s)
{
    struct python_operand o;
    int code = python_operand_find(&o, s);
    if (code != EXIT_OK)
        return code;
    pid_t pid = s->operand ? operand_pid(o.settings.operand) : 0;
    if (operand_is_part(o.settings.operand))
        return python_operand_missing(s);
    if (s->operand && !pid)
        return fail(EXIT_USAGE,
                    "'%s' cannot be a process\n"
                    "it takes a number, or a part of the command line of a Python process\n"
                    "tscap ps --python",
                    s->operand);
    print_machine();
    return pid ? print_process(pid) : EXIT_OK;
}
