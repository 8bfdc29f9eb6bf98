/* The table of procedures that an image is unwound by (.eh_frame_hdr, .eh_frame). Memory of another process: each length and
 * offset is checked, and what no linker makes is not understood. */
#ifndef TSCAP_UNWIND_TABLE_H
#define TSCAP_UNWIND_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct unwind_table {
    const uint8_t *bytes; /* (borrowed) of the image, [begin .. end) in the process */
    uint64_t begin, end;
    uint64_t header; /* where .eh_frame_hdr is */
};

/* As all linkers make it: version, then how three values are encoded: signed 32-bit differences, a count of 32 bits, pairs
 * of differences to the header, which follow it. */
struct unwind_header {
    uint8_t version, pointer, count, entries;
    int32_t frames;
    uint32_t entry_count;
};
bool unwind_header_is_known(const struct unwind_header *h);

struct procedure {
    uint64_t begin, end;
    bool inner; /* there is a stack frame already where it begins: it is no function but a part of one */
};

/* The one that covers an address. False: none, or one whose description we do not know. */
bool unwind_table_find(const struct unwind_table *t, uint64_t address, struct procedure *p);

#endif
