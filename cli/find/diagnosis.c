#include "diagnosis.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers.h"
#include "message.h"
#include "no_python.h"
#include "status.h"
#include "process.h"
#include "stray.h"
#include "target.h"
#include "version.h"
#include "view.h"

struct patient {
    pid_t pid;
    const struct places *places;
    const char *command;
    struct target target;
};

static int no_process(const struct patient *p)
{
    return fail(EXIT_NO_PROCESS,
                "no process %d\n"
                "none runs with this number, and none that had it left a segment in %s\n"
                "tscap ps -a",
                (int)p->pid, p->places->sought);
}

/* Its user may not, either: then it has capabilities that we have not, is not dumpable, or the kernel forbids it. */
static int not_even_ours(const struct patient *p)
{
    return fail(EXIT_PERMISSION,
                "may not look into process %d\n"
                "its user is yours, but it has rights that tscap has not, or it or the kernel forbids it (ptrace(2) says how)\n"
                "%stscap %s %d%s",
                (int)p->pid, geteuid() ? "sudo " : "", p->command, (int)p->pid, geteuid() ? "" : ", as root with all capabilities");
}

static int not_permitted(const struct patient *p)
{
    struct status s;
    uid_t uid = status_read(&s, p->pid) == 0 ? s.uid[1] : geteuid();
    if (uid == geteuid())
        return not_even_ours(p);
    const struct passwd *user = getpwuid(uid);
    return fail(EXIT_PERMISSION,
                "process %d is not yours\n"
                "it belongs to %s (uid %lu), you are uid %lu: only that user and root may look\n"
                "sudo tscap %s %d",
                (int)p->pid, user ? user->pw_name : "another user", (unsigned long)uid, (unsigned long)geteuid(),
                p->command, (int)p->pid);
}

int diagnose_no_python(pid_t pid, const char *image, const char *command)
{
    struct no_python n;
    no_python_explain(&n, pid, image, command);
    return fail(EXIT_UNSUPPORTED,
                "process %d is not CPython\n"
                "%s\n"
                "%s",
                (int)pid, n.why, n.remedy);
}

static const char *way_in(const struct patient *p) { return strcmp(p->command, "top") == 0 ? "top --attach" : "attach"; }

static int not_loaded(const struct patient *p)
{
    char text[32];
    target_version(&p->target, text, sizeof text);
    const char *version = text[0] ? text : "of an unknown version";
    if (strcmp(p->command, "tracks") == 0) /* attaching brings none */
        return fail(EXIT_UNSUPPORTED,
                    "process %d has no tracks that could be seen\n"
                    "it is CPython %s, but has not imported timestamp_capture, or only what of it is in Python\n"
                    "start it with the compiled recorder, without TSCAP_PURE (`python3 -m timestamp_capture` says which there is)",
                    (int)p->pid, version);
    return fail(EXIT_UNSUPPORTED,
                "process %d has nothing to record\n"
                "it is CPython %s, but has not imported timestamp_capture, or only what of it is in Python\n"
                "tscap %s %d, or `import timestamp_capture` and @timestamp in the program",
                (int)p->pid, version, way_in(p), (int)p->pid);
}

static int disabled(const struct patient *p)
{
    return fail(EXIT_UNSUPPORTED,
                "process %d does not want to be recorded\n"
                "it was started with TSCAP_DISABLE\n"
                "unset TSCAP_DISABLE, and start the program again",
                (int)p->pid);
}

static int free_threaded(const struct patient *p)
{
    return fail(EXIT_UNSUPPORTED,
                "process %d cannot be recorded\n"
                "its CPython is a free-threaded build, in which timestamp_capture does nothing\n"
                "run it with a build that has the global interpreter lock",
                (int)p->pid);
}

/* EXIT_OK: it is none. */
static int stray(const struct patient *p)
{
    struct subjects all;
    const struct subject *found = subjects_find(&all, p->places) == 0 ? stray_parent(p->pid, &all) : NULL;
    pid_t parent = found ? found->pid : 0;
    subjects_free(&all);
    if (!parent)
        return EXIT_OK;
    return fail(EXIT_NO_PROCESS,
                "process %d has no segment of its own\n"
                "C code forked it from process %d without Python's knowledge (as uWSGI does by default)\n"
                "tscap %s %d",
                (int)p->pid, (int)parent, way_in(p), (int)p->pid);
}

