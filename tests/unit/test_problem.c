#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "problem.h"

TestSuite(problem, .init = cr_redirect_stderr);

/* One that nothing stands in the way of. */
static struct plan plan_without_problems(void)
{
    struct plan p = {.pid = getpid(), .may_trace = true, .extension_found = true};
    status_read(&p.status, p.pid);
    protection_read(&p.protection, p.pid, &p.status);
    target_inspect(p.pid, &p.target);
    p.status.tracer = 0; /* whatever the test runs under */
    p.status.seccomp = 0;
    p.target.python = true;
    p.target.free_threaded = false;
    p.target.version = 0x030d01f0;
    return p;
}

static size_t judge_all(struct plan *p)
{
    p->problems = 0;
    for (enum problem_stage stage = STAGE_PROCESS; stage < STAGE_END && problems_judge(p, stage); stage++)
        ;
    return p->problems;
}

static const char *only_problem(struct plan *p)
{
    static struct wording_text t;
    cr_assert_eq(judge_all(p), 1);
    problem_text(p->problem[0], p, &t);
    return t.what;
}

Test(problem, none_stands)
{
    struct plan p = plan_without_problems();
    cr_expect_eq(judge_all(&p), 0);
    cr_expect_null(plan_forbidden_by(&p));
    cr_expect_eq(plan_check(&p), EXIT_OK);
}

Test(problem, each_has_its_words)
{
    struct plan p = plan_without_problems();
    struct wording_text t;
    for (size_t i = 0; i < problem_count; i++) {
        problem_text(&problems[i], &p, &t);
        cr_expect(t.what[0] && t.why[0] && t.remedy[0] && !strchr(t.what, '{') && !strchr(t.why, '{') && !strchr(t.remedy, '{'), "%s",
                  problems[i].wording.what);
    }
}

Test(problem, in_the_order_of_the_stages)
{
    for (size_t i = 1; i < problem_count; i++)
        cr_expect_leq(problems[i - 1].stage, problems[i].stage);
}

Test(problem, the_first_that_forbids_it_is_named)
{
    struct plan p = plan_without_problems();
    p.status.seccomp = SECCOMP_MODE_FILTER; /* may do harm, or not */
    cr_expect_eq(judge_all(&p), 1);
    cr_expect_null(plan_forbidden_by(&p));
    p.extension_found = false;
    cr_expect_eq(judge_all(&p), 2);
    cr_expect_eq(plan_forbidden_by(&p), p.problem[1]);
    cr_expect_eq(plan_check(&p), EXIT_UNSUPPORTED);
}

Test(problem, after_one_that_says_all_there_are_no_more)
{
    struct plan p = plan_without_problems();
    p.target.version = 0x030600f0;
    p.status.tracer = 1;
    p.extension_found = false;
    cr_expect_str_eq(only_problem(&p) + strcspn(only_problem(&p), "C"), "CPython 3.6.0");
    p.target.version = 0;
    cr_expect_not_null(strstr(only_problem(&p), "of an unknown version"));
}

Test(problem, why_it_cannot_be_looked_into_is_said_if_nothing_else_says_it)
{
    struct plan p = plan_without_problems();
    p.error = -EACCES;
    p.problems = 0;
    cr_expect_not(problems_judge(&p, STAGE_INSIDE));
    cr_expect_eq(p.problem[0]->code, EXIT_PERMISSION);
    cr_expect(problems_judge(&p, STAGE_INSIDE));
    cr_expect_eq(p.problems, 1);
}

Test(problem, of_a_process_that_is_not_there)
{
    struct plan p;
    plan_make(&p, 0x7ffffffe, METHOD_AUTO);
    cr_expect_eq(plan_check(&p), EXIT_NO_PROCESS);
    cr_expect_eq(p.problems, 1);
}

Test(problem, a_process_that_ends_meanwhile_has_but_ended)
{
    struct plan p;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    plan_make(&p, pid, METHOD_AUTO);
    cr_expect_eq(p.problems, 1);
    cr_expect_eq(plan_check(&p), EXIT_NO_PROCESS);
    waitpid(pid, NULL, 0);
}
