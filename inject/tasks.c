#include "tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "running", or the number of the system call it is in: proc(5). */
bool tasks_waits(pid_t pid, pid_t tid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/syscall", (long)pid, (long)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text[0] >= '0' && text[0] <= '9';
}

static int rank(pid_t pid, pid_t tid) { return 2 * tasks_waits(pid, tid) + (tid == pid); }

static void insert(struct tasks *t, int *ranks, pid_t tid, int rank_of_it)
{
    size_t i = t->count++;
    for (; i > 0 && ranks[i - 1] < rank_of_it; i--) {
        t->tid[i] = t->tid[i - 1];
        ranks[i] = ranks[i - 1];
    }
    t->tid[i] = tid;
    ranks[i] = rank_of_it;
}

int tasks_read(struct tasks *t, pid_t pid)
{
    char path[64];
    int ranks[TASKS_MAX];
    t->count = 0;
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    for (struct dirent *e; t->count < TASKS_MAX && (e = readdir(dir));) {
        pid_t tid = (pid_t)atoi(e->d_name);
        if (tid > 0)
            insert(t, ranks, tid, rank(pid, tid));
    }
    closedir(dir);
    return t->count ? 0 : -ESRCH;
}

size_t tasks_count(pid_t pid)
{
    struct tasks t;
    return tasks_read(&t, pid) == 0 ? t.count : 0;
}
