#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "array.h"
#include "remote.h"

#define IMAGES_MAX 8192
#define KEPT_MAX (64u << 20) /* bytes */
#define PAGE_MASK 4095ull

/* ---- files as the process sees them ---- */

static int open_checked(const char *path, const struct mapping *m)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && (!m || s.st_ino == m->inode))
        return fd;
    close(fd);
    return -ESTALE;
}

int image_open_mapped(pid_t pid, const struct mapping *m)
{
    char path[4096 + 64];
    snprintf(path, sizeof path, "/proc/%ld/map_files/%lx-%lx", (long)pid, (unsigned long)m->begin, (unsigned long)m->end);
    int fd = open_checked(path, NULL);
    if (fd < 0) {
        snprintf(path, sizeof path, "/proc/%ld/root%s", (long)pid, m->path);
        fd = open_checked(path, m);
    }
    return fd < 0 ? open_checked(m->path, m) : fd;
}

/* ---- one file ---- */

/* The distance between where a file says its parts belong and where they are. The mapping that begins a segment may begin
 * before it, at the page; one of several mappings of a segment begins within it. */
static bool find_bias(struct image *i, const struct mapping *m)
{
    struct elf_segment s;
    for (size_t k = 0; elf_file_segment(&i->file, k, &s); k++) {
        uint64_t first = s.offset & ~PAGE_MASK;
        if (s.kind == ELF_SEGMENT_LOADED && m->offset >= first && m->offset < s.offset + s.file_size) {
            i->bias = m->begin - ((s.address & ~PAGE_MASK) + (m->offset - first));
            return true;
        }
    }
    return false;
}

static void look_at_segments(struct image *i)
{
    struct elf_segment s;
    for (size_t k = 0; elf_file_segment(&i->file, k, &s); k++)
        if (s.kind == ELF_SEGMENT_UNWIND_HEADER)
            i->unwind_header = i->bias + s.address;
    elf_file_build_id(&i->file, i->build_id, sizeof i->build_id);
}

/* ---- its symbols ---- */

static int take_symbol(void *image, const struct elf_symbol *s)
{
    struct image *i = image;
    if (!s->address || (!s->code && !s->data))
        return 0;
    struct image_symbol *more = array_room(i->symbol, i->symbols, &i->room, sizeof *more);
    if (!more)
        return -ENOMEM;
    i->symbol = more;
    i->symbol[i->symbols++] =
        (struct image_symbol){.address = i->bias + s->address, .size = s->size, .name = s->name, .code = s->code, .exported = s->exported};
    return 0;
}

static int compare_symbols(const void *a, const void *b)
{
    const struct image_symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return (x->exported < y->exported) - (x->exported > y->exported);
}

static int look_at_names(struct image *i, enum elf_names names)
{
    struct elf_section runtime;
    if (elf_file_section(&i->file, ".PyRuntime", &runtime))
        i->python_runtime = i->bias + runtime.address;
    int r = elf_file_symbols(&i->file, names, take_symbol, i);
    if (i->symbols)
        qsort(i->symbol, i->symbols, sizeof *i->symbol, compare_symbols);
    return r;
}

static int look_at_file(struct image *i, int fd, const struct mapping *m, enum elf_names names)
{
    int r = elf_file_open(&i->file, fd);
    if (r < 0)
        return r;
    if (!find_bias(i, m))
        return -ENOEXEC;
    look_at_segments(i);
    r = look_at_names(i, names);
    elf_file_keep(&i->file);
    return r;
}

static void close_image(struct image *i)
{
    elf_file_close(&i->file);
    free(i->symbol);
    free(i->kept);
    *i = (struct image){0};
}

static int open_image(struct image *i, pid_t pid, const struct mapping *m, enum elf_names names)
{
    *i = (struct image){.path = m->path, .device = m->device, .inode = m->inode, .begin = m->begin, .end = m->end};
    int fd = image_open_mapped(pid, m);
    if (fd < 0)
        return fd;
    int r = look_at_file(i, fd, m, names);
    close(fd);
    if (r < 0)
        close_image(i);
    return r;
}

/* ---- all of them ---- */

static bool same_file(const struct image *i, const struct mapping *m) { return i->inode == m->inode && i->device == m->device; }

