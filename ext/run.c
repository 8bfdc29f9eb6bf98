#include "run.h"

#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "keeper.h"
#include "module.h"
#include "process.h"
#include "recorder.h"
#include "rules.h"
#include "run_file.h"
#include "rundir.h"
#include "session.h"
#include "tether.h"

/* Segments belong where the file is: whoever made it looks there. */
static bool use_folder_of(const char *path)
{
    char folder[RUNDIR_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path) >= (int)sizeof folder)
        return false;
    rundir_use(folder);
    return true;
}

/* 0, or -1 with an exception. */
static int record(struct rules *rules)
{
    bool keeper = rules->keeper; /* the rules change hands */
    attachment_bring();
    if (module_bring() < 0)
        return -1;
    bool inherited = session_running(); /* from its parent: nobody else can have begun it yet */
    if (attachment_begin(rules) == CONSUMERS_FAILED)
        return -1;
    if (inherited && keeper && session_running())
        tether_hold(TETHER_KEEPER, keeper_lifeline(recorder_segment()->directory));
    return 0;
}

static int obey(const char *path, const char *text, bool first)
{
    struct rules rules;
    if (rules_parse(&rules, text) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    int r = (first || rules.subprocesses) && use_folder_of(path) ? record(&rules) : 0;
    rules_free(&rules);
    if (run_file_is_left(AT_FDCWD, path)) /* since; what comes later the lifeline tells */
        tether_end(TETHER_KEEPER);
    return r;
}

int run_begin(const char *path)
{
    uint64_t start_time;
    bool first;
    char *text = NULL;
    int error = process_start_time(getpid(), &start_time);
    if (error == 0)
        error = run_file_join(AT_FDCWD, path, getpid(), start_time, &first, &text);
    if (error == -ENOENT)
        return 0;
    if (error == -EPERM) {
        PyErr_SetString(PyExc_OSError, "it runs as another user than tscap");
        return -1;
    }
    if (error < 0) {
        PyErr_Format(PyExc_OSError, "%s: %s", path, strerror(-error));
        return -1;
    }
    int r = run_file_is_left(AT_FDCWD, path) ? 0 : obey(path, text, first);
    free(text);
    return r;
}
