/* A lifeline: a FIFO in the run directory, beside the file of a run (run_file.h), that `tscap run` holds open for as long as it
 * lives. What it started opens it for reading, and poll(2) tells of its end:
 *
 *   POLLHUP alone       it was killed: nobody is there who would end what it began
 *   POLLIN as well      it ended by itself, and what goes on is meant to
 *
 *   4241-1234560.life
 *
 * All of its readers see the same, since none ever takes the byte out. */
#ifndef TSCAP_LIFELINE_H
#define TSCAP_LIFELINE_H

#include <stdint.h>
#include <sys/types.h>

#define LIFELINE_NAME 64 /* room for its name */

int lifeline_name(pid_t pid, uint64_t start_time, char *buffer, size_t size); /* of the run of this tscap. 0 or -errno */

/* Its descriptor, or -errno. To be made after the file of the run is locked, so that the kernel ends that lock first: who opens the
 * lifeline and finds the lock held after that hears of the end. */
int lifeline_make(int dirfd, const char *name);
void lifeline_let_go(int fd); /* what goes on is meant to */

/* For who reads: a descriptor for poll(2), or -errno. */
int lifeline_open(const char *directory, pid_t pid, uint64_t start_time);

#endif
