/* What /proc says of a process: enough to know it again and to name it. proc(5). */
#ifndef TSCAP_PROCESS_H
#define TSCAP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Start time in clock ticks since boot (/proc/PID/stat field 22): with the pid and the boot id it names a process for
 * ever. 0, -ESRCH: no such process; zombies count as ended. */
int process_start_time(pid_t pid, uint64_t *start_time);

/* Does exactly this process run? A pid alone says nothing: it may have been given to another since. */
bool process_runs(pid_t pid, uint64_t start_time);

/* /proc/sys/kernel/random/boot_id without the newline; "" when unreadable. 0 or -errno. */
int process_boot_id(char *buffer, size_t size);

/* Command line, arguments joined by blanks, control characters replaced by '?'; the name in brackets for a process
 * without one. 0 or -errno. */
int process_command(pid_t pid, char *buffer, size_t size);

int process_parent(pid_t pid, pid_t *parent); /* 0 or -errno */
int process_thread_name(pid_t pid, pid_t tid, char *buffer, size_t size); /* 0 or -errno */
/* What the thread has run so far, ns: as its CPU clock, but while it runs it stands still for a few ms at a time. 0 or -errno;
 * -ENOTSUP: this kernel does not tell. */
int process_thread_cpu(pid_t pid, pid_t tid, uint64_t *ns);
bool process_thread_alive(pid_t pid, pid_t tid);

/* Surely no mapping of exactly this range: one that was there is gone with exec(2). False: it is there, or nobody knows (a
 * kernel without map_files, another user's process). One look-up in the kernel, whatever else the process has mapped. */
bool process_lacks_mapping(pid_t pid, uint64_t address, uint64_t bytes);

/* Control characters and broken UTF-8 to '?': for a terminal. In place. */
void process_printable(char *text);

#endif
