/* ELF files: the one place that reads them. Addresses are those in the file. */
#ifndef TSCAP_ELF_FILE_H
#define TSCAP_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    void *elf; /* libelf's: holds all names */
    unsigned machine; /* e_machine */
    bool is_64_bit;
};

/* Of a descriptor, which stays open until all is read that is wanted. 0; -ENOEXEC: not an ELF file; -ENOSYS. */
int elf_file_open(struct elf_file *e, int fd);
void elf_file_keep(struct elf_file *e); /* the descriptor may be closed: what was read stays */
void elf_file_close(struct elf_file *e);

enum elf_segment_kind { ELF_SEGMENT_OTHER, ELF_SEGMENT_LOADED, ELF_SEGMENT_UNWIND_HEADER };

struct elf_segment {
    enum elf_segment_kind kind;
    bool writable;
    uint64_t offset, address, file_size;
};
bool elf_file_segment(const struct elf_file *e, size_t n, struct elf_segment *s); /* false: there are not so many */

/* Hexadecimal; "": it has none. */
void elf_file_build_id(const struct elf_file *e, char *buffer, size_t size);

struct elf_section {
    uint64_t address;
    const char *bytes; /* as in the file; NULL: none */
    size_t size;
};
bool elf_file_section(const struct elf_file *e, const char *name, struct elf_section *s);

/* One that the file defines. */
struct elf_symbol {
    const char *name;
    uint64_t address, size;
    bool code, data;
    bool exported;    /* in .dynsym */
    unsigned section; /* its number */
};
enum elf_names { ELF_EXPORTED, ELF_ALL }; /* .dynsym, or .symtab as well */
typedef int elf_visit(void *context, const struct elf_symbol *s);

/* 0, or what `visit` returned that was not 0: that ends it. */
int elf_file_symbols(const struct elf_file *e, enum elf_names names, elf_visit *visit, void *context);

/* The bytes that a variable begins with. NULL: none in the file. */
const void *elf_file_initial_value(const struct elf_file *e, const struct elf_symbol *s, size_t size);

#endif
