#include "job.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

void job_begin(struct job *j)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    *j = (struct job){0};
    signal(SIGCHLD, SIG_DFL); /* ignored, we would learn nothing */
    sigfillset(&j->signals);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&j->signals, faults[i]);
    sigprocmask(SIG_BLOCK, &j->signals, &j->before);
}

/* As it did, so that the shell sees why. Where nobody could continue us again, the kernel does not stop us (an orphaned process
 * group), nor has it stopped the job. */
static void stop_too(const struct job *j, int number)
{
    struct sigaction before, plain = {.sa_handler = SIG_DFL};
    sigset_t this;
    sigemptyset(&this);
    sigaddset(&this, number);
    sigaction(number, &plain, &before);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &this, NULL); /* here we stand still */
    sigprocmask(SIG_BLOCK, &j->signals, NULL);
    sigaction(number, &before, NULL);
}

bool job_has_ended(struct job *j)
{
    j->ended = j->ended || waitpid(j->pid, &j->status, WNOHANG) == j->pid;
    return j->ended;
}

static bool look_at(struct job *j)
{
    pid_t r;
    if (j->ended)
        return true;
    while ((r = waitpid(j->pid, &j->status, WNOHANG | WUNTRACED)) == j->pid && WIFSTOPPED(j->status))
        stop_too(j, WSTOPSIG(j->status));
    return j->ended = r == j->pid;
}

static bool is_from_somebody(const siginfo_t *info) { return info->si_code <= 0; }

/* What it sends to its parent is meant for who started it. */
static void hand_on(struct job *j, const siginfo_t *info)
{
    bool own = info->si_pid == j->pid;
    if (info->si_signo == SIGCHLD || witness_saw(&j->witness, info->si_signo) || !is_from_somebody(info))
        return;
    if (info->si_signo == SIGCONT && target_state(j->pid) != 'T')
        return; /* it has got that as well */
    kill(own ? getppid() : j->pid, info->si_signo);
}

void job_wait(struct job *j, uint64_t (*look)(void *context), void *context)
{
    siginfo_t info;
    witness_begin(&j->witness);
    while (!look_at(j)) {
        uint64_t ns = look(context);
        if (ns == JOB_LEAVE)
            break;
        struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
        if (sigtimedwait(&j->signals, &info, &pause) > 0)
            hand_on(j, &info);
    }
    witness_end(&j->witness);
}

int job_exit_code(const struct job *j)
{
    return WIFSIGNALED(j->status) ? 128 + WTERMSIG(j->status) : WEXITSTATUS(j->status);
}
