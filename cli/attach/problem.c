#include "problem.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "no_python.h"
#include "plan.h"
#include "process.h"

#define OLDEST 9
#define NEWEST 15
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* ---- does it stand in the way? ---- */

static bool is_not_there(const struct plan *p) { return p->error < 0; }
static bool is_zombie(const struct plan *p) { return status_has_ended(&p->status); }
static bool is_thread(const struct plan *p) { return p->status.process && p->status.process != p->pid; }
static bool is_kernels(const struct plan *p) { return p->protection.kernel_thread; }

static bool is_ours(const struct plan *p)
{
    const uid_t *uid = p->status.uid, us = geteuid();
    return uid[0] == us && uid[1] == us && uid[2] == us;
}

static bool is_anothers(const struct plan *p) { return !p->may_trace && !is_ours(p); }
static bool is_guarded(const struct plan *p) { return !p->may_trace && is_ours(p) && !p->protection.dumpable; }

static bool lacks_capability(const struct plan *p)
{
    return !p->may_trace && is_ours(p) && p->protection.dumpable && geteuid() == 0;
}

static bool yama_forbids_all(const struct plan *p) { return p->yama >= 3; }
static bool yama_forbids_us(const struct plan *p) { return p->yama == 2 && !p->may_trace; }

static bool yama_forbids_strangers(const struct plan *p)
{
    return p->yama == 1 && !p->may_trace && !protection_is_descendant(p->pid);
}

/* The reason is known where something was found before. */
static bool is_closed(const struct plan *p) { return p->error < 0 && p->problems == 0; }
static bool has_gone(const struct plan *p) { return is_closed(p) && (p->error == -ESRCH || p->error == -ENOENT); }
static bool is_closed_to_us(const struct plan *p) { return is_closed(p) && (p->error == -EACCES || p->error == -EPERM); }

static bool is_pypy(const struct plan *p) { return !p->target.python && p->pypy; }
static bool is_no_python(const struct plan *p) { return !p->target.python; }

static bool is_of_another_version(const struct plan *p)
{
    unsigned minor = p->target.version >> 16 & 0xff;
    return p->target.version >> 24 != 3 || minor < OLDEST || minor > NEWEST;
}

static bool is_of_another_machine(const struct plan *p) { return p->target.machine != arch_machine || !p->target.is_64_bit; }
static bool is_free_threaded(const struct plan *p) { return p->target.free_threaded; }
static bool uses_musl(const struct plan *p) { return p->musl; }

static bool is_traced(const struct plan *p) { return p->status.tracer != 0; }
static bool is_stopped(const struct plan *p) { return p->status.state == 'T'; }
static bool shares_memory(const struct plan *p) { return p->protection.shares_memory; }
static bool is_in_strict_mode(const struct plan *p) { return p->status.seccomp == SECCOMP_MODE_STRICT; }
static bool has_filter(const struct plan *p) { return p->status.seccomp == SECCOMP_MODE_FILTER; }
static bool is_unwanted(const struct plan *p) { return p->unwanted; }

static bool forbids_scripts(const struct plan *p) { return p->asked && p->scripts == LOAD_DISABLED; }

static bool runs_no_scripts(const struct plan *p)
{
    return p->asked && !p->runs_scripts && !forbids_scripts(p) && p->method == METHOD_SCRIPT;
}

static bool hides_extension(const struct plan *p) { return !p->extension_found && p->extension.hidden; }
static bool lacks_extension(const struct plan *p) { return !p->extension_found && !p->extension.hidden; }

static bool has_ended(const struct plan *p) { return target_has_ended(p->pid); }

/* ---- all of them, in the order in which they matter ---- */

