#include "stack.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "remote.h"
#include "unwind_table.h"

/* libunwind-ptrace's own accessors ask word by word, and open the paths of /proc/PID/maps in our mount namespace. */

#define PAGE 4096u
#define PAGES 64

struct page {
    uint64_t address; /* 1: none */
    uint8_t bytes[PAGE];
};

struct unwinder {
    struct images *images;
    unw_addr_space_t space;
    struct user_regs_struct registers;
    struct image *last;
    struct page page[PAGES]; /* of what changes: stacks */
};

/* From libunwind, for those who bring their own accessors (perf does): in no header of it. */
#ifdef __x86_64__
#define search_table _Ux86_64_dwarf_search_unwind_table
#else
#define search_table _Uaarch64_dwarf_search_unwind_table
#endif
extern int search_table(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *);

static struct image *image_of(struct unwinder *u, uint64_t address)
{
    if (!u->last || address < u->last->begin || address >= u->last->end)
        u->last = images_find(u->images, address);
    return u->last;
}

/* ---- memory ---- */

static const uint8_t *page_at(struct unwinder *u, uint64_t address)
{
    struct page *p = &u->page[address / PAGE % PAGES];
    if (p->address != address) {
        p->address = 1;
        if (remote_read(u->images->pid, address, p->bytes, PAGE) < 0)
            return NULL;
        p->address = address;
    }
    return p->bytes;
}

static bool read_kept(const struct image *i, uint64_t address, void *buffer, size_t size)
{
    if (!i || !i->kept || address < i->kept_begin || address > i->kept_end || i->kept_end - address < size)
        return false;
    memcpy(buffer, i->kept + (address - i->kept_begin), size);
    return true;
}

static int read_memory(struct unwinder *u, uint64_t address, void *buffer, size_t size)
{
    if (read_kept(image_of(u, address), address, buffer, size))
        return 0;
    if (address % PAGE > PAGE - size)
        return remote_read(u->images->pid, address, buffer, size);
    const uint8_t *page = page_at(u, address - address % PAGE);
    if (!page)
        return -1;
    memcpy(buffer, page + address % PAGE, size);
    return 0;
}

/* ---- what libunwind asks ---- */

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *context)
{
    (void)space;
    return write || read_memory(context, address, value, sizeof *value) < 0 ? -UNW_EINVAL : 0;
}

static int find_procedure(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need, void *context)
{
    struct unwinder *u = context;
    struct unwind_header h;
    struct image *i = image_of(u, ip);
    if (!i || !i->unwind_header || read_memory(u, i->unwind_header, &h, sizeof h) < 0)
        return -UNW_ENOINFO;
    if (!unwind_header_is_known(&h))
        return -UNW_ENOINFO;
    unw_dyn_info_t table = {.format = UNW_INFO_FORMAT_REMOTE_TABLE, .start_ip = i->begin, .end_ip = i->end};
    table.u.rti.segbase = i->unwind_header;
    table.u.rti.table_data = i->unwind_header + sizeof h;
    table.u.rti.table_len = (unw_word_t)h.entry_count * 8 / sizeof(unw_word_t);
    return search_table(space, ip, &table, info, need, context);
}

static void put_procedure(unw_addr_space_t space, unw_proc_info_t *info, void *context)
{
    (void)space, (void)context;
    free(info->unwind_info);
    info->unwind_info = NULL;
}

static int find_dynamic(unw_addr_space_t space, unw_word_t *list, void *context)
{
    (void)space, (void)list, (void)context;
    return -UNW_ENOINFO;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write, void *context)
{
    struct unwinder *u = context;
    const unsigned long long *place = arch_unwind_register(&u->registers, number);
    (void)space;
    if (write || !place)
        return -UNW_EBADREG;
    *value = *place;
    return 0;
}

static int access_float(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write, void *context)
{
    (void)space, (void)number, (void)value, (void)write, (void)context;
    return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *context)
{
    (void)space, (void)cursor, (void)context;
    return -UNW_EINVAL;
}

static int procedure_name(unw_addr_space_t space, unw_word_t address, char *buffer, size_t size, unw_word_t *offset, void *context)
{
    (void)space, (void)address, (void)buffer, (void)size, (void)offset, (void)context;
    return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
    .find_proc_info = find_procedure,
    .put_unwind_info = put_procedure,
    .get_dyn_info_list_addr = find_dynamic,
    .access_mem = access_memory,
    .access_reg = access_register,
    .access_fpreg = access_float,
    .resume = resume,
    .get_proc_name = procedure_name,
};

