#include "obstacle.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "maps.h"
#include "message.h"
#include "process.h"
#include "script_load.h"

#define OLDEST 9
#define NEWEST 15
#define FIRST_WITH_SCRIPTS 14

struct list {
    struct obstacle *obstacle;
    size_t room, count;
};

/* ---- one after the other ---- */

/* Lines as for fail(): what, why, remedy. */
__attribute__((format(printf, 3, 4))) static void add(struct list *l, enum exit_code code, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    if (l->count == l->room)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct obstacle *o = &l->obstacle[l->count++];
    char *why = strchr(text, '\n'), *remedy = strrchr(text, '\n');
    *why++ = '\0';
    *remedy++ = '\0';
    o->code = code;
    snprintf(o->what, sizeof o->what, "%.255s", text);
    snprintf(o->why, sizeof o->why, "%.767s", why);
    snprintf(o->remedy, sizeof o->remedy, "%.767s", remedy);
}

static const char *user_name(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    return user ? user->pw_name : "another user";
}

static void look_at_user(struct list *l, const struct prospect *p)
{
    const struct status *s = &p->status;
    uid_t owner = s->uid[1], us = geteuid();
    bool same = s->uid[0] == us && s->uid[1] == us && s->uid[2] == us;
    int pid = (int)p->pid;
    if (protection_may_trace_others())
        return;
    if (!same)
        add(l, EXIT_PERMISSION,
            "process %d is not yours\n"
            "it belongs to %s (uid %lu), you are uid %lu: only that user and root may attach\n"
            "sudo tscap attach %d",
            pid, user_name(owner), (unsigned long)owner, (unsigned long)us, pid);
    else if (!p->protection.dumpable)
        add(l, EXIT_PERMISSION,
            "process %d does not let itself be traced\n"
            "it is set-uid, has capabilities of its own, or asked for it (prctl PR_SET_DUMPABLE)\n"
            "sudo tscap attach %d",
            pid, pid);
    else if (us == 0)
        add(l, EXIT_PERMISSION,
            "tscap may not trace process %d\n"
            "it runs as root but without CAP_SYS_PTRACE, as in a container\n"
            "docker run --cap-add=SYS_PTRACE",
            pid);
}

static void look_at_yama(struct list *l, const struct prospect *p)
{
    int scope = protection_yama(), pid = (int)p->pid;
    bool may = protection_may_trace_others();
    if (scope >= 3)
        add(l, EXIT_PERMISSION,
            "nothing may be traced on this machine\n"
            "kernel.yama.ptrace_scope is %d, which stays until the next boot\n"
            "sysctl kernel.yama.ptrace_scope=1 at boot, or import timestamp_capture in the program",
            scope);
    else if (scope == 2 && !may)
        add(l, EXIT_PERMISSION,
            "only the privileged may trace on this machine\n"
            "kernel.yama.ptrace_scope is 2\n"
            "sudo tscap attach %d",
            pid);
    else if (scope == 1 && !may && !protection_is_descendant(p->pid))
        add(l, EXIT_PERMISSION,
            "process %d may only be traced by its parents\n"
            "kernel.yama.ptrace_scope is 1\n"
            "sudo tscap attach %d, or sudo sysctl kernel.yama.ptrace_scope=0",
            pid, pid);
}

static void look_at_state(struct list *l, const struct prospect *p)
{
    const struct status *s = &p->status;
    char name[64] = "?";
    int pid = (int)p->pid;
    if (s->tracer) {
        process_thread_name(s->tracer, s->tracer, name, sizeof name);
        add(l, EXIT_PERMISSION,
            "process %d is already traced\n"
            "by process %d (%s): a process has one tracer at most\n"
            "end the debugger or strace %d, then attach",
            pid, (int)s->tracer, name, (int)s->tracer);
    }
    if (s->state == 'T')
        add(l, EXIT_FAILED,
            "process %d is stopped\n"
            "by a signal, SIGSTOP or ^Z: it cannot do anything\n"
            "kill -CONT %d",
            pid, pid);
    if (p->protection.shares_memory)
        add(l, EXIT_FAILED,
            "process %d shares the memory of its parent\n"
            "it is about to run a program (vfork)\n"
            "tscap attach %d",
            pid, (int)s->parent);
    if (s->seccomp == SECCOMP_MODE_STRICT)
        add(l, EXIT_PERMISSION,
            "process %d may only read and write\n"
            "it is in seccomp's strict mode: it could not load anything\n"
            "import timestamp_capture in the program",
            pid);
    else if (s->seccomp == SECCOMP_MODE_FILTER)
        add(l, EXIT_OK,
            "process %d has a seccomp filter\n"
            "it may forbid what attaching and recording need (see tscap(1)); attach and start ask it first, if they are root's\n"
            "sudo tscap attach %d --dry-run",
            pid, pid);
}

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

