/* What a process has mapped: /proc/PID/maps, proc(5). The process chooses most of what stands there; nothing is believed
 * but that the kernel wrote the lines. */
#ifndef TSCAP_MAPS_H
#define TSCAP_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
    uint64_t begin, end, offset;
    uint64_t device, inode; /* inode 0: no file */
    bool readable, writable, executable;
    const char *path; /* "" for none; a file's begins with a slash */
};

struct maps {
    struct mapping *mapping; /* by address, none overlaps another */
    size_t count;
    char *text; /* what the paths lie in */
};

int maps_read(struct maps *m, pid_t pid); /* 0 or -errno; -ESRCH no such process */
void maps_free(struct maps *m);

/* Takes over `text` (from malloc, ended by 0), whatever comes of it. Lines that are not as the kernel writes them are
 * passed over. 0 or -ENOMEM. */
int maps_parse(struct maps *m, char *text);

const struct mapping *maps_find(const struct maps *m, uint64_t address); /* NULL: nothing is there */

#endif
