/* What kind of process is it? The first thing to know before anything is done to it. Reads /proc and ELF files only: the
 * process is neither stopped nor touched. */
#ifndef TSCAP_TARGET_H
#define TSCAP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TARGET_PATH 1024

struct target {
    bool python;             /* a CPython runs in it */
    bool loaded;             /* the extension of timestamp_capture is mapped */
    uint32_t version;        /* PY_VERSION_HEX; 0: not known */
    bool debug, free_threaded; /* kinds of builds, which need extensions of their own */
    unsigned machine;        /* e_machine */
    bool is_64_bit;
    char image[TARGET_PATH]; /* the file that holds the interpreter; else the executable */
};

/* 0; -ESRCH no such process; -EACCES, -EPERM: another user's, or one that does not let itself be looked at; -ENOMEM. */
int target_inspect(pid_t pid, struct target *t);

/* "3.11.7"; "" when not known. */
void target_version(const struct target *t, char *buffer, size_t size);

/* Is this ELF file a CPython (executable or library), and of which version? 0, or -errno: -ENOEXEC not an ELF file. */
int target_examine_file(const char *path, bool *python, uint32_t *version);

/* For which machine is it? False: not an ELF file. */
bool target_file_machine(const char *path, unsigned *machine, bool *is_64_bit);

/* A variable of its environment, as it was when the program began. 0, -ENOENT not set, or another -errno. */
int target_environment(pid_t pid, const char *name, char *buffer, size_t size);

/* One letter of proc(5): R, S, D, T (stopped by a signal), t (by a tracer), Z ...; 0: no such process. */
char target_state(pid_t pid);

/* A thread: is it about to end, or has it ended? */
bool target_is_ending(pid_t tid);
/* May it be about to become another program? It was forked and has executed none since, or began within TARGET_NEW_NS. */
#define TARGET_NEW_NS 2000000000u
bool target_is_new(pid_t pid);
bool target_is_kernel_thread(pid_t pid);
bool target_has_ended(pid_t pid); /* or has given up its memory already; never true of the kernel's threads */

#endif