static bool begins_as_elf(pid_t pid, const struct mapping *m)
{
    char magic[SELFMAG];
    return remote_read(pid, m->begin, magic, sizeof magic) == 0 && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static bool may_be_image(const struct mapping *m) { return m->inode && m->path[0] == '/' && m->readable; }

/* The mappings of a file follow each other, but for memory between them that is nobody's. A file that is mapped twice
 * (dlmopen) is two images. */
static bool belongs_to_last(const struct images *i, const struct mapping *m)
{
    return i->count && same_file(&i->image[i->count - 1], m) && !begins_as_elf(i->pid, m);
}

static int add_image(struct images *i, const struct mapping *m, enum elf_names names)
{
    struct image *more = realloc(i->image, (i->count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    i->image = more;
    int r = open_image(&i->image[i->count], i->pid, m, names);
    if (r == 0)
        i->count++;
    else if (r != -ENOEXEC && r != -ENOMEM)
        i->unreadable++;
    return r == -ENOMEM ? r : 0;
}

int images_read(struct images *i, pid_t pid, enum elf_names names)
{
    *i = (struct images){.pid = pid};
    int r = maps_read(&i->maps, pid);
    for (size_t k = 0; r == 0 && k < i->maps.count && i->count < IMAGES_MAX; k++) {
        const struct mapping *m = &i->maps.mapping[k];
        if (!may_be_image(m))
            continue;
        if (belongs_to_last(i, m))
            i->image[i->count - 1].end = m->end;
        else if (begins_as_elf(pid, m))
            r = add_image(i, m, names);
    }
    if (r < 0)
        images_free(i);
    return r;
}

void images_free(struct images *i)
{
    for (size_t k = 0; k < i->count; k++)
        close_image(&i->image[k]);
    free(i->image);
    maps_free(&i->maps);
    *i = (struct images){0};
}

/* ---- looking things up ---- */

struct image *images_find(const struct images *i, uint64_t address)
{
    for (size_t k = 0; k < i->count; k++)
        if (address >= i->image[k].begin && address < i->image[k].end)
            return &i->image[k];
    return NULL;
}

uint64_t image_symbol(const struct image *i, const char *name)
{
    for (size_t k = 0; k < i->symbols; k++)
        if (strcmp(i->symbol[k].name, name) == 0)
            return i->symbol[k].address;
    return 0;
}

uint64_t images_symbol(const struct images *i, const char *name, struct image **image)
{
    for (size_t k = 0; k < i->count; k++) {
        uint64_t address = image_symbol(&i->image[k], name);
        if (address) {
            if (image)
                *image = &i->image[k];
            return address;
        }
    }
    return 0;
}

/* Symbols may nest and share addresses: of those that begin last before it, one that reaches so far. */
const struct image_symbol *image_symbol_at(const struct image *i, uint64_t address)
{
    size_t low = 0, high = i->symbols;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (i->symbol[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t tries = 16; low > 0 && tries > 0; tries--) {
        const struct image_symbol *s = &i->symbol[--low];
        if (s->code && address - s->address < (s->size ? s->size : 1))
            return s;
    }
    return NULL;
}

const char *image_name(const struct image *i)
{
    const char *slash = strrchr(i->path, '/');
    return slash ? slash + 1 : i->path;
}

/* ---- what unwinding reads ---- */

void image_keep_unwind(struct image *i, pid_t pid)
{
    struct elf_segment s;
    for (size_t k = 0; i->unwind_header && !i->kept && elf_file_segment(&i->file, k, &s); k++) {
        if (s.kind != ELF_SEGMENT_LOADED || s.writable || s.file_size > KEPT_MAX || i->unwind_header - i->bias - s.address >= s.file_size)
            continue;
        /* From the process: what it runs is what its memory says, not what the file says by now. */
        i->kept = malloc(s.file_size);
        if (i->kept && remote_read(pid, i->bias + s.address, i->kept, s.file_size) == 0) {
            i->kept_begin = i->bias + s.address;
            i->kept_end = i->kept_begin + s.file_size;
        } else {
            free(i->kept);
            i->kept = NULL;
            return;
        }
    }
}

struct unwind_table image_unwind_table(const struct image *i)
{
    return (struct unwind_table){.bytes = i->kept, .begin = i->kept_begin, .end = i->kept_end, .header = i->unwind_header};
}
