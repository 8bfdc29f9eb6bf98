#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

static int cannot_make(const char *path, int error)
{
    return fail(exit_code_of_errno(-error) == EXIT_PERMISSION ? EXIT_PERMISSION : EXIT_FAILED,
                "cannot write %s\n"
                "%s\n"
                SAME_AGAIN " -o elsewhere",
                path, strerror(error));
}

/* Beside the file that it shall replace, with the rights of a new one. */
static int make_beside(struct output *o, const char *path)
{
    int length = snprintf(o->made, sizeof o->made, "%s.XXXXXX", path);
    int fd = length < (int)sizeof o->made ? mkostemp(o->made, O_CLOEXEC) : -1;
    mode_t mask = umask(0);
    umask(mask);
    if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0) {
        o->replaces = true;
        return fd;
    }
    if (fd < 0) {
        o->made[0] = '\0';
        errno = length < (int)sizeof o->made ? errno : ENAMETOOLONG;
    } else
        close(fd);
    return -1;
}

static int make_new(struct output *o, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
        snprintf(o->made, sizeof o->made, "%s", path);
    return fd;
}

static int open_path(struct output *o, const char *path, bool force)
{
    struct stat s;
    int r = stat(path, &s);
    if (r == 0 && !S_ISREG(s.st_mode))
        return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return r == 0 && force ? make_beside(o, path) : make_new(o, path);
}

static int open_file(struct output *o, const char *path, bool force, const char *invocation)
{
    int fd = open_path(o, path, force);
    if (fd < 0 && errno == EEXIST)
        return fail(EXIT_FAILED,
                    "%s is there already\n"
                    "it is not replaced unasked\n"
                    "%s -o %s --force",
                    path, invocation, path);
    o->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (o->file)
        return EXIT_OK;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (o->made[0])
        unlink(o->made);
    return cannot_make(path, error);
}

int output_open(struct output *o, const char *path, bool force, bool binary, const char *invocation)
{
    *o = (struct output){.file = stdout};
    if (path && strcmp(path, "-") != 0) {
        o->path = path;
        int code = open_file(o, path, force, invocation);
        if (code != EXIT_OK)
            return code;
    }
    if (!binary || !isatty(fileno(o->file)))
        return EXIT_OK;
    return output_finish(o, fail(EXIT_USAGE,
                                 "this format is not text, and the output is a terminal\n"
                                 "it would not show anything\n"
                                 "%s -o FILE",
                                 invocation));
}

bool output_is_file(const char *path, int dirfd, const char *name)
{
    struct stat a, b;
    return path && strcmp(path, "-") != 0 && stat(path, &a) == 0 && fstatat(dirfd, name, &b, 0) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int output_finish(struct output *o, int code)
{
    bool broken = ferror(o->file);
    int error = errno;
    if (!o->path)
        return code; /* standard output is looked at in the end */
    if (fclose(o->file) != 0 && !broken) {
        broken = true;
        error = errno;
    }
    if (code == EXIT_OK && broken)
        code = cannot_make(o->path, error);
    if (code == EXIT_OK && o->replaces && rename(o->made, o->path) != 0)
        code = cannot_make(o->path, errno);
    if (code != EXIT_OK && o->made[0])
        unlink(o->made);
    return code;
}
