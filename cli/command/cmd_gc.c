#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "place.h"
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

static bool collect_place(const struct place *place)
{
    bool whole = true;
    int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return false;
    for (struct dirent *e; (e = readdir(dir));) {
        struct tenant t;
        if (parse_name(e->d_name, &t))
            whole &= collect(place, &t);
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
