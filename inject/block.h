/* The block: what the stub that runs in the target reads and writes. Offsets as numbers, for its machine code. */
#ifndef TSCAP_BLOCK_H
#define TSCAP_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_ERRNO_LOCATION 0
#define BLOCK_DLOPEN 8
#define BLOCK_DLSYM 16
#define BLOCK_DLERROR 24
#define BLOCK_PATH 32
#define BLOCK_NAME 40
#define BLOCK_ARGUMENT 48
#define BLOCK_FRAME 56
#define BLOCK_HANDLE 64
#define BLOCK_RESULT 72
#define BLOCK_DONE 80
#define BLOCK_TEXT 88
#define BLOCK_TEXT_MAX 511

struct block {
    uint64_t errno_location, dlopen, dlsym, dlerror; /* functions */
    uint64_t path, name, argument;                   /* texts */
    uint64_t frame;    /* where the stub returns to; 0: it ends by a trap */
    uint64_t handle;   /* out: of dlopen; 0: failed, or the name was not found */
    uint64_t result;   /* out: of the function */
    uint32_t done;     /* out: last */
    uint32_t padding;
    char text[BLOCK_TEXT_MAX + 1]; /* out: dlerror() */
};

#define BLOCK_CHECK(field, offset) _Static_assert(offsetof(struct block, field) == (offset), #field)
BLOCK_CHECK(errno_location, BLOCK_ERRNO_LOCATION);
BLOCK_CHECK(dlopen, BLOCK_DLOPEN);
BLOCK_CHECK(dlsym, BLOCK_DLSYM);
BLOCK_CHECK(dlerror, BLOCK_DLERROR);
BLOCK_CHECK(path, BLOCK_PATH);
BLOCK_CHECK(name, BLOCK_NAME);
BLOCK_CHECK(argument, BLOCK_ARGUMENT);
BLOCK_CHECK(frame, BLOCK_FRAME);
BLOCK_CHECK(handle, BLOCK_HANDLE);
BLOCK_CHECK(result, BLOCK_RESULT);
BLOCK_CHECK(done, BLOCK_DONE);
BLOCK_CHECK(text, BLOCK_TEXT);
#undef BLOCK_CHECK

#endif
