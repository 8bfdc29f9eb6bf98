/* What `tscap attach` and the extension that it loads into a process agree on. The loader calls ATTACH_FUNCTION with a text
 * of lines "name=value"; the answer comes through the box, which lies in the extension's own memory, is never given back
 * and is read from outside: that works across namespaces, where no socket would. */
#ifndef TSCAP_ATTACH_H
#define TSCAP_ATTACH_H

#include <stdatomic.h>
#include <stdint.h>

#define ATTACH_FUNCTION "tscap_attach"
#define ATTACH_MODULE "tscap_entry" /* the extension module under this name has a function attach(bytes), for scripts */
#define ATTACH_MAGIC 0x63617474u
#define ATTACH_VERSION 3u
#define ATTACH_TEXT 256
#define ATTACH_ARGUMENT_MAX 8192

/* Lines of the argument. */
#define ATTACH_REQUEST "request"     /* a name for this attempt, up to 63 bytes: all threads that run its script give the same */
#define ATTACH_DIRECTORY "directory" /* run directory; without it: as if the process had imported the package by itself */

enum attach_state {
    ATTACH_WORKING = 1, /* waits for the interpreter */
    ATTACH_READY,       /* segment and listener are there */
    ATTACH_FAILED,      /* `text` says why */
    ATTACH_ENDING,      /* the interpreter is, or has not begun */
};

struct attach_box {
    uint32_t magic, version;
    _Atomic uint32_t state;  /* enum attach_state; stored last */
    _Atomic uint32_t cancel; /* written from outside: nobody waits any more */
    _Atomic uint64_t region, region_size; /* written from outside, size last: memory to unmap; nobody runs in it */
    char text[ATTACH_TEXT];
};
_Static_assert(sizeof(struct attach_box) == 32 + ATTACH_TEXT, "read by another program");

#endif
