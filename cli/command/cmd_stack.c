#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "diagnosis.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "process.h"
#include "python_operand.h"
#include "settings.h"
#include "stack_report.h"
#include "stacks.h"
#include "target.h"

static int not_permitted(int pid, bool native)
{
    return fail(EXIT_PERMISSION,
                "may not look at the stacks of process %d\n"
                "reading its memory%s takes the rights of ptrace(2): its user%s, or root; and nobody else may trace it\n"
                "sudo tscap stack %d%s",
                pid, native ? " and stopping it" : "", native ? ", where kernel.yama.ptrace_scope is 0" : "", pid, native ? " --native" : "");
}

static int not_known(int pid, uint32_t version)
{
    return fail(EXIT_UNSUPPORTED,
                "cannot read the stacks of process %d\n"
                "the structures of its CPython (%u.%u.%u) are not known: 3.9 to 3.15 are, up to 3.12 not as debug builds\n"
                "tscap doctor %d",
                pid, version >> 24, version >> 16 & 0xff, version >> 8 & 0xff, pid);
}

static int no_python(pid_t pid)
{
    struct target t;
    bool seen = target_inspect(pid, &t) == 0;
    return diagnose_no_python(pid, seen && t.image[0] ? t.image : "what it executes", "stack");
}

static int explain(pid_t pid, const struct settings *s, const struct stacks *stacks, int error)
{
    int number = (int)pid;
    switch (-error) {
    case ESRCH:
    case ENOENT:
        return fail(EXIT_NO_PROCESS,
                    "no process %d\n"
                    "none runs with this number\n"
                    "ps -e",
                    number);
    case EACCES:
    case EPERM:
        return not_permitted(number, s->native);
    case ENOEXEC:
        return no_python(pid);
    case EPROTONOSUPPORT:
        return not_known(number, stacks->version);
    case EBADMSG:
    case EFAULT:
        return fail(EXIT_UNSUPPORTED,
                    "cannot read the stacks of process %d\n"
                    "its interpreter is not there yet, or no longer, or keeps its structures elsewhere\n"
                    SAME_AGAIN,
                    number);
    default:
        return fail(exit_code_of_errno(error),
                    "cannot read the stacks of process %d\n"
                    "%s\n"
                    SAME_AGAIN,
                    number, strerror(-error));
    }
}

static int check_whole(const struct stacks *s, pid_t pid)
{
    size_t torn = 0;
    bool complete = s->python.complete && (!s->with_native || s->native.complete);
    for (size_t i = 0; i < s->threads; i++)
        torn += s->thread[i].python && (s->thread[i].python->cut || !s->thread[i].python->consistent);
    if (complete && torn == 0)
        return EXIT_OK;
    return fail(EXIT_LOSS,
                "the stacks are incomplete\n"
                "%s: threads that ran while they were read are marked\n"
                "tscap stack %d%s",
                complete ? "some stacks changed at each look" : "not all threads could be read", (int)pid, s->with_native ? " --native" : " --native, which stops them");
}

static int show(pid_t pid, const struct settings *s)
{
    struct stacks stacks;
    int code = diagnose_thread(pid, s->command);
    if (code != EXIT_OK)
        return code;
    int r = stacks_read(&stacks, pid, s->native);
    if (r < 0)
        return explain(pid, s, &stacks, r);
    bool whole = format_choose(FORMAT_STACKS, s)->write(&(struct stack_report){&stacks, pid}, s);
    code = whole ? check_whole(&stacks, pid) : fail(EXIT_FAILED,
                                                        "cannot show the stacks\n"
                                                        "out of memory\n"
                                                        SAME_AGAIN);
    stacks_free(&stacks);
    return code;
}

int cmd_stack(const struct settings *s)
{
    struct python_operand o;
    int code = python_operand_find(&o, s);
    if (code != EXIT_OK)
        return code;
    pid_t pid = operand_pid(o.settings.operand);
    if (pid)
        return show(pid, &o.settings);
    if (operand_is_part(s->operand))
        return python_operand_missing(s);
    return fail(EXIT_USAGE,
                "'%s' cannot be a process\n"
                "stack takes the number of any process that runs Python, or a part of its command line\n"
                "tscap ps --python",
                s->operand);
}
