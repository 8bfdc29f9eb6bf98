#include "program_output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "output.h"
#include "saving.h"
#include "settings.h"
#include "units.h"

#define SUFFIX ".log"

/* As a command line is shown: words with blanks between. */
static void find_name(char *const *words, char name[SAVING_NAME])
{
    char line[4096] = "";
    size_t used = 0;
    for (; *words && used < sizeof line; words++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", used ? " " : "", *words);
    saving_name(line, name);
}

/* Its number is not known yet. */
static int make_own(struct program_output *o, const struct settings *s)
{
    char name[SAVING_NAME];
    find_name(s->words, name);
    snprintf(o->path, sizeof o->path, "./%s-XXXXXX" SUFFIX, name);
    o->own = true;
    return mkostemps(o->path, (int)strlen(SUFFIX), O_CLOEXEC);
}

/* What is there may be mapped, or be the capture: its name goes, and it stays for who has it open. */
static bool make_way(const char *path, const char *capture)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return true;
    if (!saving_is_segment(path) && !(capture && output_is_file(capture, AT_FDCWD, path)))
        return unlink(path) == 0;
    errno = EEXIST;
    return false;
}

static int open_named(struct program_output *o, const struct settings *s)
{
    struct stat status;
    snprintf(o->path, sizeof o->path, "%s", s->program_output);
    bool special = stat(o->path, &status) == 0 && !S_ISREG(status.st_mode);
    if (s->force && !special && !make_way(o->path, s->output))
        return -1;
    int flags = special ? 0 : O_CREAT | O_EXCL;
    return open(o->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | flags, 0600);
}

int program_output_open(struct program_output *o, const struct settings *s)
{
    *o = (struct program_output){.no_input = s->batch == UNSET};
    o->fd = s->program_output ? open_named(o, s) : make_own(o, s);
    if (o->fd >= 0)
        return EXIT_OK;
    int error = errno;
    return fail(exit_code_of_errno(-error),
                "cannot write %s, where what the program writes would go\n"
                "%s\n"
                "tscap top --run --program-output elsewhere",
                o->path, strerror(error));
}

void program_output_name(struct program_output *o, pid_t pid)
{
    char path[PATH_MAX];
    if (o->fd < 0 || !o->own)
        return;
    int stem = (int)(strlen(o->path) - strlen("XXXXXX" SUFFIX));
    snprintf(path, sizeof path, "%.*s%ld" SUFFIX, stem, o->path, (long)pid);
    if (link(o->path, path) != 0) /* one that is there stays, and this is called as it is */
        return;
    unlink(o->path);
    memcpy(o->path, path, sizeof path);
}

void program_output_take(const struct program_output *o)
{
    int nothing = o->fd >= 0 && o->no_input ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    if (o->fd >= 0) {
        dup2(o->fd, STDOUT_FILENO);
        dup2(o->fd, STDERR_FILENO);
    }
}

static void tell(const struct program_output *o, uint64_t size)
{
    char bytes[UNITS_TEXT];
    units_write_bytes(bytes, sizeof bytes, size);
    note("what the program wrote is in %s (%s)", o->path, bytes);
}

void program_output_close(struct program_output *o)
{
    struct stat status;
    if (o->fd < 0)
        return;
    bool file = fstat(o->fd, &status) == 0 && S_ISREG(status.st_mode);
    close(o->fd);
    o->fd = -1;
    if (file && status.st_size)
        tell(o, (uint64_t)status.st_size);
    else if (o->own)
        unlink(o->path);
}
