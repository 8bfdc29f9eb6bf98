#include "place.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "units.h"

/* The most likely mistakes, each with what mends it. */
static int refuse(const char *path, int error)
{
    struct stat s;
    if (error != -EPERM)
        return fail(exit_code_of_errno(error),
                    "cannot open %s\n"
                    "%s\n"
                    "ls -ld %s",
                    path, strerror(-error), path);
    if (lstat(path, &s) != 0 || !S_ISDIR(s.st_mode))
        return fail(EXIT_PERMISSION,
                    "will not use %s\n"
                    "it is not a directory but a link or a file\n"
                    "ls -ld %s",
                    path, path);
    if (s.st_uid != geteuid())
        return fail(EXIT_PERMISSION,
                    "will not use %s\n"
                    "it belongs to user %lu, you are %lu\n"
                    "sudo tscap",
                    path, (unsigned long)s.st_uid, (unsigned long)geteuid());
    return fail(EXIT_PERMISSION,
                "will not use %s\n"
                "other users have rights in it (mode %03o)\n"
                "chmod 700 %s",
                path, (unsigned)s.st_mode & 0777, path);
}

/* NULL only without memory. */
static struct place *add(struct places *p, uid_t uid, int fd)
{
    struct place *more = realloc(p->place, (p->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    p->place = more;
    p->place[p->count] = (struct place){.uid = uid, .fd = fd};
    rundir_path(uid, p->place[p->count].path, RUNDIR_PATH_MAX);
    return &p->place[p->count++];
}

struct place *places_add(struct places *p, uid_t uid, int fd, const char *path)
{
    struct place *added = add(p, uid, fd);
    if (!added)
        return NULL;
    snprintf(added->path, sizeof added->path, "%s", path);
    return added;
}

void places_leave_containers(struct places *p)
{
    while (p->count && p->place[p->count - 1].only.pid)
        close(p->place[--p->count].fd);
}

static int open_one(struct places *p, uid_t uid)
{
    int fd = rundir_open(uid, false);
    if (fd == -ENOENT)
        return EXIT_OK;
    if (fd == -ENAMETOOLONG)
        return fail(EXIT_USAGE,
                    "TSCAP_DIR is too long\n"
                    "it may have %d bytes\n"
                    "unset TSCAP_DIR",
                    RUNDIR_PATH_MAX - 1);
    if (fd < 0)
        return refuse(p->sought, fd);
    if (add(p, uid, fd))
        return EXIT_OK;
    close(fd);
    return fail(EXIT_FAILED,
                "cannot list the run directories\n"
                "out of memory\n"
                SAME_AGAIN);
}

/* "/dev/shm/tscap-1000" without the number. */
static size_t stem_length(const char *path)
{
    size_t n = strlen(path);
    while (n && path[n - 1] >= '0' && path[n - 1] <= '9')
        n--;
    return n;
}

/* `name` in `parent` ends in what may be a number. */
static void open_of_user(struct places *p, const char *parent, const char *name, const char *number)
{
    uint64_t uid;
    if (!units_read_count(number, &uid) || uid >= UINT32_MAX)
        return;
    int fd = rundir_open((uid_t)uid, false);
    if (fd >= 0 && !add(p, (uid_t)uid, fd))
        close(fd);
    else if (fd < 0 && fd != -ENOENT)
        note("passed over %s/%s: it is not private to its user", parent, name);
}

/* Root: the directory of each user. One that is not in order is that user's affair: it is passed over. */
static int open_all_users(struct places *p)
{
    char parent[RUNDIR_PATH_MAX];
    size_t stem = stem_length(p->sought);
    snprintf(parent, sizeof parent, "%.*s", (int)stem, p->sought);
    char *slash = strrchr(parent, '/');
    const char *prefix = slash + 1;
    snprintf(p->sought + stem, sizeof p->sought - stem, "*");
    *slash = '\0';
    DIR *dir = opendir(parent);
    if (!dir)
        return EXIT_OK;
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            open_of_user(p, parent, e->d_name, e->d_name + strlen(prefix));
    closedir(dir);
    return EXIT_OK;
}

bool places_forced(void)
{
    const char *forced = getenv("TSCAP_DIR");
    return forced && *forced;
}

/* Root may look into another user's $TSCAP_DIR. */
static uid_t owner_of(const char *path)
{
    struct stat s;
    return geteuid() == 0 && lstat(path, &s) == 0 ? s.st_uid : geteuid();
}

int places_open_own(struct places *p)
{
    *p = (struct places){0};
    rundir_path(geteuid(), p->sought, sizeof p->sought);
    uid_t owner = places_forced() ? owner_of(p->sought) : geteuid();
    process_printable(p->sought); /* no line of ours begins in it */
    return open_one(p, owner);
}

int places_open(struct places *p)
{
    if (places_forced() || geteuid() != 0)
        return places_open_own(p);
    *p = (struct places){0};
    rundir_path(0, p->sought, sizeof p->sought);
    return open_all_users(p);
}

void places_close(struct places *p)
{
    for (size_t i = 0; i < p->count; i++)
        close(p->place[i].fd);
    free(p->place);
    *p = (struct places){0};
}
