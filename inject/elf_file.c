#include "elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>

int elf_file_open(struct elf_file *e, int fd)
{
    GElf_Ehdr header;
    *e = (struct elf_file){0};
    if (elf_version(EV_CURRENT) == EV_NONE)
        return -ENOSYS;
    e->elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &header)) {
        elf_file_close(e);
        return -ENOEXEC;
    }
    e->machine = header.e_machine;
    e->is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
    return 0;
}

void elf_file_keep(struct elf_file *e) { elf_cntl(e->elf, ELF_C_FDDONE); }

void elf_file_close(struct elf_file *e)
{
    elf_end(e->elf);
    *e = (struct elf_file){0};
}

/* ---- segments ---- */

static bool read_segment(const struct elf_file *e, size_t n, GElf_Phdr *p)
{
    size_t count = 0;
    return elf_getphdrnum(e->elf, &count) == 0 && n < count && gelf_getphdr(e->elf, (int)n, p);
}

bool elf_file_segment(const struct elf_file *e, size_t n, struct elf_segment *s)
{
    GElf_Phdr p;
    if (!read_segment(e, n, &p))
        return false;
    *s = (struct elf_segment){.writable = p.p_flags & PF_W, .offset = p.p_offset, .address = p.p_vaddr, .file_size = p.p_filesz};
    if (p.p_type == PT_LOAD)
        s->kind = ELF_SEGMENT_LOADED;
    else if (p.p_type == PT_GNU_EH_FRAME)
        s->kind = ELF_SEGMENT_UNWIND_HEADER;
    return true;
}

static void find_build_id(const struct elf_file *e, const GElf_Phdr *p, char *buffer, size_t size)
{
    Elf_Data *data = elf_getdata_rawchunk(e->elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_NHDR);
    GElf_Nhdr note;
    size_t name, text, offset = 0;
    while (data && (offset = gelf_getnote(data, offset, &note, &name, &text)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
            continue;
        for (size_t k = 0; k < note.n_descsz && 2 * k + 2 < size; k++)
            snprintf(buffer + 2 * k, 3, "%02x", ((uint8_t *)data->d_buf)[text + k]);
    }
}

void elf_file_build_id(const struct elf_file *e, char *buffer, size_t size)
{
    GElf_Phdr p;
    buffer[0] = '\0';
    for (size_t n = 0; read_segment(e, n, &p); n++)
        if (p.p_type == PT_NOTE)
            find_build_id(e, &p, buffer, size);
}

/* ---- sections ---- */

static bool is_named(const struct elf_file *e, const GElf_Shdr *header, const char *name)
{
    size_t names;
    const char *own = elf_getshdrstrndx(e->elf, &names) == 0 ? elf_strptr(e->elf, names, header->sh_name) : NULL;
    return own && strcmp(own, name) == 0;
}

bool elf_file_section(const struct elf_file *e, const char *name, struct elf_section *s)
{
    GElf_Shdr header;
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(e->elf, section)))
        if (gelf_getshdr(section, &header) && is_named(e, &header, name))
            break;
    if (!section)
        return false;
    Elf_Data *data = elf_rawdata(section, NULL);
    *s = (struct elf_section){.address = header.sh_addr, .bytes = data ? data->d_buf : NULL, .size = data && data->d_buf ? data->d_size : 0};
    return true;
}

/* ---- symbols ---- */

static int visit_section(const struct elf_file *e, Elf_Scn *section, const GElf_Shdr *header, elf_visit *visit, void *context)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Sym s;
    int r = 0;
    for (int k = 0; r == 0 && data && gelf_getsym(data, k, &s); k++) {
        const char *name = s.st_shndx != SHN_UNDEF ? elf_strptr(e->elf, header->sh_link, s.st_name) : NULL;
        unsigned type = GELF_ST_TYPE(s.st_info);
        const struct elf_symbol symbol = {.name = name,
                                          .address = s.st_value,
                                          .size = s.st_size,
                                          .code = type == STT_FUNC || type == STT_GNU_IFUNC,
                                          .data = type == STT_OBJECT,
                                          .exported = header->sh_type == SHT_DYNSYM,
                                          .section = s.st_shndx};
        if (name)
            r = visit(context, &symbol);
    }
    return r;
}

int elf_file_symbols(const struct elf_file *e, enum elf_names names, elf_visit *visit, void *context)
{
    GElf_Shdr header;
    int r = 0;
    for (Elf_Scn *section = NULL; r == 0 && (section = elf_nextscn(e->elf, section));) {
        if (!gelf_getshdr(section, &header))
            continue;
        if (header.sh_type == SHT_DYNSYM || (header.sh_type == SHT_SYMTAB && names == ELF_ALL))
            r = visit_section(e, section, &header, visit, context);
    }
    return r;
}

const void *elf_file_initial_value(const struct elf_file *e, const struct elf_symbol *s, size_t size)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_getscn(e->elf, s->section);
    if (!section || !gelf_getshdr(section, &header) || header.sh_type != SHT_PROGBITS || s->address < header.sh_addr)
        return NULL;
    Elf_Data *data = elf_rawdata(section, NULL);
    uint64_t offset = s->address - header.sh_addr;
    if (!data || !data->d_buf || data->d_size < size || offset > data->d_size - size)
        return NULL;
    return (const char *)data->d_buf + offset;
}
