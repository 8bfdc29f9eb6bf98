/* A segment mapped read-only, to be read and not to be trusted (snapshot.h). */
#ifndef TSCAP_VIEW_H
#define TSCAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

/* A mapped segment. */
struct view {
    const void *base; /* read-only */
    uint64_t bytes;   /* of the file when it was last looked at, whole pages */
    uint64_t mapped;  /* address space: a growing file is seen without mapping it again */
    int fd;           /* -1: memory */
    struct segment_header identity; /* checked copy; only what never changes is meant */
};

/* Errors: -ENOENT ..., -EPERM not a regular file or (with `owner` >= 0) not that user's, -EBADMSG not a segment or not a
 * sane one, -EPROTONOSUPPORT a segment of another ABI. */
int view_open(struct view *v, int dirfd, const char *name, long owner);
void view_close(struct view *v);

/* The timestamp_capture that wrote the segment in this file, of whatever ABI it is, printable. False: nobody can say. */
#define VIEW_VERSION sizeof ((struct segment_header *)NULL)->version
bool view_version(const char *path, char version[VIEW_VERSION]);

/* For fuzzing and for a process' own segment: a view of memory; it must stay readable. -EBADMSG, -EPROTONOSUPPORT. */
int view_of_memory(struct view *v, const void *base, uint64_t bytes);

/* The same for the segment of this process, which may grow meanwhile; `capacity` bytes of it are mapped. */
int view_of_own(struct view *v, const void *base, uint64_t capacity);

/* Bytes that there are now, as far as they are mapped: a file may have grown or shrunk. */
uint64_t view_bytes_now(const struct view *v);

/* A copy of the header, checked, its strings ended; `bytes`: of the file, 0: whatever they are. -EBADMSG, -EPROTONOSUPPORT. */
int view_header(const struct view *v, uint64_t bytes, struct segment_header *h);

typedef int view_reader(void *context);

/* Calls read(context), and takes it back with -EIO if the file shrinks under it. For files only: memory that is ours does
 * not go away. */
int view_guarded(const struct view *v, view_reader *read, void *context);

#endif
