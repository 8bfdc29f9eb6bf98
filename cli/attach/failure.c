#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "wording.h"

struct failure {
    enum load_problem problem;
    bool (*when)(const struct load_report *r); /* NULL: else */
    enum exit_code code;
    struct wording wording;
};

static bool by_signal(const struct load_report *r) { return r->signal != 0; }
static bool by_error(const struct load_report *r) { return r->error != 0; }
static bool by_lack_of_rights(const struct load_report *r) { return r->error == -EPERM || r->error == -EACCES; }
static bool without_text(const struct load_report *r) { return !r->text[0]; }

/* The first that fits counts. */
static const struct failure failures[] = {
    {LOAD_GONE, NULL, EXIT_NO_PROCESS, {"cannot attach to process {pid}", "it has just ended", "tscap ps --python"}},
    {LOAD_NOT_PERMITTED, NULL, EXIT_PERMISSION,
     {"cannot attach to process {pid}",
      "the kernel does not let it be traced: {error}; a security module, or the seccomp filter of a container",
      "sudo tscap attach {pid}"}},
    {LOAD_PAUSED, NULL, EXIT_FAILED,
     {"process {pid} is stopped", "by a signal, SIGSTOP or ^Z: it cannot do anything", "kill -CONT {pid}"}},
    {LOAD_NO_PYTHON, NULL, EXIT_UNSUPPORTED,
     {"process {pid} is not CPython", "no file of it defines Py_AddPendingCall", "tscap ps --python"}},
    {LOAD_MACHINE, NULL, EXIT_UNSUPPORTED,
     {"process {pid} runs on another kind of processor than this tscap", "it is emulated, or a 32-bit program",
      "use a tscap that was built for it"}},
    {LOAD_NO_LOADER, NULL, EXIT_UNSUPPORTED,
     {"process {pid} cannot load libraries", "it is linked statically: nothing in it defines {text}",
      "import timestamp_capture in the program"}},
    {LOAD_NO_SAFE_POINT, NULL, EXIT_TIMEOUT,
     {"cannot attach to process {pid}",
      "{attempts} times no thread of it was where it may be interrupted (last: {text}); the process is as before",
      "tscap attach {pid} --timeout 60"}},
    {LOAD_REFUSED, by_signal, EXIT_PERMISSION,
     {"cannot attach to process {pid}", "a seccomp filter answers {text} with a signal ({signal}); the process is as before",
      "allow {text} in the filter that the program puts on"}},
    {LOAD_REFUSED, by_lack_of_rights, EXIT_PERMISSION,
     {"cannot attach to process {pid}", "{text}: {error}; the process is as before", "tscap doctor {pid}"}},
    {LOAD_REFUSED, NULL, EXIT_FAILED,
     {"cannot attach to process {pid}", "{text}: {error}; the process is as before", "tscap doctor {pid}"}},
    {LOAD_LIBRARY, without_text, EXIT_UNSUPPORTED,
     {"process {pid} cannot load timestamp_capture", "the dynamic linker does not say why", "tscap doctor {pid}"}},
    {LOAD_LIBRARY, NULL, EXIT_UNSUPPORTED, {"process {pid} cannot load timestamp_capture", "{text}", "tscap doctor {pid}"}},
    {LOAD_FAULT, by_signal, EXIT_FAILED,
     {"loading was broken off in process {pid}",
      "it came by a signal: {signal}; the thread is as before, but the process may not be able to load libraries any more",
      "start the program again when that suits it"}},
    {LOAD_FAULT, NULL, EXIT_FAILED,
     {"loading was broken off in process {pid}",
      "it took too long; the thread is as before, but the process may not be able to load libraries any more",
      "start the program again when that suits it"}},
    {LOAD_LATE, NULL, EXIT_TIMEOUT,
     {"process {pid} is still loading timestamp_capture",
      "its disk or network is slow, or another thread is loading something", "tscap attach {pid}"}},
    {LOAD_NO_INTERFACE, by_error, EXIT_UNSUPPORTED,
     {"process {pid} cannot be asked to run a script", "{error}", "tscap attach {pid} --method ptrace"}},
    {LOAD_NO_INTERFACE, NULL, EXIT_UNSUPPORTED,
     {"process {pid} cannot be asked to run a script", "its interpreter is not as it should be",
      "tscap attach {pid} --method ptrace"}},
    {LOAD_UNHEARD, by_error, EXIT_TIMEOUT,
     {"no thread of process {pid} came by to run a script", "{error}; nothing is asked of them any more",
      "tscap attach {pid} --method ptrace"}},
    {LOAD_UNHEARD, NULL, EXIT_TIMEOUT,
     {"no thread of process {pid} came by to run a script",
      "all of them wait for something outside of Python; nothing is asked of them any more",
      "tscap attach {pid} --method ptrace"}},
    {LOAD_FAILED, NULL, EXIT_FAILED, {"cannot attach to process {pid}", "{text}", SAME_AGAIN}},
};

static const struct failure *find(const struct load_report *r)
{
    const struct failure *f = failures, *other = &failures[sizeof failures / sizeof *failures - 1];
    while (f < other && (f->problem != r->problem || (f->when && !f->when(r))))
        f++;
    return f;
}

/* ---- in words ---- */

struct occasion {
    const struct plan *plan;
    const struct load_report *report;
};
#define REPORT(context) (((const struct occasion *)(context))->report)

static void write_pid(const void *o, char *buffer, size_t size)
{
    snprintf(buffer, size, "%d", (int)((const struct occasion *)o)->plan->pid);
}

static void write_text(const void *o, char *buffer, size_t size) { snprintf(buffer, size, "%s", REPORT(o)->text); }
static void write_error(const void *o, char *buffer, size_t size) { snprintf(buffer, size, "%s", strerror(-REPORT(o)->error)); }
static void write_signal(const void *o, char *buffer, size_t size) { snprintf(buffer, size, "%s", strsignal(REPORT(o)->signal)); }
static void write_attempts(const void *o, char *buffer, size_t size) { snprintf(buffer, size, "%u", REPORT(o)->attempts); }

static const struct wording_field fields[] = {
    {"pid", write_pid}, {"text", write_text}, {"error", write_error}, {"signal", write_signal}, {"attempts", write_attempts}, {0},
};

static int tell(const struct plan *p, const struct load_report *r)
{
    const struct failure *f = find(r);
    return wording_fail(f->code, &f->wording, fields, &(struct occasion){p, r});
}

/* Something changed since the plan was made: look again. */
static int explain_refusal(const struct plan *p, int error)
{
    struct plan again;
    plan_make(&again, p->pid, p->method);
    int code = plan_check(&again);
    return code == EXIT_OK ? tell(p, &(struct load_report){.problem = LOAD_NOT_PERMITTED, .error = error}) : code;
}

int failure_tell(const struct plan *p, const struct load_report *r)
{
    switch (r->problem) {
    case LOAD_OK:
        return EXIT_OK;
    case LOAD_NOT_PERMITTED:
        return explain_refusal(p, r->error);
    case LOAD_DISABLED:
        return explain_refusal(p, -EACCES); /* meanwhile */
    default:
        return tell(p, r);
    }
}
