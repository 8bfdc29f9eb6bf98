#include "plan.h"

#include <linux/seccomp.h>
#include <string.h>
#include <unistd.h>

#include "maps.h"
#include "problem.h"
#include "script_load.h"
#include "turn.h"

#define TURN_US 2000000u /* another tscap traces it for a moment */

static void look_at_process(struct plan *p)
{
    p->error = turn_read_status(&p->status, p->pid, TURN_US);
    if (p->error == 0 && !status_has_ended(&p->status))
        protection_read(&p->protection, p->pid, &p->status);
}

static void look_at_rights(struct plan *p)
{
    p->yama = protection_yama();
    p->may_trace = protection_may_trace_others();
}

static void look_inside(struct plan *p) { p->error = target_inspect(p->pid, &p->target); }

static bool maps_contain(pid_t pid, const char *part)
{
    struct maps m;
    bool found = false;
    if (maps_read(&m, pid) < 0)
        return false;
    for (size_t i = 0; i < m.count && !found; i++)
        found = strstr(m.mapping[i].path, part);
    maps_free(&m);
    return found;
}

static void look_at_python(struct plan *p)
{
    p->pypy = !p->target.python && (strstr(p->target.image, "pypy") || maps_contain(p->pid, "libpypy"));
    p->musl = p->target.python && maps_contain(p->pid, "/ld-musl-");
}

static void look_at_settings(struct plan *p)
{
    char value[16];
    p->unwanted = target_environment(p->pid, "TSCAP_DISABLE", value, sizeof value) == 0 && value[0] && strcmp(value, "0") != 0;
}

/* Only with a thread in hand can be seen what its filter would do to us, and only by root. */
static bool has_filter_to_look_at(const struct plan *p) { return p->status.seccomp == SECCOMP_MODE_FILTER && geteuid() == 0; }

static void look_at_scripts(struct plan *p)
{
    struct load_report report = {.problem = LOAD_NO_INTERFACE};
    const struct script_load script = {.load = {.pid = p->pid}, .version = p->target.version};
    if (p->method == METHOD_PTRACE || p->method == METHOD_MEMFD || plan_forbidden_by(p))
        return;
    if (p->method == METHOD_AUTO && has_filter_to_look_at(p))
        return;
    if ((p->target.version >> 16 & 0xff) >= PLAN_SCRIPTS_SINCE)
        script_load_rehearse(&script, &report);
    p->asked = true;
    p->scripts = report.problem;
    p->runs_scripts = report.problem == LOAD_OK;
}

static void look_for_extension(struct plan *p)
{
    p->extension_found = extension_find(&p->extension, p->pid, &p->target, p->method == METHOD_MEMFD);
}

static void (*const looks[])(struct plan *p) = {
    [STAGE_PROCESS] = look_at_process,   [STAGE_RIGHTS] = look_at_rights,   [STAGE_INSIDE] = look_inside,
    [STAGE_PYTHON] = look_at_python,     [STAGE_STATE] = look_at_settings,  [STAGE_SCRIPTS] = look_at_scripts,
    [STAGE_EXTENSION] = look_for_extension,
};

static bool look(struct plan *p, enum problem_stage stage)
{
    looks[stage](p);
    return problems_judge(p, stage);
}

void plan_make(struct plan *p, pid_t pid, enum method method)
{
    *p = (struct plan){.pid = pid, .method = method};
    if (!look(p, STAGE_PROCESS))
        return;
    bool more = true;
    for (enum problem_stage stage = STAGE_RIGHTS; stage < STAGE_END && more; stage++)
        more = look(p, stage) && p->error == 0;
    if (p->problems && target_has_ended(pid)) { /* what was found meanwhile was not there any more, rather than in the way */
        p->problems = 0;
        problems_judge(p, STAGE_END);
    }
}

const struct problem *plan_forbidden_by(const struct plan *p)
{
    for (size_t i = 0; i < p->problems; i++)
        if (p->problem[i]->code != EXIT_OK)
            return p->problem[i];
    return NULL;
}

int plan_check(const struct plan *p)
{
    const struct problem *x = plan_forbidden_by(p);
    return x ? problem_tell(x, p) : EXIT_OK;
}
