#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture_file.h"
#include "command.h"
#include "lifeline.h"
#include "message.h"
#include "place.h"
#include "run_file.h"
#include "rundir.h"
#include "settings.h"
#include "tenant.h"

static void tell(void *context, const char *name, int error)
{
    const struct place *place = context;
    if (error == 0)
        printf("%s/%s\n", place->path, name);
    else
        note("cannot remove %s/%s: %s", place->path, name, strerror(-error));
}

static bool collect(const struct place *place, struct tenant *t)
{
    t->dirfd = place->fd;
    return tenant_may_live(t) || tenant_remove(t, tell, (void *)place) == 0;
}

/* Somebody's recording, by the name of a segment. */
static bool is_capture(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool capture = fd >= 0 && capture_is_one(fd);
    if (fd >= 0)
        close(fd);
    return capture;
}

/* Whose file is this? Sockets are named as segments are. */
static bool parse_name(const char *name, struct tenant *t)
{
    char segment[64], socket[64] = "";
    const char *dot = strrchr(name, '.');
    if (!dot || snprintf(segment, sizeof segment, "%.*s.tscap", (int)(dot - name), name) >= (int)sizeof segment)
        return false;
    if (!rundir_parse_name(segment, &t->pid, &t->start_time))
        return false;
    rundir_socket_name(t->pid, t->start_time, socket, sizeof socket);
    return strcmp(name, segment) == 0 || strcmp(name, socket) == 0;
}

static bool remove_file(const struct place *place, const char *name)
{
    int error = unlinkat(place->fd, name, 0) == 0 ? 0 : -errno;
    if (error != -ENOENT)
        tell((void *)place, name, error);
    return error == 0 || error == -ENOENT;
}

/* The file last, as `run` does: no lifeline is left alone. */
static bool collect_run(const struct place *place, const char *name, const struct tenant *t)
{
    char lifeline[LIFELINE_NAME];
    if (!run_file_is_left(place->fd, name))
        return true;
    bool gone = lifeline_name(t->pid, t->start_time, lifeline, sizeof lifeline) < 0 || remove_file(place, lifeline);
    return remove_file(place, name) && gone;
}

static bool collect_place(const struct place *place)
{
    bool whole = true;
    int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return false;
    for (struct dirent *e; (e = readdir(dir));) {
        struct tenant t;
        if (parse_name(e->d_name, &t) && !is_capture(place->fd, e->d_name))
            whole &= collect(place, &t);
        else if (run_file_parse_name(e->d_name, &t.pid, &t.start_time))
            whole &= collect_run(place, e->d_name, &t);
    }
    closedir(dir);
    return whole;
}

int cmd_gc(const struct settings *s)
{
    struct places places;
    bool whole = true;
    (void)s;
    int code = places_open_own(&places);
    for (size_t i = 0; i < places.count; i++)
        whole &= collect_place(&places.place[i]);
    if (code == EXIT_OK && !whole)
        code = fail(EXIT_FAILED,
                    "not everything was removed\n"
                    "see above\n"
                    "ls -l %s",
                    places.sought);
    places_close(&places);
    return code;
}
