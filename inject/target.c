#include "target.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "elf_file.h"
#include "maps.h"
#include "process.h"

/* ---- one ELF file ---- */

/* What kind of CPython is in it, if any. */
struct build {
    bool python, debug, free_threaded, is_64_bit;
    uint32_t version;
    unsigned machine;
};

struct examination {
    const struct elf_file *file;
    struct build *build;
};

/* `const unsigned long Py_Version`, since 3.11. */
static void look_at_version(const struct examination *x, const struct elf_symbol *s)
{
    unsigned long version;
    const void *value = elf_file_initial_value(x->file, s, sizeof version);
    if (value) {
        memcpy(&version, value, sizeof version);
        x->build->version = (uint32_t)version;
    }
}

static int look_at_symbol(void *context, const struct elf_symbol *s)
{
    const struct examination *x = context;
    if (strcmp(s->name, "_PyRuntime") == 0)
        x->build->python = true;
    if (strcmp(s->name, "_Py_NegativeRefcount") == 0)
        x->build->debug = true; /* exported only by builds with --with-pydebug */
    if (strcmp(s->name, "_Py_DecRefShared") == 0)
        x->build->free_threaded = true; /* and by those with --disable-gil */
    if (strcmp(s->name, "Py_Version") == 0)
        look_at_version(x, s);
    return 0;
}

/* ---- the version of a Python that has no Py_Version: by the texts it carries ---- */

static const char *find_text(const char *begin, const char *end, const char *text)
{
    return begin < end ? memmem(begin, (size_t)(end - begin), text, strlen(text)) : NULL;
}

/* Digits at *p, which go ahead; at most three of them. False: none. */
static bool read_number(const char **p, const char *end, unsigned *number)
{
    const char *begin = *p;
    *number = 0;
    for (; *p < end && isdigit((unsigned char)**p) && *p - begin < 3; ++*p)
        *number = *number * 10 + (unsigned)(**p - '0');
    return *p > begin;
}

/* "python3.9", the name of its library folder, at the end of a text or before a slash: the minor version; 0: not found. */
static unsigned find_minor(const char *begin, const char *end)
{
    static const char lead[] = "python3.";
    unsigned minor;
    for (const char *p = begin; (p = find_text(p, end, lead));) {
        p += sizeof lead - 1;
        if (read_number(&p, end, &minor) && p < end && (*p == '\0' || *p == '/'))
            return minor;
    }
    return 0;
}

/* "3.9.18" at the end of a text, which may be that of a path: linkers merge texts that end alike. 0: not found. */
static unsigned find_micro(const char *begin, const char *end, unsigned minor)
{
    char lead[16];
    unsigned micro;
    snprintf(lead, sizeof lead, "3.%u.", minor);
    for (const char *p = begin; (p = find_text(p, end, lead));) {
        bool whole = p == begin || (!isdigit((unsigned char)p[-1]) && p[-1] != '.');
        p += strlen(lead);
        if (read_number(&p, end, &micro) && whole && p < end && *p == '\0')
            return micro;
    }
    return 0;
}

static uint32_t version_by_texts(const struct elf_section *texts)
{
    const char *begin = texts->bytes, *end = begin + texts->size;
    unsigned minor = find_minor(begin, end);
    return minor ? 0x030000f0u | minor << 16 | find_micro(begin, end, minor) << 8 : 0;
}

/* ---- all of the file ---- */

static void examine(struct build *build, const struct elf_file *file)
{
    struct elf_section section;
    struct examination x = {file, build};
    build->machine = file->machine;
    build->is_64_bit = file->is_64_bit;
    if (elf_file_section(file, ".PyRuntime", &section))
        build->python = true; /* since 3.10; stays when symbols are stripped */
    elf_file_symbols(file, ELF_ALL, look_at_symbol, &x);
    if (build->python && !build->version && elf_file_section(file, ".rodata", &section) && section.bytes)
        build->version = version_by_texts(&section);
}

static int open_regular(const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        return fd;
    close(fd);
    return -ENOEXEC;
}

static int examine_file(struct build *build, const char *path)
{
    struct elf_file file;
    int fd = open_regular(path);
    *build = (struct build){0};
    if (fd < 0)
        return fd;
    int r = elf_file_open(&file, fd);
    if (r == 0) {
        examine(build, &file);
        elf_file_close(&file);
    }
    close(fd);
    return r;
}

int target_examine_file(const char *path, bool *python, uint32_t *version)
{
    struct build build;
    int r = examine_file(&build, path);
    *python = build.python;
    *version = build.version;
    return r;
}

bool target_file_machine(const char *path, unsigned *machine, bool *is_64_bit)
{
    struct elf_file file;
    int fd = open_regular(path);
    int r = fd < 0 ? fd : elf_file_open(&file, fd);
    if (r == 0) {
        *machine = file.machine;
        *is_64_bit = file.is_64_bit;
        elf_file_close(&file);
    }
    if (fd >= 0)
        close(fd);
    return r == 0;
}

/* ---- a process ---- */

static int open_proc(pid_t pid, const char *name, FILE **file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    *file = fopen(path, "re");
    if (*file)
        return 0;
    return errno == ENOENT ? -ESRCH : -errno;
}

/* Fields of stat from the third on, the state; the second, the name, may hold blanks and brackets. NULL: no such process. */
static const char *read_stat(pid_t pid, char *text, size_t size)
{
    FILE *file;
    if (open_proc(pid, "stat", &file) < 0)
        return NULL;
    size_t n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end + 2 : NULL;
}