/* False: nothing else is worth knowing. */
static bool look_at_python(struct list *l, const struct prospect *p)
{
    int pid = (int)p->pid;
    unsigned minor = p->target.version >> 16 & 0xff;
    if (!p->target.python) {
        bool pypy = strstr(p->target.image, "pypy") || maps_contain(p->pid, "libpypy");
        add(l, EXIT_UNSUPPORTED,
            "process %d is not CPython\n"
            "%s %s\n"
            "tscap ps",
            pid, p->target.image[0] ? p->target.image : "it", pypy ? "is PyPy, which is not supported" : "has no CPython in it");
        return false;
    }
    if (p->target.version >> 24 != 3 || minor < OLDEST || minor > NEWEST) {
        char version[32];
        target_version(&p->target, version, sizeof version);
        add(l, EXIT_UNSUPPORTED,
            "process %d is CPython %s\n"
            "3.%d to 3.%d are supported\n"
            "tscap ps",
            pid, version[0] ? version : "of an unknown version", OLDEST, NEWEST);
        return false;
    }
    if (p->target.machine != arch_machine || !p->target.is_64_bit)
        add(l, EXIT_UNSUPPORTED,
            "process %d runs on another kind of processor than this tscap\n"
            "it is emulated, or a 32-bit program\n"
            "use a tscap that was built for it",
            pid);
    if (p->target.free_threaded)
        add(l, EXIT_UNSUPPORTED,
            "process %d is a free-threaded CPython\n"
            "it is not supported yet\n"
            "run the program with the other build of the same version",
            pid);
    if (maps_contain(p->pid, "/ld-musl-"))
        add(l, EXIT_UNSUPPORTED,
            "process %d uses the C library musl\n"
            "this build of timestamp_capture is for glibc\n"
            "install timestamp_capture in the program's environment and import it there",
            pid);
    return true;
}

static void look_at_settings(struct list *l, const struct prospect *p)
{
    char value[16];
    if (target_environment(p->pid, "TSCAP_DISABLE", value, sizeof value) == 0 && value[0] && strcmp(value, "0") != 0)
        add(l, EXIT_UNSUPPORTED,
            "process %d does not want to be recorded\n"
            "it was started with TSCAP_DISABLE\n"
            "start it again with TSCAP_DISABLE unset",
            (int)p->pid);
}

static void add_disabled(struct list *l, int pid)
{
    add(l, EXIT_UNSUPPORTED,
        "remote debugging is disabled in process %d\n"
        "by PYTHON_DISABLE_REMOTE_DEBUG, -X disable-remote-debug, or when its Python was built\n"
        "tscap attach %d --method ptrace, which does without",
        pid, pid);
}

/* Only with a thread in hand can be seen what its filter would do to us, and only by root. */
static bool has_filter_to_look_at(const struct prospect *p) { return p->status.seccomp == SECCOMP_MODE_FILTER && geteuid() == 0; }

static void look_at_scripts(struct list *l, struct prospect *p)
{
    struct load_report report = {.problem = LOAD_NO_INTERFACE};
    const struct script_load script = {.load = {.pid = p->pid}, .version = p->target.version};
    if (p->method == METHOD_PTRACE || p->method == METHOD_MEMFD || obstacles_worst(l->obstacle, l->count))
        return;
    if (p->method == METHOD_AUTO && has_filter_to_look_at(p))
        return;
    if ((p->target.version >> 16 & 0xff) >= FIRST_WITH_SCRIPTS)
        script_load_rehearse(&script, &report);
    p->runs_scripts = report.problem == LOAD_OK;
    if (report.problem == LOAD_DISABLED)
        add_disabled(l, (int)p->pid);
    else if (p->method == METHOD_SCRIPT && !p->runs_scripts)
        add(l, EXIT_UNSUPPORTED,
            "process %d cannot be asked to run a script\n"
            "released versions of CPython can since 3.%d (PEP 768)\n"
            "tscap attach %d --method ptrace",
            (int)p->pid, FIRST_WITH_SCRIPTS, (int)p->pid);
}