struct unwinder *unwinder_new(struct images *images)
{
    struct unwinder *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->images = images;
    u->space = unw_create_addr_space(&accessors, 0);
    if (!u->space) {
        free(u);
        return NULL;
    }
    unw_set_caching_policy(u->space, UNW_CACHE_GLOBAL);
    return u;
}

void unwinder_delete(struct unwinder *u)
{
    if (!u)
        return;
    unw_destroy_addr_space(u->space);
    free(u);
}

/* ---- walking ---- */

/* On x86-64 libunwind makes up a procedure of one byte for code that it knows nothing of. */
static bool has_table(unw_cursor_t *c)
{
    unw_proc_info_t info;
    return unw_get_proc_info(c, &info) == 0 && info.end_ip > info.start_ip + 1;
}

/* A step that yields nothing means "no caller" only where a table said so. */
static bool step(unw_cursor_t *c, enum stack_end *end)
{
    bool known = has_table(c);
    int r = known ? unw_step(c) : 0;
    unw_word_t ip = 0;
    if (r > 0 && unw_get_reg(c, UNW_REG_IP, &ip) == 0 && ip)
        return true;
    *end = r < 0 ? STACK_BROKEN : known ? STACK_BOTTOM : STACK_NO_TABLE;
    return false;
}

/* A caller's address is behind its call, which may be its function's last instruction. */
static void read_frame(struct unwinder *u, unw_cursor_t *c, bool exact, struct stack_frame *f)
{
    unw_word_t ip = 0, sp = 0;
    unw_get_reg(c, UNW_REG_IP, &ip);
    unw_get_reg(c, UNW_REG_SP, &sp);
    f->signal = unw_is_signal_frame(c) > 0;
    f->pc = exact || f->signal ? ip : ip - 1;
    f->sp = sp;
    f->image = image_of(u, f->pc);
}

/* From where the registers are to where nothing tells how to go on. */
static enum stack_end walk_described(struct unwinder *u, unw_cursor_t *c, struct stack_frame *frame, size_t room, size_t *count)
{
    enum stack_end end = STACK_BROKEN;
    bool exact = true;
    if (unw_init_remote(c, u->space, u) != 0)
        return STACK_BROKEN;
    for (;;) {
        if (*count == room)
            return STACK_DEEP;
        struct stack_frame *f = &frame[*count];
        read_frame(u, c, exact, f);
        ++*count;
        exact = f->signal;
        if (!f->image && !f->signal)
            return STACK_UNKNOWN;
        if (!step(c, &end))
            return end;
    }
}

static struct user_regs_struct registers_at(const struct unwinder *u, unw_cursor_t *c)
{
    struct user_regs_struct r = u->registers;
    for (int i = 0; i < ARCH_UNWIND_REGISTERS; i++) {
        unsigned long long *place = arch_unwind_register(&r, i);
        unw_word_t value;
        if (place && unw_get_reg(c, i, &value) == 0)
            *place = value;
    }
    return r;
}

/* The cursor is in code of no file. Is it a trampoline of CPython's, walking can go on from what has called it. */
static bool leave_trampoline(struct unwinder *u, unw_cursor_t *c)
{
    uint8_t code[ARCH_TRAMPOLINE_BEFORE + ARCH_TRAMPOLINE_AFTER];
    uint64_t words[2];
    bool keeps_frame_pointer;
    struct user_regs_struct r = registers_at(u, c);
    if (read_memory(u, arch_pc(&r) - ARCH_TRAMPOLINE_BEFORE, code, sizeof code) < 0 || !arch_is_trampoline(code, &keeps_frame_pointer))
        return false;
    if (read_memory(u, arch_sp(&r), words, sizeof words) < 0)
        return false;
    arch_leave_trampoline(&r, words, keeps_frame_pointer);
    u->registers = r;
    return true;
}

enum stack_end unwinder_walk(struct unwinder *u, const struct user_regs_struct *r, struct stack_frame *frame, size_t room, size_t *count)
{
    unw_cursor_t cursor;
    enum stack_end end;
    *count = 0;
    u->registers = *r;
    for (size_t i = 0; i < PAGES; i++)
        u->page[i].address = 1;
    do
        end = walk_described(u, &cursor, frame, room, count);
    while (end == STACK_UNKNOWN && leave_trampoline(u, &cursor));
    return end;
}
