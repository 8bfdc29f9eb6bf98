#include "unwind_table.h"

#include <string.h>

#define POINTERS 0x1b /* DW_EH_PE_pcrel | DW_EH_PE_sdata4 */

bool unwind_header_is_known(const struct unwind_header *h)
{
    return h->version == 1 && h->pointer == 0x1b && h->count == 0x03 && h->entries == 0x3b;
}

/* ---- reading ---- */

/* What lies behind the end is 0, and `bad` says so. */
struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t take(struct cursor *c, size_t size)
{
    uint64_t value = 0;
    if ((size_t)(c->end - c->at) < size) {
        c->at = c->end;
        c->bad = true;
        return 0;
    }
    memcpy(&value, c->at, size); /* little-endian, as are all machines that we know */
    c->at += size;
    return value;
}

static uint8_t take_byte(struct cursor *c) { return (uint8_t)take(c, 1); }
static int32_t take_difference(struct cursor *c) { return (int32_t)take(c, 4); }

/* LEB128; signed ones are as good, where only equality counts. */
static uint64_t take_number(struct cursor *c)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t byte = take_byte(c);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    c->bad = true;
    return 0;
}

static void skip(struct cursor *c, uint64_t size)
{
    if ((uint64_t)(c->end - c->at) < size)
        c->bad = true;
    c->at = c->bad ? c->end : c->at + size;
}

static struct cursor cursor_at(const struct unwind_table *t, uint64_t address)
{
    bool there = address >= t->begin && address < t->end;
    const uint8_t *end = t->bytes + (t->end - t->begin);
    return (struct cursor){.at = there ? t->bytes + (address - t->begin) : end, .end = end, .bad = !there};
}

static uint64_t address_of(const struct unwind_table *t, const struct cursor *c) { return t->begin + (uint64_t)(c->at - t->bytes); }

/* An entry of .eh_frame: its length, then all the rest. Long ones (0xffffffff) are of tables beyond 4 GiB. */
static struct cursor open_entry(const struct unwind_table *t, uint64_t address)
{
    struct cursor c = cursor_at(t, address);
    uint64_t length = take(&c, 4);
    c.bad |= length < 4 || length == 0xffffffff || (uint64_t)(c.end - c.at) < length;
    if (!c.bad)
        c.end = c.at + length;
    return c;
}

/* ---- where the caller's frame ends, as a procedure begins: a register and a distance ---- */

struct row {
    uint64_t from, distance;
};

enum call_frame { /* instructions: DWARF 5, 7.24 */
    CFA_ADVANCE = 1, /* in the two highest bits */
    CFA_OFFSET = 2,
    CFA_RESTORE = 3,
    CFA_NOP = 0,
    CFA_SET_LOC = 1,
    CFA_ADVANCE_4 = 4,
    CFA_OFFSET_EXTENDED = 5,
    CFA_UNDEFINED = 7,
    CFA_SAME = 8,
    CFA_REMEMBER = 10,
    CFA_DEF = 12,
    CFA_DEF_FROM = 13,
    CFA_DEF_DISTANCE = 14,
    CFA_SIGN = 0x2d, /* aarch64: the return address is signed from here on */
    CFA_ARGUMENTS = 0x2e,
};

/* False: one that we do not know. */
static bool run_extended(struct cursor *c, uint8_t operation, struct row *row)
{
    switch (operation) {
    case CFA_NOP:
    case CFA_REMEMBER:
    case CFA_SIGN:
        break;
    case CFA_OFFSET_EXTENDED:
        take_number(c);
        take_number(c);
        break;
    case CFA_UNDEFINED:
    case CFA_SAME:
    case CFA_ARGUMENTS:
        take_number(c);
        break;
    case CFA_DEF:
        row->from = take_number(c);
        row->distance = take_number(c);
        break;
    case CFA_DEF_FROM:
        row->from = take_number(c);
        break;
    case CFA_DEF_DISTANCE:
        row->distance = take_number(c);
        break;
    default:
        return false;
    }
    return true;
}

/* Up to the second row. False: not understood. */
static bool run_first_row(struct cursor c, struct row *row)
{
    while (c.at < c.end && !c.bad) {
        uint8_t byte = take_byte(&c), high = byte >> 6, operation = byte & 0x3f;
        if (high == CFA_ADVANCE || (high == 0 && operation >= CFA_SET_LOC && operation <= CFA_ADVANCE_4))
            break;
        if (high == CFA_OFFSET)
            take_number(&c);
        else if (high == 0 && !run_extended(&c, operation, row))
            return false;
    }
    return !c.bad;
}

/* ---- entries ---- */

/* What is common to procedures (CIE): only those whose addresses are encoded as all compilers do. */
static bool read_common(const struct unwind_table *t, uint64_t address, struct row *row)
{
    struct cursor c = open_entry(t, address);
    bool pointers = false;
    if (take(&c, 4) != 0 || take_byte(&c) != 1 || take_byte(&c) != 'z')
        return false;
    const char *letters = (const char *)c.at;
    while (take_byte(&c))
        ;
    take_number(&c); /* units of code, of data, the register of the return address */
    take_number(&c);
    take_byte(&c);
    take_number(&c); /* bytes of the following */
    for (; !c.bad && *letters; letters++) {
        uint8_t encoding = *letters == 'R' || *letters == 'P' || *letters == 'L' ? take_byte(&c) : 0;
        if (*letters == 'R')
            pointers = encoding == POINTERS;
        else if (*letters == 'P')
            skip(&c, (encoding & 7) == 3 ? 4 : 8);
        else if (*letters != 'L' && *letters != 'B')
            return false; /* 'S', a signal handler's frame, is no function either */
    }
    return pointers && !c.bad && run_first_row(c, row);
}

/* As a procedure begins, the caller's frame is where all functions have it when they are called, or it is within one. */
static bool read_procedure(const struct unwind_table *t, uint64_t address, struct procedure *p)
{
    struct cursor c = open_entry(t, address);
    uint64_t common = address_of(t, &c);
    struct row called = {0};
    common -= take(&c, 4);
    uint64_t begin = address_of(t, &c);
    begin += (uint64_t)(int64_t)take_difference(&c);
    uint64_t size = take(&c, 4);
    skip(&c, take_number(&c));
    if (c.bad || begin + size < begin || !read_common(t, common, &called))
        return false;
    struct row own = called;
    if (!run_first_row(c, &own))
        return false;
    *p = (struct procedure){.begin = begin, .end = begin + size, .inner = own.from != called.from || own.distance != called.distance};
    return true;
}

/* ---- the table ---- */

/* Entry i: where a procedure begins, or where its description is (`which`: 0, 1). */
static uint64_t entry(const struct unwind_table *t, uint32_t i, unsigned which)
{
    struct cursor c = cursor_at(t, t->header + sizeof(struct unwind_header) + 8ull * i + 4 * which);
    return t->header + (uint64_t)(int64_t)take_difference(&c);
}

static bool read_header(const struct unwind_table *t, struct unwind_header *h)
{
    struct cursor c = cursor_at(t, t->header);
    if ((size_t)(c.end - c.at) < sizeof *h)
        return false;
    memcpy(h, c.at, sizeof *h);
    return unwind_header_is_known(h) && h->entry_count <= (size_t)(c.end - c.at - sizeof *h) / 8;
}

bool unwind_table_find(const struct unwind_table *t, uint64_t address, struct procedure *p)
{
    struct unwind_header h;
    if (!read_header(t, &h))
        return false;
    uint32_t low = 0, high = h.entry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entry(t, middle, 0) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && read_procedure(t, entry(t, low - 1, 1), p) && address >= p->begin && address < p->end;
}
