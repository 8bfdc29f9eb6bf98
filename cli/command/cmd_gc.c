#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "order.h"
#include "process.h"
#include "rundir.h"
#include "settings.h"
#include "subject.h"

#define KNOCK_TIMEOUT 200000000u

/* A process of another PID namespace (a container that shares the directory) is not in our /proc, but it answers. Anything
 * but "nobody there" means it lives. */
static bool answers(const struct subject *s)
{
    struct control_reply reply;
    int r = order_ask(s, CONTROL_STATUS, 0, KNOCK_TIMEOUT, &reply);
    return r != -ENOENT && r != -ECONNREFUSED;
}

/* Is the process whose name it has another program now? */
static bool is_replaced(struct subject *s)
{
    rundir_segment_name(s->inner, s->start_time, s->file, sizeof s->file);
    subject_refresh(s);
    return s->replaced;
}

/* In doubt it lives, whatever the file says. */
static bool may_live(struct subject *s)
{
    uint64_t now;
    bool runs = process_start_time(s->pid, &now) == 0 && now == s->start_time;
    return runs ? !is_replaced(s) : answers(s);
}

static bool remove_file(const struct place *place, const char *name)
{
    if (unlinkat(place->fd, name, 0) == 0) {
        printf("%s/%s\n", place->path, name);
        return true;
    }
    if (errno != ENOENT)
        note("cannot remove %s/%s: %s", place->path, name, strerror(errno));
    return errno == ENOENT;
}

/* `name`: of a segment or of its socket. The socket goes with the segment, which tells why it may go. */
static bool collect(const struct place *place, const char *name, struct subject *s)
{
    char socket[64];
    s->dirfd = place->fd;
    s->uid = place->uid;
    if (may_live(s))
        return true;
    rundir_socket_name(s->pid, s->start_time, socket, sizeof socket);
    return remove_file(place, name) & remove_file(place, socket);
}

/* Whose file is this? Sockets are named as segments are. */
static bool parse_name(const char *name, struct subject *s)
{
    char segment[64], socket[64] = "";
    const char *dot = strrchr(name, '.');
    if (!dot || snprintf(segment, sizeof segment, "%.*s.tscap", (int)(dot - name), name) >= (int)sizeof segment)
        return false;
    if (!rundir_parse_name(segment, &s->pid, &s->start_time))
        return false;
    s->inner = s->pid;
    rundir_socket_name(s->pid, s->start_time, socket, sizeof socket);
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
        struct subject s = {.pid = 0};
        if (parse_name(e->d_name, &s))
            whole &= collect(place, e->d_name, &s);
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
