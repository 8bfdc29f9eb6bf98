#include "script_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"

#define SCRIPT "attach.py"
#define ANSWER "answer"

static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};

/* Nobody can have made it, or a link of this name, before us. */
static int make_name(struct script_folder *f)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -errno;
    snprintf(f->name, sizeof f->name, "tscap-%016" PRIx64, number);
    return 0;
}

static int make_file(const struct script_folder *f, const char *name, int flags)
{
    int fd = openat(f->folder, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int make_files(struct script_folder *f)
{
    f->script = make_file(f, SCRIPT, O_WRONLY);
    f->answer = f->script < 0 ? f->script : make_file(f, ANSWER, O_RDWR | O_APPEND);
    return f->answer < 0 ? f->answer : 0;
}

static int make_folder(struct script_folder *f)
{
    int r = make_name(f);
    if (r < 0)
        return r;
    if (mkdirat(f->parent, f->name, 0700) != 0)
        return -errno;
    f->folder = openat(f->parent, f->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return f->folder < 0 ? -errno : make_files(f);
}

static int make_in(struct script_folder *f, int root, const char *place)
{
    *f = (struct script_folder){.folder = -1, .script = -1, .answer = -1};
    f->parent = container_open_path(root, place, O_RDONLY | O_DIRECTORY);
    if (f->parent < 0)
        return f->parent;
    int r = make_folder(f);
    if (r < 0) {
        script_folder_remove(f);
        return r;
    }
    snprintf(f->script_path, sizeof f->script_path, "%s/%s/" SCRIPT, place, f->name);
    snprintf(f->answer_path, sizeof f->answer_path, "%s/%s/" ANSWER, place, f->name);
    return 0;
}

int script_folder_make(struct script_folder *f, int root)
{
    int r = -ENOENT;
    for (size_t i = 0; i < sizeof places / sizeof *places && r < 0; i++)
        r = make_in(f, root, places[i]);
    return r;
}

/* ---- what is in it ---- */

/* The folder last: until then nobody but us gets into it. */
static int give_away(const struct script_folder *f, uid_t uid)
{
    if (uid == geteuid())
        return 0;
    const gid_t same = (gid_t)-1;
    bool given = fchown(f->script, uid, same) == 0 && fchown(f->answer, uid, same) == 0 && fchown(f->folder, uid, same) == 0;
    return given ? 0 : -errno;
}

int script_folder_fill(struct script_folder *f, const char *script, uid_t uid)
{
    ssize_t n = write(f->script, script, strlen(script));
    if (n != (ssize_t)strlen(script))
        return n < 0 ? -errno : -ENOSPC;
    int r = give_away(f, uid);
    close(f->script);
    f->script = -1;
    return r;
}

ssize_t script_folder_read(const struct script_folder *f, char *buffer, size_t size)
{
    ssize_t n = pread(f->answer, buffer, size - 1, 0);
    if (n < 0)
        return -errno;
    buffer[n] = '\0';
    return n;
}

static void close_all(struct script_folder *f)
{
    int *const fds[] = {&f->script, &f->answer, &f->folder, &f->parent};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* By names within what was opened: whoever else may write there can lose names of its own by that, no more. */
void script_folder_remove(struct script_folder *f)
{
    if (f->folder >= 0) {
        unlinkat(f->folder, SCRIPT, 0);
        unlinkat(f->folder, ANSWER, 0);
        unlinkat(f->parent, f->name, AT_REMOVEDIR);
    }
    close_all(f);
}
