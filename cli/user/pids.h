/* Several processes in a message. */
#ifndef TSCAP_PIDS_H
#define TSCAP_PIDS_H

#include <stddef.h>
#include <sys/types.h>

#define PIDS_TEXT 160

/* "process 7", "processes 7, 8", "processes 1, 2, 3, 4, 5, 6, 7, 8 and 3 more". */
void pids_write(const pid_t *pid, size_t count, char *buffer, size_t size);

#endif
