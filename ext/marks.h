/* Marks: the code objects that are ours, by what lies in their extra slot (PEP 523, _PyCode_SetExtra): the index of the mark and, while
 * it is armed, its site. A mark goes with its code. With the interpreter's lock. */
#ifndef TSCAP_MARKS_H
#define TSCAP_MARKS_H

#include "python.h"

#include <stdbool.h>

#include "membership.h"

struct mark {
    PyCodeObject *code; /* borrowed: the mark goes before it does; NULL: free entry */
    PyObject *function; /* weak reference to the function decorated last, or NULL */
    PyObject *name, *qualname, *module;
    PyObject *origin; /* where its code comes from */
    uint32_t site;    /* 0: none yet */
    uint32_t of_same_site; /* 1 + index of another mark with it; 0: there is none */
    uint32_t next_free;
    uint32_t track;
    bool decorated;
    bool placed;  /* by functions_place() */
    bool own;     /* the recorder's: always wanted */
    bool armed;   /* its code has the site in its slot */
    bool runs;    /* scratch of functions_disarm() */
    member_set selected; /* by whose rules */
};

/* What the slot holds: 1 + index of the mark, and its site while it is armed. Or that nobody wants it recorded, as far as the selections
 * of a certain generation go. */
#define MARKS_SITE(extra) ((uint32_t)(extra))
#define MARKS_REJECTED(generation) ((uintptr_t)(0x80000000u | (generation)) << 32)
#define MARKS_GENERATIONS 0x7fffffffu
extern Py_ssize_t marks_extra __attribute__((visibility("hidden"))); /* the slot */

int marks_init(void); /* 0, or -1 with an exception */

/* By index, below the count; of this code, or NULL. What they return is valid until the next one is added. */
uint32_t marks_count(void);
struct mark *marks_at(uint32_t index);
struct mark *marks_of(const PyCodeObject *code);
static inline uint32_t marks_index(const struct mark *m) { return (uint32_t)(m - marks_at(0)); }

uint64_t marks_live(void);      /* of all: */
uint64_t marks_decorated(void); /* those */
void marks_note_decorated(struct mark *m);

/* A new one; takes over the reference to the module. Its index, or -1 with an exception. */
int marks_add(PyCodeObject *code, PyObject *name, PyObject *qualname, PyObject *module, PyObject *origin);
void marks_drop(uint32_t index); /* the code is nobody's */

/* Its site; without memory it has none. The next one of the same site, from 0 on: 1 + its index; 0: there are no more. */
void marks_give_site(uint32_t index, uint32_t site);
uint32_t marks_next_of_site(uint32_t site, uint32_t previous);
void marks_arm(uint32_t index, bool on);
void marks_forget_sites(void); /* none has one, none is armed */

#endif