static void look_at_extension(struct list *l, struct prospect *p)
{
    char kind[64];
    extension_kind(&p->target, kind, sizeof kind);
    if (extension_find(&p->extension, p->pid, &p->target, p->method == METHOD_MEMFD))
        return;
    if (p->extension.hidden)
        add(l, EXIT_UNSUPPORTED,
            "process %d cannot see %s\n"
            "it lives in a container or below another root\n"
            "tscap attach %d --memfd, or pip install tscap where it runs",
            (int)p->pid, p->extension.library, (int)p->pid);
    else
        add(l, EXIT_UNSUPPORTED,
            "no timestamp_capture for %s\n"
            "looked beside tscap, in $TSCAP_BUILD and in the packages of process %d\n"
            "make ext PYTHON=%s where tscap was built (make all-pythons: for all), or pip install tscap in the program's environment",
            kind, (int)p->pid, strstr(p->target.image, "python") ? p->target.image : "python3");
}

/* ---- all of them ---- */

static void add_ended(struct list *l, pid_t pid, const char *why)
{
    add(l, EXIT_NO_PROCESS,
        "no process %d\n"
        "%s\n"
        "tscap ps",
        (int)pid, why);
}

static bool look_at_process(struct list *l, struct prospect *p)
{
    int pid = (int)p->pid;
    int r = status_read(&p->status, p->pid);
    if (r < 0 || status_has_ended(&p->status)) {
        add_ended(l, pid, r < 0 ? "none runs with this number" : "it has ended, its parent has not taken notice yet");
        return false;
    }
    if (p->status.process && p->status.process != p->pid) {
        add(l, EXIT_NO_PROCESS,
            "%d is not a process\n"
            "it is a thread of process %d\n"
            "tscap attach %d",
            pid, (int)p->status.process, (int)p->status.process);
        return false;
    }
    protection_read(&p->protection, p->pid, &p->status);
    if (p->protection.kernel_thread)
        add(l, EXIT_UNSUPPORTED,
            "process %d is not Python\n"
            "it is a thread of the kernel\n"
            "tscap ps",
            pid);
    return !p->protection.kernel_thread;
}

static bool look_inside(struct list *l, struct prospect *p)
{
    int r = target_inspect(p->pid, &p->target);
    if (r == 0)
        return true;
    if (l->count == 0)
        add(l, r == -ESRCH ? EXIT_NO_PROCESS : exit_code_of_errno(r),
            "cannot look at process %d\n"
            "%s\n"
            "sudo tscap attach %d",
            (int)p->pid, strerror(-r), (int)p->pid);
    return false;
}

/* What was found while it ended was not there any more, rather than in the way. */
static size_t unless_ended(struct list *l, const struct prospect *p)
{
    if (l->count && target_has_ended(p->pid)) {
        l->count = 0;
        add_ended(l, p->pid, "it has just ended");
    }
    return l->count;
}

size_t obstacles_find(struct obstacle *o, size_t room, struct prospect *p, pid_t pid, enum method method)
{
    struct list l = {.obstacle = o, .room = room};
    *p = (struct prospect){.pid = pid, .method = method};
    if (!look_at_process(&l, p))
        return l.count;
    look_at_user(&l, p);
    look_at_yama(&l, p);
    if (look_inside(&l, p) && look_at_python(&l, p)) {
        look_at_state(&l, p);
        look_at_settings(&l, p);
        look_at_scripts(&l, p);
        look_at_extension(&l, p);
    }
    return unless_ended(&l, p);
}

const struct obstacle *obstacles_worst(const struct obstacle *o, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (o[i].code != EXIT_OK)
            return &o[i];
    return NULL;
}

int obstacle_tell(const struct obstacle *o) { return fail(o->code, "%s\n%s\n%s", o->what, o->why, o->remedy); }

/* ---- what comes up on the way ---- */

static int refused(const struct prospect *p, const struct load_report *r)
{
    if (r->signal)
        return fail(EXIT_PERMISSION,
                    "cannot attach to process %d\n"
                    "a seccomp filter answers %s with a signal (%s); the process is as before\n"
                    "allow %s in the filter that the program puts on",
                    (int)p->pid, r->text, strsignal(r->signal), r->text);
    return fail(r->error == -EPERM || r->error == -EACCES ? EXIT_PERMISSION : EXIT_FAILED,
                "cannot attach to process %d\n"
                "%s: %s; the process is as before\n"
                "tscap doctor %d",
                (int)p->pid, r->text, strerror(-r->error), (int)p->pid);
}

