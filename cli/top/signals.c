#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const int leaving[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int others[] = {SIGTSTP, SIGCONT, SIGWINCH};
#define LEAVING (sizeof leaving / sizeof *leaving)
#define OTHERS (sizeof others / sizeof *others)

static volatile sig_atomic_t came[NSIG];
static sigset_t handled, outside, blocked; /* all of the above; what is blocked where we wait; what was when we began */
static struct sigaction before[NSIG];

static void note_signal(int number) { came[number] = 1; }

/* A terminal that takes no output (^S, or nobody reads it) must not keep us: what waits to be written is thrown away. Linux
 * undoes ^S by TCOON only after a TCOOFF. */
static void note_leaving(int number)
{
    int error = errno;
    came[number] = 1;
    tcflush(STDOUT_FILENO, TCOFLUSH);
    tcflow(STDOUT_FILENO, TCOOFF);
    tcflow(STDOUT_FILENO, TCOON);
    errno = error;
}

static void catch(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_mask = handled};
    sigaction(number, NULL, &before[number]);
    if (before[number].sa_handler != SIG_IGN || number == SIGCONT || number == SIGWINCH)
        sigaction(number, &action, NULL);
}

void signals_begin(const sigset_t *waiting)
{
    sigemptyset(&handled);
    for (size_t i = 0; i < LEAVING; i++)
        sigaddset(&handled, leaving[i]);
    for (size_t i = 0; i < OTHERS; i++)
        sigaddset(&handled, others[i]);
    sigprocmask(SIG_BLOCK, &handled, &blocked);
    outside = waiting ? *waiting : blocked;
    for (size_t i = 0; i < LEAVING; i++)
        catch(leaving[i], note_leaving);
    for (size_t i = 0; i < OTHERS; i++)
        catch(others[i], note_signal);
}

/* A terminal that goes sends SIGHUP more than once: by the kernel and by its shell. */
void signals_end(void)
{
    for (size_t i = 0; i < OTHERS; i++)
        sigaction(others[i], &before[others[i]], NULL);
    sigaction(SIGINT, &before[SIGINT], NULL);
    sigaction(SIGQUIT, &before[SIGQUIT], NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

bool signals_leave(void)
{
    for (size_t i = 0; i < LEAVING; i++)
        if (came[leaving[i]])
            return true;
    return false;
}

int signals_ending(void) { return came[SIGTERM] ? SIGTERM : came[SIGHUP] ? SIGHUP : 0; }

void signals_pass_on(void)
{
    for (size_t i = 0; i < LEAVING; i++)
        if (came[leaving[i]] && leaving[i] != SIGINT) {
            signal(leaving[i], SIG_DFL);
            raise(leaving[i]);
        }
}

bool signals_came(int number)
{
    bool yes = came[number];
    came[number] = 0;
    return yes;
}

int signals_poll(struct pollfd *fds, nfds_t count, uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    return ppoll(fds, count, ns == UINT64_MAX ? NULL : &t, &outside);
}

void signals_let(bool let) { sigprocmask(let ? SIG_UNBLOCK : SIG_BLOCK, &handled, NULL); }

void signals_stop(void)
{
    sigset_t stop;
    struct sigaction ours, plain = {.sa_handler = SIG_DFL};
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &plain, &ours);
    raise(SIGTSTP); /* waits until it is no longer blocked */
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    sigaction(SIGTSTP, &ours, NULL);
}
