#include "script_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "container.h"
#include "script_folder.h"
#include "script_request.h"
#include "tasks.h"
#include "tracee.h"

#define MAIN_US 100000   /* for the main thread alone to come by */
#define BEGUN_US 1000000 /* for threads that have begun to end what they began */
#define LOOK_NS 500000
#define SCRIPT_MAX 65536
#define ANSWERS_MAX 65536

struct attempt {
    const struct script_load *load;
    struct load_report *report;
    struct script_request request;
    struct script_folder folder;
    int asked; /* threads */
    int error; /* of asking all */
    char script[SCRIPT_MAX], answers[ANSWERS_MAX];
};

static bool fail_load(struct load_report *r, enum load_problem problem, int error, const char *text)
{
    r->problem = problem;
    r->error = error;
    snprintf(r->text, sizeof r->text, "%s", text);
    return false;
}

static bool fail_by_errno(struct load_report *r, int error)
{
    if (error == -ESRCH)
        return fail_load(r, LOAD_GONE, error, "");
    if (error == -EPERM || error == -EACCES)
        return fail_load(r, LOAD_NOT_PERMITTED, error, "");
    if (error == -EPROTONOSUPPORT || error == -EBADMSG)
        return fail_load(r, LOAD_NO_INTERFACE, error, "");
    return fail_load(r, LOAD_FAILED, error, strerror(-error));
}

/* ---- the script ----
 *
 * The first thing that it does in a main thread is to look at signals, as always: a KeyboardInterrupt is handed on to the
 * program. Nothing of ours stays in sys.modules, and no module is imported that is not there in any Python. */

static const char script_body[] =
    "def load(name, library, argument, answer):\n"
    "    import _thread, posix, sys\n"
    "    try:\n"
    "        library = sys.modules['os'].fsdecode(library)\n"
    "        loader = sys.modules['_frozen_importlib_external'].ExtensionFileLoader(name, library)\n"
    "        spec = sys.modules['_frozen_importlib'].ModuleSpec(name, loader, origin=library)\n"
    "        said = '%x' % loader.create_module(spec).attach(argument)\n"
    "    except KeyboardInterrupt:\n"
    "        said = 'again'\n"
    "        _thread.interrupt_main()\n"
    "    except BaseException as error:\n"
    "        said = '!%s: %s' % (type(error).__name__, error)\n"
    "    try:\n"
    "        file = posix.open(answer, posix.O_WRONLY | posix.O_APPEND)\n"
    "        posix.write(file, said.replace('\\n', ' ').encode('utf-8', 'replace') + b'\\n')\n"
    "        posix.close(file)\n"
    "    except OSError:\n"
    "        pass\n" /* nobody waits any more */
    "load(";

/* Whatever bytes there are in it. */
static size_t put_bytes(char *out, size_t room, const char *text)
{
    size_t used = (size_t)snprintf(out, room, "bytes.fromhex('");
    for (; *text && used + 3 < room; text++)
        used += (size_t)snprintf(out + used, room - used, "%02x", (unsigned char)*text);
    return used + (size_t)snprintf(out + used, room - used, "')");
}

static bool write_script(struct attempt *a)
{
    char *out = a->script;
    const struct load *l = &a->load->load;
    size_t lengths = strlen(l->library) + strlen(l->argument) + strlen(a->folder.answer_path);
    if (sizeof script_body + strlen(a->load->module) + 2 * lengths + 128 > SCRIPT_MAX)
        return false;
    size_t used = (size_t)snprintf(out, SCRIPT_MAX, "%s'%s', ", script_body, a->load->module);
    used += put_bytes(out + used, SCRIPT_MAX - used, l->library);
    used += (size_t)snprintf(out + used, SCRIPT_MAX - used, ", ");
    used += put_bytes(out + used, SCRIPT_MAX - used, l->argument);
    snprintf(out + used, SCRIPT_MAX - used, ", '%s')\n", a->folder.answer_path);
    return true;
}

/* ---- answers: a line each ---- */

static int count_answers(struct attempt *a)
{
    int count = 0;
    if (script_folder_read(&a->folder, a->answers, sizeof a->answers) < 0)
        return 0;
    for (const char *end = a->answers; (end = strchr(end, '\n')); end++)
        count++;
    return count;
}

