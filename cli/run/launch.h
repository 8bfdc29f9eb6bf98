/* Starting a command as its user would: by its name, with what tscap itself was started with. */
#ifndef TSCAP_LAUNCH_H
#define TSCAP_LAUNCH_H

#include <signal.h>
#include <sys/types.h>

/* What a child does before it becomes the command. */
typedef void launch_prepare(const void *context);

/* In our process group: what the terminal sends goes to both. The pid, or -errno: why it cannot be executed. `mask`: of signals
 * that it blocks. */
pid_t launch(char *const *command, const sigset_t *mask, launch_prepare *prepare, const void *context);

#endif
