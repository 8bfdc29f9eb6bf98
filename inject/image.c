#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
static bool find_bias(struct image *i, Elf *elf, const struct mapping *m)
{
    size_t count = 0;
    GElf_Phdr p;
    elf_getphdrnum(elf, &count);
    for (size_t k = 0; k < count; k++) {
        if (!gelf_getphdr(elf, (int)k, &p) || p.p_type != PT_LOAD)
            continue;
        uint64_t first = p.p_offset & ~PAGE_MASK;
        if (m->offset >= first && m->offset < p.p_offset + p.p_filesz) {
            i->bias = m->begin - ((p.p_vaddr & ~PAGE_MASK) + (m->offset - first));
            return true;
        }
    }
    return false;
}

static void note_build_id(struct image *i, Elf *elf, const GElf_Phdr *p)
{
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_NHDR);
    GElf_Nhdr note;
    size_t name, text, offset = 0;
    while (data && (offset = gelf_getnote(data, offset, &note, &name, &text)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
            continue;
        for (size_t k = 0; k < note.n_descsz && k < IMAGE_BUILD_ID / 2; k++)
            snprintf(i->build_id + 2 * k, 3, "%02x", ((uint8_t *)data->d_buf)[text + k]);
    }
}

static void look_at_segments(struct image *i, Elf *elf)
{
    size_t count = 0;
    GElf_Phdr p;
    elf_getphdrnum(elf, &count);
    for (size_t k = 0; k < count; k++) {
        if (!gelf_getphdr(elf, (int)k, &p))
            continue;
        if (p.p_type == PT_GNU_EH_FRAME)
            i->unwind_header = i->bias + p.p_vaddr;
        else if (p.p_type == PT_NOTE)
            note_build_id(i, elf, &p);
    }
}

/* ---- its symbols ---- */

static bool is_wanted(const GElf_Sym *s)
{
    unsigned type = GELF_ST_TYPE(s->st_info);
    return s->st_shndx != SHN_UNDEF && s->st_value && (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC);
}

static int take_symbols(struct image *i, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    GElf_Sym s;
    struct image_symbol *more = realloc(i->symbol, (i->symbols + count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    i->symbol = more;
    for (size_t k = 0; k < count && gelf_getsym(data, (int)k, &s); k++) {
        const char *name = is_wanted(&s) ? elf_strptr(elf, header->sh_link, s.st_name) : NULL;
        if (name)
            i->symbol[i->symbols++] = (struct image_symbol){.address = i->bias + s.st_value,
                                                            .size = s.st_size,
                                                            .name = name,
                                                            .code = GELF_ST_TYPE(s.st_info) != STT_OBJECT,
                                                            .exported = header->sh_type == SHT_DYNSYM};
    }
    return 0;
}

static int compare_symbols(const void *a, const void *b)
{
    const struct image_symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return (x->exported < y->exported) - (x->exported > y->exported);
}

static int look_at_sections(struct image *i, Elf *elf, enum image_names names)
{
    GElf_Shdr header;
    size_t texts;
    int r = 0;
    bool named = elf_getshdrstrndx(elf, &texts) == 0;
    for (Elf_Scn *section = NULL; r == 0 && (section = elf_nextscn(elf, section));) {
        if (!gelf_getshdr(section, &header))
            continue;
        const char *name = named ? elf_strptr(elf, texts, header.sh_name) : NULL;
        if (name && strcmp(name, ".PyRuntime") == 0)
            i->python_runtime = i->bias + header.sh_addr;
        if (header.sh_type == SHT_DYNSYM || (header.sh_type == SHT_SYMTAB && names == IMAGE_ALL))
            r = take_symbols(i, elf, section, &header);
    }
    if (i->symbols)
        qsort(i->symbol, i->symbols, sizeof *i->symbol, compare_symbols);
    return r;
}

static int look_at_elf(struct image *i, Elf *elf, const struct mapping *m, enum image_names names)
{
    GElf_Ehdr header;
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || !find_bias(i, elf, m))
        return -ENOEXEC;
    i->machine = header.e_machine;
    i->is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
    look_at_segments(i, elf);
    return look_at_sections(i, elf, names);
}

static void close_image(struct image *i)
{
    elf_end(i->elf);
    free(i->symbol);
    free(i->kept);
    *i = (struct image){0};
}

static int open_image(struct image *i, pid_t pid, const struct mapping *m, enum image_names names)
{
    *i = (struct image){.path = m->path, .device = m->device, .inode = m->inode, .begin = m->begin, .end = m->end};
    int fd = image_open_mapped(pid, m);
    if (fd < 0)
        return fd;
    i->elf = elf_begin(fd, ELF_C_READ, NULL);
    int r = look_at_elf(i, i->elf, m, names);
    elf_cntl(i->elf, ELF_C_FDDONE); /* what is needed of it has been read */
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

static int add_image(struct images *i, const struct mapping *m, enum image_names names)
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

int images_read(struct images *i, pid_t pid, enum image_names names)
{
    *i = (struct images){.pid = pid};
    if (elf_version(EV_CURRENT) == EV_NONE)
        return -ENOSYS;
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
    size_t count = 0;
    GElf_Phdr p;
    elf_getphdrnum(i->elf, &count);
    for (size_t k = 0; k < count && i->unwind_header && !i->kept; k++) {
        if (!gelf_getphdr(i->elf, (int)k, &p) || p.p_type != PT_LOAD || p.p_flags & PF_W || p.p_filesz > KEPT_MAX)
            continue;
        if (i->unwind_header - i->bias - p.p_vaddr >= p.p_filesz)
            continue;
        /* From the process: what it runs is what its memory says, not what the file says by now. */
        i->kept = malloc(p.p_filesz);
        if (i->kept && remote_read(pid, i->bias + p.p_vaddr, i->kept, p.p_filesz) == 0) {
            i->kept_begin = i->bias + p.p_vaddr;
            i->kept_end = i->kept_begin + p.p_filesz;
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