static bool wait_for_answers(struct attempt *a, int wanted, uint64_t us)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = tracee_now_us() + us;
    while (count_answers(a) < wanted) {
        if (tracee_now_us() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* The first that is one. A thread that was disturbed said "again". */
static void take_answer(struct attempt *a)
{
    fail_load(a->report, LOAD_UNHEARD, a->error, "");
    for (char *line = a->answers, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        char *rest;
        uint64_t result = strtoull(line, &rest, 16);
        if (line[0] == '!')
            fail_load(a->report, LOAD_LIBRARY, 0, line + 1);
        else if (rest > line && *rest == '\0') {
            fail_load(a->report, LOAD_OK, 0, "");
            a->report->result = result;
            return;
        }
    }
}

/* ---- asking ---- */

/* A main thread that waits in the kernel would swallow a ^C while it is asked: CPython lets it run the script before it
 * looks for signals, and what is raised in the script's first instruction is lost. */
static bool spares_main(const struct attempt *a) { return a->request.main_waits && !a->load->with_waiting; }

static bool ask_main(struct attempt *a)
{
    if (a->request.main_waits)
        return false;
    int r = script_request_main(&a->request, a->folder.script_path);
    a->asked += r == 0;
    return r == 0 && wait_for_answers(a, 1, MAIN_US);
}

static bool ask_all(struct attempt *a)
{
    if (spares_main(a) && tasks_count(a->load->load.pid) == 1)
        return false; /* nobody is left */
    int r;
    uint64_t deadline = tracee_now_us() + a->load->load.timeout_us;
    const struct timespec pause = {.tv_nsec = 2000000};
    for (;;) {
        r = script_request_all(&a->request, a->folder.script_path, spares_main(a), &a->report->pause_us);
        a->report->attempts++;
        if (r != -EBUSY || tracee_now_us() >= deadline)
            break;
        nanosleep(&pause, NULL);
    }
    a->asked += r > 0 ? r : 0;
    a->error = r < 0 ? r : 0;
    return a->asked > 0 && wait_for_answers(a, 1, a->load->load.timeout_us);
}

/* Nothing is left behind that a thread might begin with later. */
static int withdraw(struct attempt *a)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    uint64_t deadline = tracee_now_us() + BEGUN_US;
    for (;;) {
        int r = script_request_withdraw(&a->request, &a->report->pause_us);
        if (r >= 0 || r == -ESRCH || tracee_now_us() >= deadline)
            return r;
        nanosleep(&pause, NULL);
    }
}

/* Who has begun still needs the script. */
static void end_asking(struct attempt *a)
{
    int withdrawn = withdraw(a);
    wait_for_answers(a, a->asked - (withdrawn > 0 ? withdrawn : 0), BEGUN_US);
    count_answers(a);
}

static void ask(struct attempt *a)
{
    if (!ask_main(a))
        ask_all(a);
    end_asking(a);
    take_answer(a);
}

static bool prepare(struct attempt *a)
{
    struct container c;
    int r = container_open(&c, a->load->load.pid);
    if (r < 0)
        return fail_by_errno(a->report, r);
    r = script_folder_make(&a->folder, c.root);
    if (r == 0 && !write_script(a))
        r = -ENAMETOOLONG;
    if (r == 0)
        r = script_folder_fill(&a->folder, a->script, c.uid);
    container_close(&c);
    /* No place for it is not no permission. */
    return r == 0 || fail_load(a->report, LOAD_NO_INTERFACE, r, strerror(-r));
}

static bool look(const struct script_load *l, struct script_request *request, struct load_report *r)
{
    int e = script_request_look(request, l->load.pid, l->version);
    if (e < 0)
        return fail_by_errno(r, e);
    return request->enabled ? fail_load(r, LOAD_OK, 0, ""), true : fail_load(r, LOAD_DISABLED, 0, "");
}

static void run_here(const void *what, struct load_report *r)
{
    struct attempt *a = calloc(1, sizeof *a);
    if (!a) {
        fail_by_errno(r, -ENOMEM);
        return;
    }
    a->load = what;
    a->report = r;
    a->folder = (struct script_folder){.parent = -1, .folder = -1, .script = -1, .answer = -1};
    if (look(a->load, &a->request, r) && prepare(a))
        ask(a);
    script_folder_remove(&a->folder);
    free(a);
}

void script_load_run(const struct script_load *l, struct load_report *r)
{
    load_apart(run_here, l, r);
    r->by_script = true;
}

void script_load_rehearse(const struct script_load *l, struct load_report *r)
{
    struct script_request request;
    *r = (struct load_report){.by_script = true};
    look(l, &request, r);
}
