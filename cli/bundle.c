#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE_MAX (16u << 20)
#define ENTRY_BYTES 46u
#define NAME "timestamp_capture/%s"

/* Headers of the ZIP format, of members that are stored as they are; offsets count from the archive's own beginning. */
struct archive {
    FILE *file;
    uint8_t *directory; /* entries so far */
    size_t directory_bytes;
    unsigned members;
    uint32_t used;
};

static size_t put(uint8_t *out, size_t at, unsigned bytes, uint32_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        out[at + i] = (uint8_t)(value >> 8 * i);
    return at + bytes;
}

static uint32_t checksum(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

/* What both headers of a member have in common: from the version needed to the length of extra fields. */
static size_t put_facts(uint8_t *out, size_t at, const char *name, uint32_t crc, uint32_t size)
{
    at = put(out, at, 2, 20);
    at = put(out, at, 4, 0); /* flags, method: stored */
    at = put(out, at, 2, 0);
    at = put(out, at, 2, 1 << 5 | 1); /* the first day that it knows */
    at = put(out, at, 4, crc);
    at = put(out, at, 4, size);
    at = put(out, at, 4, size);
    at = put(out, at, 2, (uint32_t)strlen(name));
    return put(out, at, 2, 0);
}

static int add_to_directory(struct archive *a, const char *name, uint32_t crc, uint32_t size)
{
    size_t n = strlen(name);
    uint8_t *more = realloc(a->directory, a->directory_bytes + ENTRY_BYTES + n);
    if (!more)
        return -ENOMEM;
    a->directory = more;
    uint8_t *entry = more + a->directory_bytes;
    memset(entry, 0, ENTRY_BYTES);
    size_t at = put(entry, 0, 4, 0x02014b50);
    at = put(entry, at, 2, 20);
    put_facts(entry, at, name, crc, size);
    put(entry, ENTRY_BYTES - 4, 4, a->used);
    memcpy(entry + ENTRY_BYTES, name, n);
    a->directory_bytes += ENTRY_BYTES + n;
    a->members++;
    return 0;
}

static int add_member(struct archive *a, const char *name, const uint8_t *data, uint32_t size)
{
    uint8_t header[30];
    uint32_t crc = checksum(data, size);
    int r = add_to_directory(a, name, crc, size);
    put_facts(header, put(header, 0, 4, 0x04034b50), name, crc, size);
    fwrite(header, sizeof header, 1, a->file);
    fwrite(name, strlen(name), 1, a->file);
    fwrite(data, size, 1, a->file);
    a->used += (uint32_t)(sizeof header + strlen(name)) + size;
    return r;
}

static void end_archive(struct archive *a)
{
    uint8_t end[22] = {0};
    put(end, 0, 4, 0x06054b50);
    put(end, 8, 2, a->members);
    put(end, 10, 2, a->members);
    put(end, 12, 4, (uint32_t)a->directory_bytes);
    put(end, 16, 4, a->used);
    fwrite(a->directory, a->directory_bytes, 1, a->file);
    fwrite(end, sizeof end, 1, a->file);
}

/* ---- files ---- */

static int add_module(struct archive *a, const char *path)
{
    char name[NAME_MAX + sizeof NAME];
    snprintf(name, sizeof name, NAME, strrchr(path, '/') + 1);
    FILE *module = fopen(path, "re");
    if (!module)
        return -errno;
    uint8_t *data = malloc(MODULE_MAX);
    size_t n = data ? fread(data, 1, MODULE_MAX, module) : 0;
    bool whole = data && feof(module);
    int r = whole ? add_member(a, name, data, (uint32_t)n) : data ? -EFBIG : -ENOMEM;
    free(data);
    fclose(module);
    return r;
}

static int add_modules(struct archive *a, const char *package)
{
    char pattern[PATH_MAX + 8];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.py", package);
    if (glob(pattern, 0, NULL, &found) != 0)
        return -ENOENT;
    int r = 0;
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
        r = add_module(a, found.gl_pathv[i]);
    globfree(&found);
    if (r == 0)
        end_archive(a);
    return r;
}

static int add_archive(int fd, const char *package)
{
    struct archive a = {.file = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "w")};
    if (!a.file)
        return -ENOMEM;
    int r = add_modules(&a, package);
    free(a.directory);
    return fclose(a.file) == 0 ? r : -ENOSPC;
}

static int copy_library(int to, const char *library)
{
    int from = open(library, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (from < 0)
        return -errno;
    while ((n = sendfile(to, from, NULL, 1u << 30)) > 0)
        ;
    int r = n < 0 ? -errno : 0;
    close(from);
    return r;
}

int bundle_make(const char *package, const char *library)
{
    int fd = memfd_create("tscap", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = copy_library(fd, library);
    if (r == 0)
        r = add_archive(fd, package);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}