/* A file as the process sees it: by its mapping, which leads to it even after it was deleted, but only for the
 * privileged; else by its path. */
static int examine_mapped(struct build *build, pid_t pid, const struct mapping *m)
{
    char by_range[128], by_root[TARGET_PATH + 64];
    snprintf(by_range, sizeof by_range, "/proc/%ld/map_files/%" PRIx64 "-%" PRIx64, (long)pid, m->begin, m->end);
    snprintf(by_root, sizeof by_root, "/proc/%ld/root%s", (long)pid, m->path);
    int r = examine_file(build, by_range);
    if (r == -EACCES || r == -EPERM || r == -ENOENT)
        r = examine_file(build, by_root);
    return r;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void take_build(struct target *t, const struct build *build)
{
    t->python = build->python;
    t->version = build->version;
    t->debug = build->debug;
    t->free_threaded = build->free_threaded;
    t->machine = build->machine;
    t->is_64_bit = build->is_64_bit;
}

static void look_at_library(struct target *t, pid_t pid, const struct mapping *m)
{
    struct build build;
    if (t->python || strncmp(base_name(m->path), "libpython", 9) != 0)
        return;
    if (examine_mapped(&build, pid, m) < 0 || !build.python)
        return;
    take_build(t, &build);
    snprintf(t->image, sizeof t->image, "%s", m->path);
}

#define EXTENSION "/timestamp_capture/_core"

/* "...cpython-314t-x86_64-linux-gnu.so": the letters after the version are the build's flags (PEP 3149). */
static void look_at_extension(struct target *t, const char *suffix)
{
    static const char tag[] = ".cpython-";
    t->loaded = true;
    if (strncmp(suffix, tag, sizeof tag - 1) != 0)
        return;
    suffix += sizeof tag - 1;
    t->free_threaded = suffix[strspn(suffix, "0123456789")] == 't';
}

static void look_at_mapping(struct target *t, pid_t pid, const struct mapping *m)
{
    const char *extension = strstr(m->path, EXTENSION);
    if (m->path[0] != '/')
        return;
    if (extension)
        look_at_extension(t, extension + sizeof EXTENSION - 1);
    look_at_library(t, pid, m);
}

static int look_at_mappings(struct target *t, pid_t pid)
{
    struct maps maps;
    int r = maps_read(&maps, pid);
    for (size_t i = 0; i < maps.count; i++)
        look_at_mapping(t, pid, &maps.mapping[i]);
    maps_free(&maps);
    return r;
}

/* The kernel's flags of a task, field 9 of stat. False: no such process. */
static bool read_flags(pid_t pid, unsigned *flags)
{
    char text[512];
    const char *rest = read_stat(pid, text, sizeof text);
    return rest && sscanf(rest, "%*c %*d %*d %*d %*d %*d %u", flags) == 1;
}

/* Those belong to no program. */
bool target_is_kernel_thread(pid_t pid)
{
    unsigned flags;
    return read_flags(pid, &flags) && flags & 0x00200000u; /* PF_KTHREAD */
}

bool target_is_ending(pid_t tid)
{
    unsigned flags;
    return !read_flags(tid, &flags) || flags & 0x4u; /* PF_EXITING */
}

/* exec(2) changes neither number nor start time. */
bool target_is_new(pid_t pid)
{
    unsigned flags;
    uint64_t began, tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    if (!read_flags(pid, &flags) || process_start_time(pid, &began) < 0)
        return false;
    return flags & 0x40u /* PF_FORKNOEXEC */ || clock_ns(CLOCK_BOOTTIME) < began * tick + TARGET_NEW_NS;
}

static int look_at_executable(struct target *t, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    ssize_t n = readlink(path, t->image, sizeof t->image - 1);
    if (n < 0 && errno == ENOENT)
        return target_is_kernel_thread(pid) ? 0 : -ESRCH; /* its memory is gone: it is about to end */
    if (n < 0)
        return -errno;
    t->image[n] = '\0';
    struct build build;
    int r = examine_file(&build, path);
    take_build(t, &build);
    return r == -ENOEXEC ? 0 : r;
}

int target_inspect(pid_t pid, struct target *t)
{
    *t = (struct target){0};
    if (!target_state(pid))
        return -ESRCH;
    int r = look_at_executable(t, pid);
    return r == 0 ? look_at_mappings(t, pid) : r;
}

void target_version(const struct target *t, char *buffer, size_t size)
{
    if (t->version)
        snprintf(buffer, size, "%u.%u.%u", t->version >> 24, t->version >> 16 & 0xff, t->version >> 8 & 0xff);
    else if (size)
        *buffer = '\0';
}

int target_environment(pid_t pid, const char *name, char *buffer, size_t size)
{
    FILE *file;
    char *entry = NULL;
    size_t room = 0, length = strlen(name);
    int r = open_proc(pid, "environ", &file);
    if (r < 0)
        return r;
    r = -ENOENT;
    while (r == -ENOENT && getdelim(&entry, &room, '\0', file) >= 0)
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            r = snprintf(buffer, size, "%s", entry + length + 1) < (int)size ? 0 : -ENAMETOOLONG;
    free(entry);
    fclose(file);
    return r;
}

char target_state(pid_t pid)
{
    char text[512];
    const char *rest = read_stat(pid, text, sizeof text);
    return rest ? *rest : 0;
}

bool target_has_ended(pid_t pid)
{
    char path[64], text[2], state = target_state(pid);
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    if (!state || state == 'Z' || state == 'X')
        return true;
    return readlink(path, text, sizeof text) < 0 && errno == ENOENT && !target_is_kernel_thread(pid);
}
