#include "startup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extension.h"
#include "lifeline.h"
#include "message.h"
#include "process.h"
#include "run_file.h"

#define START_FOLDER "_start"
#define START_MODULE "sitecustomize.py"
#define SEARCH_PATH "PYTHONPATH"

/* ---- the file ---- */

struct list_of_libraries {
    FILE *out;
    char *folder;
};

/* One of them is as good as another for the start-up module, which is the same in all. */
static void take_folder(char *folder, const char *library)
{
    char path[PATH_MAX + sizeof START_FOLDER + sizeof START_MODULE];
    int length = (int)(strrchr(library, '/') - library);
    snprintf(path, sizeof path, "%.*s/" START_FOLDER "/" START_MODULE, length, library);
    if (access(path, R_OK) == 0 && !strchr(path, ':')) /* which separates folders */
        snprintf(folder, PATH_MAX, "%.*s/" START_FOLDER, length, library);
}

static bool add_library(void *context, const char *library)
{
    struct list_of_libraries *l = context;
    if (strchr(library, '\n'))
        return true;
    if (!l->folder[0])
        take_folder(l->folder, library);
    fprintf(l->out, RUN_FILE_LIBRARY "%s\n", library);
    return true;
}

static char *write_text(struct startup *u, const char *rules)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(RUN_FILE_FIRST_LINE, out);
    extension_each(add_library, &(struct list_of_libraries){out, u->folder});
    fprintf(out, "%s\n", rules);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int make_file(struct startup *u, const char *rules)
{
    uint64_t start_time;
    char *text = write_text(u, rules);
    int r = text ? process_start_time(getpid(), &start_time) : -ENOMEM;
    if (r == 0)
        r = run_file_name(getpid(), start_time, u->name, sizeof u->name);
    if (r == 0)
        r = run_file_make(u->dirfd, u->name, text);
    if (r < 0)
        u->name[0] = '\0';
    u->file = r;
    if (r >= 0 && lifeline_name(getpid(), start_time, u->lifeline_name, sizeof u->lifeline_name) == 0)
        u->lifeline = lifeline_make(u->dirfd, u->lifeline_name);
    free(text);
    return r < 0 ? r : 0;
}

int startup_make(struct startup *u, const char *rules)
{
    *u = (struct startup){.dirfd = rundir_open(geteuid(), true), .file = -1, .lifeline = -1};
    char path[RUNDIR_PATH_MAX] = "";
    int named = rundir_path(geteuid(), path, sizeof path), r = u->dirfd < 0 ? u->dirfd : named;
    if (r == 0 && !realpath(path, u->directory)) /* the command may be elsewhere when it reads it */
        r = -errno;
    if (r == 0)
        r = make_file(u, rules);
    if (r == 0)
        return EXIT_OK;
    return fail(exit_code_of_errno(r),
                "cannot prepare to record\n"
                "%s: %s\n"
                "TSCAP_DIR=$(mktemp -d) tscap run ...",
                path, r == -EPERM ? "it is not a folder that is yours alone (mode 700)" : strerror(-r));
}

void startup_end(struct startup *u)
{
    if (u->lifeline >= 0 && u->name[0])
        unlinkat(u->dirfd, u->lifeline_name, 0);
    if (u->name[0])
        unlinkat(u->dirfd, u->name, 0);
    u->name[0] = '\0';
}

void startup_remove(struct startup *u)
{
    startup_end(u);
    if (u->lifeline >= 0) {
        lifeline_let_go(u->lifeline);
        close(u->lifeline);
    }
    if (u->file >= 0)
        close(u->file);
    if (u->dirfd >= 0)
        close(u->dirfd);
    *u = (struct startup){.dirfd = -1, .file = -1, .lifeline = -1};
}

/* ---- the environment ---- */

/* One that was set and empty is told from one that was not by our folder standing there twice. */
void startup_set_environment(const void *startup)
{
    const struct startup *u = startup;
    const char *before = getenv(SEARCH_PATH);
    char file[PATH_MAX + sizeof u->name + 1], *path = NULL;
    if (!u->folder[0])
        return;
    snprintf(file, sizeof file, "%s/%s", u->directory, u->name);
    if (asprintf(&path, "%s%s%s", u->folder, before ? ":" : "", !before ? "" : *before ? before : u->folder) < 0)
        return;
    setenv(RUN_FILE_VARIABLE, file, 1);
    setenv(SEARCH_PATH, path, 1);
}

/* ---- what came of it ---- */

char *startup_read(const struct startup *u)
{
    int error, fd = openat(u->dirfd, u->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text = fd < 0 ? NULL : run_file_read(fd, &error);
    if (fd >= 0)
        close(fd);
    return text;
}

bool startup_join(const struct startup *u, pid_t pid, uint64_t start_time)
{
    char *text = NULL;
    bool first = false;
    if (run_file_join(u->dirfd, u->name, pid, start_time, &first, &text) < 0)
        return false;
    free(text);
    return first;
}
