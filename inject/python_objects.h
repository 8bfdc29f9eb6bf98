/* Objects in another process' interpreter, CPython 3.9 to 3.13: of what type they are, and what dictionaries and tuples hold.
 *
 * All may lie or change meanwhile: reads are counted and bounded, and a type is known by its name and flags before it is believed. */
#ifndef TSCAP_PYTHON_OBJECTS_H
#define TSCAP_PYTHON_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python_frames.h"

enum object_field {
    OBJECT_RUNTIME_INTERPRETERS,
    OBJECT_INTERPRETER_NEXT,
    OBJECT_INTERPRETER_MODULES,
    OBJECT_TYPE,
    OBJECT_TYPE_NAME,
    OBJECT_TYPE_FLAGS,
    OBJECT_TYPE_BASE,
    OBJECT_TYPE_DICT,
    OBJECT_TYPE_DICTOFFSET,
    OBJECT_DICT_KEYS,
    OBJECT_DICT_VALUES,
    OBJECT_KEYS_SIZE,       /* to 3.10; */
    OBJECT_KEYS_LOG2_BYTES, /* since: of the indices, */
    OBJECT_KEYS_KIND,       /* and of the entries */
    OBJECT_KEYS_COUNT,
    OBJECT_KEYS_INDICES,
    OBJECT_FUNCTION_CODE,
    OBJECT_FUNCTION_GLOBALS,
    OBJECT_FUNCTION_CLOSURE,
    OBJECT_FUNCTION_QUALNAME,
    OBJECT_CELL_OBJECT,
    OBJECT_TUPLE_SIZE,
    OBJECT_TUPLE_ITEM,
    OBJECT_CODE_CONSTANTS,
    OBJECT_CODE_FLAGS,
    OBJECT_CODE_FILE,
    OBJECT_CODE_LINE,
    OBJECT_CODE_NAME,
    OBJECT_CODE_QUALNAME, /* since 3.11 */
    OBJECT_TEXT_LENGTH,
    OBJECT_TEXT_STATE,
    OBJECT_TEXT_ASCII,
    OBJECT_TEXT_KIND,
    OBJECT_TEXT_OTHER,
    OBJECT_FIELDS
};

enum object_kind {
    OBJECT_IS_OTHER,
    OBJECT_IS_MODULE,
    OBJECT_IS_FUNCTION,
    OBJECT_IS_CLASS,    /* made by a class statement */
    OBJECT_IS_HOLDER,   /* of one object: classmethod, staticmethod, a bound method, partial() */
    OBJECT_IS_PROPERTY, /* of three */
    OBJECT_IS_CODE,
    OBJECT_IS_CELL,
    OBJECT_IS_TUPLE,
    OBJECT_IS_DICT,
};

struct known_type {
    uint64_t address;
    enum object_kind kind;
    uint64_t dict; /* offset of an instance's dictionary; 0: it has none there */
};

#define OBJECT_TYPES 4096 /* remembered; a power of 2 */

struct python_objects {
    const struct python_memory *memory;
    uint64_t at[OBJECT_FIELDS];
    unsigned minor;
    uint64_t reads;
    bool cut; /* something was not read: it cannot be, or is too much */
    struct known_type type[OBJECT_TYPES];
};

struct python_entry {
    uint64_t key, value;
};

struct python_entries {
    struct python_entry *entry;
    size_t count;
};

/* 0; -EPROTONOSUPPORT: another version, or a free-threaded build; -EBADMSG; or as `read` says. */
int python_objects_open(struct python_objects *o, const struct python_memory *m, uint64_t runtime, uint32_t version);

/* False: not to be read, which is counted as cut. */
bool python_objects_word(struct python_objects *o, uint64_t address, uint64_t *word);
bool python_objects_field(struct python_objects *o, uint64_t object, enum object_field field, uint64_t *word);
bool python_objects_int(struct python_objects *o, uint64_t object, enum object_field field, int32_t *number);

struct known_type python_objects_type(struct python_objects *o, uint64_t object);
char *python_objects_text(struct python_objects *o, uint64_t object); /* see python_text_read() */

/* Of a dictionary, and of a tuple (without keys): none where it is not one. To be freed; -ENOMEM. */
int python_objects_dict(struct python_objects *o, uint64_t object, struct python_entries *e);
int python_objects_tuple(struct python_objects *o, uint64_t object, struct python_entries *e);

/* The value of a name in these; 0: none. */
uint64_t python_objects_named(struct python_objects *o, const struct python_entries *e, const char *name);

#endif