#define LAST true
#define MORE false
const struct problem problems[] = {
    {STAGE_PROCESS, LAST, EXIT_NO_PROCESS, is_not_there, {"no process {pid}", "none runs with this number", "tscap ps --python"}},
    {STAGE_PROCESS, LAST, EXIT_NO_PROCESS, is_zombie,
     {"no process {pid}", "it has ended, its parent has not taken notice yet", "tscap ps --python"}},
    {STAGE_PROCESS, LAST, EXIT_NO_PROCESS, is_thread,
     {"{pid} is not a process", "it is a thread of process {process}", "tscap attach {process}"}},
    {STAGE_PROCESS, LAST, EXIT_UNSUPPORTED, is_kernels,
     {"process {pid} is not CPython", "it is a thread of the kernel", "tscap ps --python"}},

    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, is_anothers,
     {"process {pid} is not yours", "it belongs to {owner} (uid {uid}), you are uid {us}: only that user and root may attach",
      "sudo tscap attach {pid}"}},
    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, is_guarded,
     {"process {pid} does not let itself be traced",
      "it is set-uid, has capabilities of its own, or asked for it (prctl PR_SET_DUMPABLE)", "sudo tscap attach {pid}"}},
    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, lacks_capability,
     {"tscap may not trace process {pid}", "it runs as root but without CAP_SYS_PTRACE, as in a container",
      "docker run --cap-add=SYS_PTRACE"}},
    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, yama_forbids_all,
     {"nothing may be traced on this machine", "kernel.yama.ptrace_scope is {scope}, which stays until the next boot",
      "sysctl kernel.yama.ptrace_scope=1 at boot, or import timestamp_capture in the program"}},
    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, yama_forbids_us,
     {"only the privileged may trace on this machine", "kernel.yama.ptrace_scope is 2", "sudo tscap attach {pid}"}},
    {STAGE_RIGHTS, MORE, EXIT_PERMISSION, yama_forbids_strangers,
     {"process {pid} may only be traced by its parents", "kernel.yama.ptrace_scope is 1",
      "sudo tscap attach {pid}, or sudo sysctl kernel.yama.ptrace_scope=0"}},

    {STAGE_INSIDE, LAST, EXIT_NO_PROCESS, has_gone, {"no process {pid}", "it has just ended", "tscap ps --python"}},
    {STAGE_INSIDE, LAST, EXIT_PERMISSION, is_closed_to_us,
     {"cannot look at process {pid}", "the kernel refuses it: {error}", "{sudo}tscap doctor {pid}"}},
    {STAGE_INSIDE, LAST, EXIT_FAILED, is_closed, {"cannot look at process {pid}", "{error}", "{sudo}tscap doctor {pid}"}},

    {STAGE_PYTHON, LAST, EXIT_UNSUPPORTED, is_pypy,
     {"process {pid} is not CPython", "{image} is PyPy, which is not supported", "tscap ps --python"}},
    {STAGE_PYTHON, LAST, EXIT_UNSUPPORTED, is_no_python,
     {"process {pid} is not CPython", "{no_python}", "{another}"}},
    {STAGE_PYTHON, LAST, EXIT_UNSUPPORTED, is_of_another_version,
     {"process {pid} is CPython {version}", "3." TEXT(OLDEST) " to 3." TEXT(NEWEST) " are supported", "tscap ps --python"}},
    {STAGE_PYTHON, MORE, EXIT_UNSUPPORTED, is_of_another_machine,
     {"process {pid} runs on another kind of processor than this tscap", "it is emulated, or a 32-bit program",
      "use a tscap that was built for it"}},
    {STAGE_PYTHON, MORE, EXIT_UNSUPPORTED, is_free_threaded,
     {"process {pid} is a free-threaded CPython", "it is not supported yet",
      "run the program with the other build of the same version"}},
    {STAGE_PYTHON, MORE, EXIT_UNSUPPORTED, uses_musl,
     {"process {pid} uses the C library musl", "this build of timestamp_capture is for glibc",
      "install timestamp_capture in the program's environment and import it there"}},

    {STAGE_STATE, MORE, EXIT_PERMISSION, is_traced,
     {"process {pid} is already traced", "by process {tracer} ({tracer_name}): a process has one tracer at most",
      "end the debugger or strace {tracer}, then attach"}},
    {STAGE_STATE, MORE, EXIT_FAILED, is_stopped,
     {"process {pid} is stopped", "by a signal, SIGSTOP or ^Z: it cannot do anything", "kill -CONT {pid}"}},
    {STAGE_STATE, MORE, EXIT_FAILED, shares_memory,
     {"process {pid} shares the memory of its parent", "it is about to run a program (vfork)", "tscap attach {parent}"}},
    {STAGE_STATE, MORE, EXIT_PERMISSION, is_in_strict_mode,
     {"process {pid} may only read and write", "it is in seccomp's strict mode: it could not load anything",
      "import timestamp_capture in the program"}},
    {STAGE_STATE, MORE, EXIT_OK, has_filter,
     {"process {pid} has a seccomp filter",
      "it may forbid what attaching and recording need (see tscap(1)); attach and start ask it first, if they are root's",
      "sudo tscap attach {pid} --dry-run"}},
    {STAGE_STATE, MORE, EXIT_UNSUPPORTED, is_unwanted,
     {"process {pid} does not want to be recorded", "it was started with TSCAP_DISABLE", "unset TSCAP_DISABLE, and start the program again"}},

    {STAGE_SCRIPTS, MORE, EXIT_UNSUPPORTED, forbids_scripts,
     {"remote debugging is disabled in process {pid}",
      "by PYTHON_DISABLE_REMOTE_DEBUG, -X disable-remote-debug, or when its Python was built",
      "tscap attach {pid} --method ptrace, which does without"}},
    {STAGE_SCRIPTS, MORE, EXIT_UNSUPPORTED, runs_no_scripts,
     {"process {pid} cannot be asked to run a script", "released versions of CPython can since 3." TEXT(PLAN_SCRIPTS_SINCE) " (PEP 768)",
      "tscap attach {pid} --method ptrace"}},

    {STAGE_EXTENSION, MORE, EXIT_UNSUPPORTED, hides_extension,
     {"process {pid} cannot see {library}", "it lives in a container or below another root",
      "tscap attach {pid} --memfd, or pip install tscap where it runs"}},
    {STAGE_EXTENSION, MORE, EXIT_UNSUPPORTED, lacks_extension,
     {"no timestamp_capture for {kind}", "looked beside tscap, in $TSCAP_BUILD and in the packages of process {pid}",
      "make ext PYTHON={python} where tscap was built (make all-pythons: for all), or pip install tscap in the program's environment"}},

    {STAGE_END, LAST, EXIT_NO_PROCESS, has_ended, {"no process {pid}", "it has just ended", "tscap ps --python"}},
};
const size_t problem_count = sizeof problems / sizeof *problems;

