/* The file of a run: what `tscap run` and the interpreters that its command starts agree on. It lies in the run directory,
 * and its path is in the environment. Text:
 *
 *   tscap run 1
 *   library=/usr/lib/.../_core.cpython-311-x86_64-linux-gnu.so     builds of the extension; one of them fits, or none
 *   keeper=4241 1234560                                            rules: see control.h
 *   start
 *                                                                  an empty line; after it lines come from interpreters:
 *   4242 1234567                                                   this one has begun
 *   4243 ! there is no timestamp_capture for cpython-38            this one cannot be recorded
 *
 * Each line is one write(2) that appends, so their order is the same for everybody: who stands first is the first. */
#ifndef TSCAP_RUN_FILE_H
#define TSCAP_RUN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RUN_FILE_VARIABLE "TSCAP_RUN"
#define RUN_FILE_FIRST_LINE "tscap run 1\n"
#define RUN_FILE_LIBRARY "library="
#define RUN_FILE_MAX (1u << 20) /* bytes; what is longer is not read to its end */
#define RUN_FILE_TEXT 256
#define RUN_FILE_NAME 64 /* room for its name */

struct run_file_line {
    pid_t pid;
    uint64_t start_time;      /* 0: it cannot be recorded, `problem` says why */
    char problem[RUN_FILE_TEXT]; /* printable */
};

int run_file_name(pid_t pid, uint64_t start_time, char *buffer, size_t size); /* of the run of this tscap. 0 or -errno */
bool run_file_parse_name(const char *name, pid_t *pid, uint64_t *start_time);  /* is this one's, and whose? */

/* Makes it, with that text up to the empty line, locked as long as the descriptor that this returns is open; or -errno. */
int run_file_make(int dirfd, const char *name, const char *text);

/* Has who made it gone, so that nobody holds the lock? Also told from another pid namespace. */
bool run_file_is_left(int dirfd, const char *name);

/* All of it, to be freed; NULL and `*error`: -errno; -EPERM: not a file that only its user can write; -EPROTO: not such a file. */
char *run_file_read(int fd, int *error);

/* A process of that name has begun: its line is added. `*first`: there is none before it of another process. What is asked
 * for goes to `*text`, to be freed. 0 or -errno as above. */
int run_file_join(int dirfd, const char *path, pid_t pid, uint64_t start_time, bool *first, char **text);

/* The n-th line after the empty one, from 0. False: there are not so many. */
bool run_file_line(const char *text, size_t n, struct run_file_line *line);

#endif