/* TSCAP_DIR set for one side only is a common mistake. */
static int elsewhere(const struct patient *p)
{
    char theirs[RUNDIR_PATH_MAX];
    const char *ours = getenv("TSCAP_DIR");
    if (target_has_ended(p->pid)) /* meanwhile, and its environment with it */
        return no_process(p);
    bool set = target_environment(p->pid, "TSCAP_DIR", theirs, sizeof theirs) == 0 && theirs[0];
    if (set && (!ours || strcmp(ours, theirs) != 0))
        return fail(EXIT_NO_PROCESS,
                    "no segment of process %d in %s\n"
                    "the process was started with TSCAP_DIR=%s\n"
                    "TSCAP_DIR=%s tscap %s %d",
                    (int)p->pid, p->places->sought, theirs, theirs, p->command, (int)p->pid);
    if (!set && ours && *ours)
        return fail(EXIT_NO_PROCESS,
                    "no segment of process %d in %s\n"
                    "TSCAP_DIR is set here, but was not for the process\n"
                    "env -u TSCAP_DIR tscap %s %d",
                    (int)p->pid, p->places->sought, p->command, (int)p->pid);
    return fail(EXIT_NO_PROCESS,
                "no segment of process %d in %s\n"
                "it has imported timestamp_capture, but could make none (no space, no right to), the file was removed, or tscap "
                "detached from it\n"
                "tscap %s %d",
                (int)p->pid, p->places->sought, way_in(p), (int)p->pid);
}

static int without_segment(const struct patient *p)
{
    char value[16];
    if (!p->target.python)
        return diagnose_no_python(p->pid, p->target.image, p->command);
    if (!p->target.loaded)
        return not_loaded(p);
    if (target_environment(p->pid, "TSCAP_DISABLE", value, sizeof value) == 0 && value[0] && strcmp(value, "0") != 0)
        return disabled(p);
    if (p->target.free_threaded)
        return free_threaded(p);
    int code = containers_diagnose(p->pid, p->command);
    if (code == EXIT_OK)
        code = stray(p);
    return code == EXIT_OK ? elsewhere(p) : code;
}

static bool is_foreign(pid_t pid)
{
    struct status s;
    return geteuid() != 0 && status_read(&s, pid) == 0 && s.uid[1] != geteuid();
}

/* As `top -H` and logs show them. */
int diagnose_thread(pid_t number, const char *command)
{
    pid_t process = status_thread_of(number);
    if (!process)
        return EXIT_OK;
    return fail(EXIT_NO_PROCESS,
                "%d is not a process\n"
                "it is a thread of process %d\n"
                "tscap %s %d",
                (int)number, (int)process, command, (int)process);
}

int diagnose_process(pid_t pid, const struct places *places, const char *command)
{
    struct patient p = {.pid = pid, .places = places, .command = command};
    int code = diagnose_thread(pid, command);
    if (code == EXIT_OK)
        code = containers_diagnose_access(pid, command);
    if (code != EXIT_OK)
        return code;
    if (is_foreign(pid))
        return not_permitted(&p);
    int r = target_inspect(pid, &p.target);
    if (r == -ESRCH || r == -ENOENT || target_state(pid) == 'Z')
        return no_process(&p);
    if (r == -EACCES || r == -EPERM)
        return not_permitted(&p);
    if (r < 0)
        return fail(EXIT_FAILED,
                    "cannot look at process %d\n"
                    "%s\n"
                    "tscap ps",
                    (int)pid, strerror(-r));
    return without_segment(&p);
}

static int another_version(const char *where)
{
    char version[VIEW_VERSION];
    if (!view_version(where, version))
        return fail(EXIT_UNSUPPORTED,
                    "cannot read %s\n"
                    "it was written by another version of timestamp_capture; this is tscap %s\n"
                    "use the tscap that was installed with the program's timestamp_capture",
                    where, TSCAP_VERSION);
    return fail(EXIT_UNSUPPORTED,
                "cannot read %s\n"
                "it was written by another version of timestamp_capture, %s; this is tscap %s\n"
                "use tscap %s, which was installed with the program's timestamp_capture",
                where, version, TSCAP_VERSION, version);
}

int diagnose_segment(const char *where, int error)
{
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
        return fail(EXIT_NO_PROCESS,
                    "no file %s\n"
                    "%s\n"
                    "tscap ps -a",
                    where, strerror(-error));
    case EACCES:
    case EPERM:
        return fail(EXIT_PERMISSION,
                    "may not read %s\n"
                    "it is another user's, or not a plain file\n"
                    "ls -l %s",
                    where, where);
    case EPROTONOSUPPORT:
        return another_version(where);
    case EBADMSG:
        return fail(EXIT_FAILED,
                    "%s is not a segment\n"
                    "it is damaged, cut short, or something else\n"
                    "tscap ps -a",
                    where);
    case EIO:
        return fail(EXIT_FAILED,
                    "cannot read %s\n"
                    "it became shorter while it was read\n"
                    "tscap ps -a",
                    where);
    default:
        return fail(exit_code_of_errno(error),
                    "cannot read %s\n"
                    "%s\n"
                    "tscap ps -a",
                    where, strerror(-error));
    }
}

int diagnose_nothing(const struct places *places)
{
    return fail(EXIT_NO_PROCESS,
                "no process to record\n"
                "none of yours has imported timestamp_capture; looked in %s\n"
                "tscap ps -a",
                places->sought);
}
