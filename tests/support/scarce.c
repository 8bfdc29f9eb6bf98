/* LD_PRELOAD: an allocator that fails when it is told to, for one library alone. What the interpreter asks for is not touched. glibc. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static uintptr_t low, high; /* the library's */
static _Atomic long asked, failing = -1;

static int look_for(struct dl_phdr_info *library, size_t size, void *name)
{
    (void)size;
    if (!strstr(library->dlpi_name, name))
        return 0;
    low = library->dlpi_addr;
    for (int i = 0; i < library->dlpi_phnum; i++)
        if (library->dlpi_phdr[i].p_type == PT_LOAD)
            high = low + library->dlpi_phdr[i].p_vaddr + library->dlpi_phdr[i].p_memsz;
    return 1;
}

/* 1: the library whose path has this in it is watched; 0: there is none. */
int scarce_watch(char *name) { return dl_iterate_phdr(look_for, name); }

/* Of what it asks for from now on the n-th fails, from 0; -1: none. */
void scarce_fail(long n)
{
    atomic_store(&asked, 0);
    atomic_store(&failing, n);
}

long scarce_asked(void) { return atomic_load(&asked); }

static int fails(const void *caller)
{
    if ((uintptr_t)caller < low || (uintptr_t)caller >= high || atomic_fetch_add(&asked, 1) != atomic_load(&failing))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size); }
void *realloc(void *p, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size); }
