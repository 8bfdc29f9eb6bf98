#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lifeline.h"
#include "run_file.h"

static pid_t keeper; /* 0: there is none */
static uint64_t since;
static bool stays;

void keeper_set(pid_t pid, uint64_t start_time)
{
    keeper = pid;
    since = start_time;
}

void keeper_forget(void) { keeper = 0; }

/* The lock, since a number tells nothing in another pid namespace. */
bool keeper_lives(const char *directory)
{
    char name[RUN_FILE_NAME];
    if (!keeper || run_file_name(keeper, since, name, sizeof name) < 0)
        return false;
    int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool lives = dirfd >= 0 && faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !run_file_is_left(dirfd, name);
    if (dirfd >= 0)
        close(dirfd);
    return lives;
}

int keeper_lifeline(const char *directory) { return keeper ? lifeline_open(directory, keeper, since) : -ESRCH; }

void keeper_set_stays(bool whoever_looks) { stays = whoever_looks; }

bool keeper_stays(void) { return stays; }