/* Something changed since it was looked at: look again. */
static int not_permitted(const struct prospect *p, int error)
{
    struct obstacle o[OBSTACLES_MAX];
    struct prospect again;
    size_t count = obstacles_find(o, OBSTACLES_MAX, &again, p->pid, p->method);
    const struct obstacle *worst = obstacles_worst(o, count);
    if (worst)
        return obstacle_tell(worst);
    return fail(EXIT_PERMISSION,
                "cannot attach to process %d\n"
                "the kernel does not let it be traced: %s; a security module, or the seccomp filter of a container\n"
                "sudo tscap attach %d",
                (int)p->pid, strerror(-error), (int)p->pid);
}

int obstacle_of_load(const struct prospect *p, const struct load_report *r)
{
    int pid = (int)p->pid;
    switch (r->problem) {
    case LOAD_OK:
        return EXIT_OK;
    case LOAD_GONE:
        return fail(EXIT_NO_PROCESS,
                    "cannot attach to process %d\n"
                    "it has just ended\n"
                    "tscap ps",
                    pid);
    case LOAD_NOT_PERMITTED:
        return not_permitted(p, r->error);
    case LOAD_PAUSED:
        return fail(EXIT_FAILED,
                    "process %d is stopped\n"
                    "by a signal, SIGSTOP or ^Z: it cannot do anything\n"
                    "kill -CONT %d",
                    pid, pid);
    case LOAD_NO_PYTHON:
        return fail(EXIT_UNSUPPORTED,
                    "process %d is not CPython\n"
                    "no file of it defines Py_AddPendingCall\n"
                    "tscap ps",
                    pid);
    case LOAD_MACHINE:
        return fail(EXIT_UNSUPPORTED,
                    "process %d runs on another kind of processor than this tscap\n"
                    "it is emulated, or a 32-bit program\n"
                    "use a tscap that was built for it",
                    pid);
    case LOAD_NO_LOADER:
        return fail(EXIT_UNSUPPORTED,
                    "process %d cannot load libraries\n"
                    "it is linked statically: nothing in it defines %s\n"
                    "import timestamp_capture in the program",
                    pid, r->text);
    case LOAD_NO_SAFE_POINT:
        return fail(EXIT_TIMEOUT,
                    "cannot attach to process %d\n"
                    "%u times no thread of it was where it may be interrupted (last: %s); the process is as before\n"
                    "tscap attach %d --timeout 60",
                    pid, r->attempts, r->text, pid);
    case LOAD_REFUSED:
        return refused(p, r);
    case LOAD_LIBRARY:
        return fail(EXIT_UNSUPPORTED,
                    "process %d cannot load timestamp_capture\n"
                    "%s\n"
                    "tscap doctor %d",
                    pid, r->text[0] ? r->text : "the dynamic linker does not say why", pid);
    case LOAD_FAULT:
        return fail(EXIT_FAILED,
                    "loading was broken off in process %d\n"
                    "%s%s; the thread is as before, but the process may not be able to load libraries any more\n"
                    "start the program again when that suits it",
                    pid, r->signal ? "it came by a signal: " : "it took too long", r->signal ? strsignal(r->signal) : "");
    case LOAD_LATE:
        return fail(EXIT_TIMEOUT,
                    "process %d is still loading timestamp_capture\n"
                    "its disk or network is slow, or another thread is loading something\n"
                    "tscap attach %d",
                    pid, pid);
    case LOAD_DISABLED:
        return not_permitted(p, -EACCES); /* meanwhile */
    case LOAD_NO_INTERFACE:
        return fail(EXIT_UNSUPPORTED,
                    "process %d cannot be asked to run a script\n"
                    "%s\n"
                    "tscap attach %d --method ptrace",
                    pid, r->error ? strerror(-r->error) : "its interpreter is not as it should be", pid);
    case LOAD_UNHEARD:
        return fail(EXIT_TIMEOUT,
                    "no thread of process %d came by to run a script\n"
                    "%s; nothing is asked of them any more\n"
                    "tscap attach %d --method ptrace",
                    pid, r->error ? strerror(-r->error) : "all of them wait for something outside of Python", pid);
    default:
        return fail(EXIT_FAILED,
                    "cannot attach to process %d\n"
                    "%s\n"
                    "the same again",
                    pid, r->text);
    }
}