bool problems_judge(struct plan *p, enum problem_stage stage)
{
    for (size_t i = 0; i < problem_count && p->problems < PLAN_PROBLEMS; i++) {
        const struct problem *x = &problems[i];
        if (x->stage != stage || !x->stands(p))
            continue;
        p->problem[p->problems++] = x;
        if (x->last)
            return false;
    }
    return true;
}

/* ---- in words ---- */

#define PLAN(context) ((const struct plan *)(context))

static void write_pid(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%d", (int)PLAN(plan)->pid); }
static void write_process(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%d", (int)PLAN(plan)->status.process); }
static void write_parent(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%d", (int)PLAN(plan)->status.parent); }
static void write_tracer(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%d", (int)PLAN(plan)->status.tracer); }
static void write_scope(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%d", PLAN(plan)->yama); }
static void write_error(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%s", strerror(-PLAN(plan)->error)); }
static void write_library(const void *plan, char *buffer, size_t size) { snprintf(buffer, size, "%s", PLAN(plan)->extension.library); }
static void write_kind(const void *plan, char *buffer, size_t size) { extension_kind(&PLAN(plan)->target, buffer, size); }

static void write_uid(const void *plan, char *buffer, size_t size)
{
    snprintf(buffer, size, "%lu", (unsigned long)PLAN(plan)->status.uid[1]);
}

static void write_us(const void *plan, char *buffer, size_t size)
{
    (void)plan;
    snprintf(buffer, size, "%lu", (unsigned long)geteuid());
}

static void write_owner(const void *plan, char *buffer, size_t size)
{
    const struct passwd *user = getpwuid(PLAN(plan)->status.uid[1]);
    snprintf(buffer, size, "%s", user ? user->pw_name : "another user");
}

static void write_tracer_name(const void *plan, char *buffer, size_t size)
{
    char name[64] = "?";
    process_thread_name(PLAN(plan)->status.tracer, PLAN(plan)->status.tracer, name, sizeof name);
    snprintf(buffer, size, "%s", name);
}

static void write_image(const void *plan, char *buffer, size_t size)
{
    const char *image = PLAN(plan)->target.image;
    snprintf(buffer, size, "%s", image[0] ? image : "it");
}

static void write_no_python(const void *plan, char *buffer, size_t size)
{
    struct no_python n;
    no_python_explain(&n, PLAN(plan)->pid, PLAN(plan)->target.image, "attach");
    snprintf(buffer, size, "%s", n.why);
}

static void write_another(const void *plan, char *buffer, size_t size)
{
    struct no_python n;
    no_python_explain(&n, PLAN(plan)->pid, PLAN(plan)->target.image, "attach");
    snprintf(buffer, size, "%s", n.remedy);
}

/* Empty for root, whom it would not help. */
static void write_sudo(const void *plan, char *buffer, size_t size)
{
    (void)plan;
    snprintf(buffer, size, "%s", geteuid() == 0 ? "" : "sudo ");
}

static void write_version(const void *plan, char *buffer, size_t size)
{
    target_version(&PLAN(plan)->target, buffer, size);
    if (!buffer[0])
        snprintf(buffer, size, "of an unknown version");
}

static void write_python(const void *plan, char *buffer, size_t size)
{
    const struct target *t = &PLAN(plan)->target;
    const char *slash = strrchr(t->image, '/');
    if (slash && strncmp(slash + 1, "python", 6) == 0) /* and not the library, which is no program */
        snprintf(buffer, size, "%s", t->image);
    else
        snprintf(buffer, size, "python%u.%u", t->version >> 24, t->version >> 16 & 0xff);
}

static const struct wording_field fields[] = {
    {"pid", write_pid},       {"process", write_process}, {"parent", write_parent}, {"tracer", write_tracer},
    {"tracer_name", write_tracer_name}, {"uid", write_uid}, {"us", write_us},       {"owner", write_owner},
    {"scope", write_scope},   {"error", write_error},     {"image", write_image},   {"version", write_version},
    {"python", write_python}, {"library", write_library}, {"kind", write_kind},     {"no_python", write_no_python}, {"another", write_another},
    {"sudo", write_sudo},     {0},
};

void problem_text(const struct problem *x, const struct plan *p, struct wording_text *t) { wording_fill(t, &x->wording, fields, p); }

int problem_tell(const struct problem *x, const struct plan *p) { return wording_fail(x->code, &x->wording, fields, p); }
