#include "witness.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void be_one(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(0, UINT_MAX, 0); /* who reads what we write to shall not wait for it */
    while (getppid() == parent)
        pause();
    _exit(0);
}

void witness_begin(struct witness *w)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        be_one(parent);
    w->pid = pid > 0 ? pid : 0;
}

void witness_end(struct witness *w)
{
    if (!w->pid)
        return;
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
}

/* They wait, since they are blocked: "ShdPnd:\t0000000000004000" in /proc/PID/status. */
static uint64_t pending(pid_t pid)
{
    char path[64], line[256];
    uint64_t set = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "ShdPnd:", 7) == 0)
            set = strtoull(line + 7, NULL, 16);
    if (file)
        fclose(file);
    return set;
}

bool witness_saw(struct witness *w, int number)
{
    bool saw = w->pid && pending(w->pid) >> (number - 1) & 1;
    if (saw) { /* the next one sees the next */
        witness_end(w);
        witness_begin(w);
    }
    return saw;
}
