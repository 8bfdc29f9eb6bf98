/* The ELF files that a process has mapped: where each was loaded, what it exports, how its code is unwound. Files are
 * opened as the process sees them, whatever namespace it lives in: through /proc/PID/map_files, /proc/PID/root, or by
 * path, the latter two only if the inode is the mapped one. */
#ifndef TSCAP_IMAGE_H
#define TSCAP_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf_file.h"
#include "maps.h"
#include "unwind_table.h"

#define IMAGE_BUILD_ID 64

struct image_symbol {
    uint64_t address, size;
    const char *name;
    bool code, exported;
};

struct image {
    const char *path; /* (borrowed from the maps) */
    uint64_t device, inode;
    uint64_t bias;       /* address in the process - address in the file */
    uint64_t begin, end; /* of all its mappings */
    struct image_symbol *symbol; /* by address */
    size_t symbols, room;
    uint64_t unwind_header; /* .eh_frame_hdr in the process; 0: none */
    uint64_t python_runtime; /* section .PyRuntime in the process; 0: none */
    char build_id[IMAGE_BUILD_ID + 1]; /* hexadecimal; "" */
    uint64_t kept_begin, kept_end;     /* read-only memory of which a copy is here, around the unwind header */
    uint8_t *kept;
    struct elf_file file; /* holds the names */
};

struct images {
    pid_t pid;
    struct maps maps;
    struct image *image; /* by address */
    size_t count;
    unsigned unreadable; /* files that could not be opened */
};

/* 0 or -errno: -ESRCH, -EACCES, -ENOMEM. */
int images_read(struct images *i, pid_t pid, enum elf_names names);
void images_free(struct images *i);

struct image *images_find(const struct images *i, uint64_t address); /* the file whose memory it is; NULL: none */

/* The first image that defines the name as code or data, and the address. 0: none. */
uint64_t images_symbol(const struct images *i, const char *name, struct image **image);
uint64_t image_symbol(const struct image *i, const char *name); /* 0: not defined in it */

/* The symbol that covers an address; NULL: none. */
const struct image_symbol *image_symbol_at(const struct image *i, uint64_t address);

const char *image_name(const struct image *i); /* the last part of its path */

/* Copies the read-only memory around the unwind header, for unwinding without asking the process again. */
void image_keep_unwind(struct image *i, pid_t pid);
struct unwind_table image_unwind_table(const struct image *i); /* in that copy */

/* A file of the process by one of its mappings. A descriptor or -errno. */
int image_open_mapped(pid_t pid, const struct mapping *m);

#endif
