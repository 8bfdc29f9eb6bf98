#include "injection.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "failure.h"
#include "message.h"
#include "process.h"
#include "remote.h"
#include "script_load.h"
#include "turn.h"
#include "units.h"

#define LOADER_TIMEOUT_US 5000000u
#define LOOK_NS 500000
#define SCRIPT_US 200000u /* for a thread to come by, where there is another way */
#define TURNS 3           /* to find the thread traced by another tscap */

struct wait {
    const struct plan *plan;
    uint64_t box; /* where it lies in the process */
    uint64_t timeout;
};

/* ---- what it is told ---- */

/* Where we look for the segment, if that is no place of our own: it would be of no use to another user's process. */
static void write_argument(const struct plan *p, char *buffer, size_t size)
{
    const char *directory = getenv("TSCAP_DIR");
    bool ours = p->status.uid[1] == geteuid() && !p->protection.other_mounts;
    int n = snprintf(buffer, size, ATTACH_REQUEST "=%ld-%llu\n", (long)getpid(), (unsigned long long)clock_ns(CLOCK_MONOTONIC));
    if (directory && *directory == '/' && ours)
        snprintf(buffer + n, size - (size_t)n, ATTACH_DIRECTORY "=%s\n", directory);
}

/* ---- what it answers ---- */

static void tell_region(const struct wait *w, const struct load_report *r)
{
    pid_t pid = w->plan->pid;
    if (r->region && remote_write(pid, w->box + offsetof(struct attach_box, region), &r->region, sizeof r->region) == 0)
        remote_write(pid, w->box + offsetof(struct attach_box, region_size), &r->region_size, sizeof r->region_size);
}

static int gave_up(const struct wait *w)
{
    char timeout[UNITS_TEXT];
    uint32_t cancel = 1;
    int pid = (int)w->plan->pid;
    units_write_time(timeout, sizeof timeout, w->timeout);
    remote_write(w->plan->pid, w->box + offsetof(struct attach_box, cancel), &cancel, sizeof cancel);
    return fail(EXIT_TIMEOUT,
                "process %d did not come by within %s\n"
                "the library is loaded, but one of its threads has held the interpreter's lock all the time\n"
                "tscap attach %d --timeout 60",
                pid, timeout, pid);
}

static int failed(const struct wait *w, struct attach_box *box)
{
    box->text[sizeof box->text - 1] = '\0';
    return fail(EXIT_UNSUPPORTED,
                "timestamp_capture cannot work in process %d\n"
                "%s\n"
                "tscap attach %d, when that is mended: it looks again",
                (int)w->plan->pid, box->text, (int)w->plan->pid);
}

static int is_ending(const struct wait *w)
{
    int pid = (int)w->plan->pid;
    return fail(EXIT_NO_PROCESS,
                "too late to attach to process %d\n"
                "its interpreter is ending, or has not begun yet\n"
                "tscap attach %d",
                pid, pid);
}

static int wait_for_box(const struct wait *w)
{
    struct attach_box box;
    struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + w->timeout;
    struct load_report gone = {.problem = LOAD_GONE};
    for (;;) {
        if (remote_read(w->plan->pid, w->box, &box, sizeof box) < 0)
            return failure_tell(w->plan, &gone);
        if (box.magic != ATTACH_MAGIC || box.version != ATTACH_VERSION)
            return fail(EXIT_UNSUPPORTED,
                        "the timestamp_capture in process %d does not understand this tscap\n"
                        "%s was made by another version\n"
                        "use the tscap that came with it",
                        (int)w->plan->pid, w->plan->extension.library);
        if (box.state == ATTACH_READY)
            return EXIT_OK;
        if (box.state == ATTACH_FAILED)
            return failed(w, &box);
        if (box.state == ATTACH_ENDING)
            return is_ending(w);
        if (clock_ns(CLOCK_MONOTONIC) >= deadline)
            return gave_up(w);
        nanosleep(&pause, NULL);
    }
}

static void load_in_turn(const struct load *l, struct load_report *report)
{
    load_run(l, report);
    for (int i = 0; i < TURNS && report->problem == LOAD_NOT_PERMITTED; i++) {
        turn_wait(l->pid, l->timeout_us);
        load_run(l, report);
    }
}

static void load(const struct plan *p, const struct load *l, struct load_report *report)
{
    bool only = p->method == METHOD_SCRIPT;
    struct script_load script = {.load = *l, .version = p->target.version, .module = ATTACH_MODULE, .with_waiting = only};
    if (!only && script.load.timeout_us > SCRIPT_US)
        script.load.timeout_us = SCRIPT_US;
    if (p->runs_scripts)
        script_load_run(&script, report);
    bool unheard = p->runs_scripts && (report->problem == LOAD_UNHEARD || report->problem == LOAD_NO_INTERFACE);
    uint64_t pause = unheard ? report->pause_us : 0;
    if (!p->runs_scripts || (unheard && !only))
        load_in_turn(l, report);
    report->pause_us = pause > report->pause_us ? pause : report->pause_us;
}

/* ---- in memory ---- */

static int cannot_read(const struct plan *p)
{
    return fail(EXIT_FAILED,
                "cannot read %s\n"
                "%s\n"
                "make ext, for a build that can be read",
                p->extension.library, strerror(errno));
}

/* The name of the mapping tells that it is timestamp_capture, and which build: the file with its folder. */
static const char *name_in_memory(const struct plan *p)
{
    const char *name = p->extension.library;
    for (const char *slash = name; (slash = strchr(slash + 1, '/')) && strchr(slash + 1, '/');)
        name = slash;
    return name;
}

static int inject(const struct plan *p, uint64_t timeout_ns, int copy, struct load_report *report)
{
    char argument[ATTACH_ARGUMENT_MAX];
    write_argument(p, argument, sizeof argument);
    const struct load l = {.pid = p->pid,
                           .library = copy ? name_in_memory(p) : p->extension.library,
                           .bundle = copy,
                           .function = ATTACH_FUNCTION,
                           .argument = argument,
                           .timeout_us = timeout_ns / 1000,
                           .call_timeout_us = LOADER_TIMEOUT_US};
    load(p, &l, report);
    int code = failure_tell(p, report);
    if (code != EXIT_OK)
        return code;
    const struct wait w = {.plan = p, .box = report->result, .timeout = timeout_ns};
    tell_region(&w, report);
    return wait_for_box(&w);
}

int injection_run(const struct plan *p, uint64_t timeout_ns, struct load_report *report)
{
    int copy = p->extension.bring ? open(p->extension.library, O_RDONLY | O_CLOEXEC) : 0;
    if (copy < 0)
        return cannot_read(p);
    int code = inject(p, timeout_ns, copy, report);
    if (copy)
        close(copy);
    return code;
}
