#include "python_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python_text.h"

#define READS_MAX (1u << 24)
#define ENTRIES_MAX (1u << 20) /* of one dictionary or tuple */
#define BASES 8                /* of a type, looked at for what it is */
#define OFFSET_MAX 4096        /* of a dictionary in its object, and of what the process tells of itself */
#define NAME 64

#define TYPE_HEAP (1u << 9) /* Py_TPFLAGS_: made while the program runs, */
#define TYPE_TUPLE (1u << 26)
#define TYPE_DICT (1u << 29)
#define TYPE_CLASS (1u << 31)

#define KEYS_GENERAL 0 /* entries have a hash, too; else only strings are keys */
#define KEYS_SPLIT 2   /* values lie elsewhere */

struct object_layout {
    unsigned minor;
    bool told; /* up to the type's place: by each process */
    uint64_t at[OBJECT_FIELDS];
};

static const struct object_layout layouts[] = {
#include "python_object_layouts.h"
};

/* ---- memory ---- */

static bool read_bytes(struct python_objects *o, uint64_t address, void *buffer, size_t size)
{
    o->reads += 1 + size / 4096; /* as many pages */
    bool read = o->reads <= READS_MAX && o->memory->read(o->memory->context, address, buffer, size) == 0;
    o->cut |= !read;
    return read;
}

bool python_objects_word(struct python_objects *o, uint64_t address, uint64_t *word) { return read_bytes(o, address, word, sizeof *word); }

bool python_objects_field(struct python_objects *o, uint64_t object, enum object_field field, uint64_t *word)
{
    return python_objects_word(o, object + o->at[field], word);
}

bool python_objects_int(struct python_objects *o, uint64_t object, enum object_field field, int32_t *number)
{
    return read_bytes(o, object + o->at[field], number, sizeof *number);
}

char *python_objects_text(struct python_objects *o, uint64_t object)
{
    const uint64_t *at = o->at;
    const struct python_text_layout l = {at[OBJECT_TEXT_LENGTH], at[OBJECT_TEXT_STATE], at[OBJECT_TEXT_KIND], at[OBJECT_TEXT_ASCII],
                                         at[OBJECT_TEXT_OTHER]};
    o->reads += 3;
    return o->reads < READS_MAX ? python_text_read(o->memory, &l, object) : strdup("?");
}

/* ---- which structures ---- */

/* Offsets of offsets become offsets, as in python_frames.c. Where objects have a longer head, as in a free-threaded build, nothing of
 * what we know of them is true. */
static int take_told(struct python_objects *o, uint64_t runtime)
{
    static const enum object_field told[] = {OBJECT_RUNTIME_INTERPRETERS, OBJECT_INTERPRETER_NEXT, OBJECT_INTERPRETER_MODULES, OBJECT_TYPE};
    char cookie[8];
    if (!read_bytes(o, runtime, cookie, sizeof cookie) || memcmp(cookie, "xdebugpy", sizeof cookie) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (!python_objects_word(o, runtime + o->at[told[i]], &o->at[told[i]]) || o->at[told[i]] > 1u << 20)
            return -EBADMSG;
    }
    return o->at[OBJECT_TYPE] == sizeof(uint64_t) ? 0 : -EPROTONOSUPPORT;
}

int python_objects_open(struct python_objects *o, const struct python_memory *m, uint64_t runtime, uint32_t version)
{
    *o = (struct python_objects){.memory = m, .minor = version >> 16 & 0xff};
    for (size_t i = 0; version >> 24 == 3 && i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].minor == o->minor) {
            memcpy(o->at, layouts[i].at, sizeof o->at);
            return layouts[i].told ? take_told(o, runtime) : 0;
        }
    return -EPROTONOSUPPORT;
}

/* ---- types ---- */

static void read_type_name(struct python_objects *o, uint64_t type, char name[NAME])
{
    uint64_t at;
    memset(name, 0, NAME);
    if (!python_objects_field(o, type, OBJECT_TYPE_NAME, &at))
        return;
    for (size_t i = 0; i < NAME; i += sizeof at)
        if (!python_objects_word(o, at + i, (uint64_t *)(void *)(name + i)) || memchr(name + i, '\0', sizeof at))
            break;
    name[NAME - 1] = '\0';
}

/* Those that a program makes itself may be called anything, but not have a dot in it. */
static enum object_kind kind_by_name(const char *name, bool heap)
{
    static const struct {
        const char *name;
        enum object_kind kind;
    } known[] = {{"module", OBJECT_IS_MODULE},         {"function", OBJECT_IS_FUNCTION},   {"classmethod", OBJECT_IS_HOLDER},
                 {"staticmethod", OBJECT_IS_HOLDER},   {"method", OBJECT_IS_HOLDER},       {"functools.partial", OBJECT_IS_HOLDER},
                 {"property", OBJECT_IS_PROPERTY},     {"code", OBJECT_IS_CODE},           {"cell", OBJECT_IS_CELL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0 && (!heap || strchr(name, '.')))
            return known[i].kind;
    return OBJECT_IS_OTHER;
}

static enum object_kind kind_of_type(struct python_objects *o, uint64_t type)
{
    uint64_t flags, base = type;
    enum object_kind kind = OBJECT_IS_OTHER;
    if (!python_objects_field(o, type, OBJECT_TYPE_FLAGS, &flags))
        return kind;
    if (flags & (TYPE_CLASS | TYPE_DICT | TYPE_TUPLE))
        return flags & TYPE_CLASS ? OBJECT_IS_CLASS : flags & TYPE_DICT ? OBJECT_IS_DICT : OBJECT_IS_TUPLE;
    for (int i = 0; i < BASES && base && kind == OBJECT_IS_OTHER; i++) {
        char name[NAME];
        if (!python_objects_field(o, base, OBJECT_TYPE_FLAGS, &flags))
            break;
        read_type_name(o, base, name);
        kind = kind_by_name(name, flags & TYPE_HEAP);
        if (!python_objects_field(o, base, OBJECT_TYPE_BASE, &base))
            break;
    }
    return kind;
}

static bool is_made_by_a_statement(struct python_objects *o, uint64_t class)
{
    uint64_t flags;
    return python_objects_field(o, class, OBJECT_TYPE_FLAGS, &flags) && flags & TYPE_HEAP;
}

struct known_type python_objects_type(struct python_objects *o, uint64_t object)
{
    uint64_t type, offset;
    if (!python_objects_field(o, object, OBJECT_TYPE, &type) || !type)
        return (struct known_type){0};
    struct known_type *k = &o->type[(type * 0x9e3779b97f4a7c15u >> 40) & (OBJECT_TYPES - 1)];
    if (k->address != type) {
        *k = (struct known_type){.address = type, .kind = kind_of_type(o, type)};
        k->dict = python_objects_field(o, type, OBJECT_TYPE_DICTOFFSET, &offset) && offset < OFFSET_MAX ? offset : 0;
    }
    struct known_type found = *k;
    if (found.kind == OBJECT_IS_CLASS && !is_made_by_a_statement(o, object))
        found.kind = OBJECT_IS_OTHER;
    return found;
}

/* ---- what holds others ---- */

static int allocate(struct python_objects *o, struct python_entries *e, size_t count)
{
    o->cut |= count > ENTRIES_MAX;
    count = count > ENTRIES_MAX ? 0 : count;
    e->entry = malloc((count + 1) * sizeof *e->entry);
    e->count = e->entry ? count : 0;
    return e->entry ? 0 : -ENOMEM;
}

/* Where the entries begin: behind so many bytes of indices. */
static uint64_t index_bytes(struct python_objects *o, uint64_t keys)
{
    uint64_t size = 0;
    uint8_t log2 = 0;
    if (o->minor >= 11)
        return read_bytes(o, keys + o->at[OBJECT_KEYS_LOG2_BYTES], &log2, 1) && log2 < 32 ? (uint64_t)1 << log2 : 0;
    if (!python_objects_field(o, keys, OBJECT_KEYS_SIZE, &size) || size > 2 * ENTRIES_MAX)
        return 0;
    return size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
}

/* Words of an entry: hash, key, value, or without the hash. 0: of no kind that is read. */
static size_t entry_words(struct python_objects *o, uint64_t dict, uint64_t keys)
{
    uint64_t values;
    uint8_t kind = KEYS_GENERAL;
    if (!python_objects_field(o, dict, OBJECT_DICT_VALUES, &values) || (o->minor >= 11 && !read_bytes(o, keys + o->at[OBJECT_KEYS_KIND], &kind, 1)))
        return 0;
    return values || kind >= KEYS_SPLIT ? 0 : kind == KEYS_GENERAL ? 3 : 2;
}

static int read_entries(struct python_objects *o, uint64_t begin, uint64_t count, size_t words, struct python_entries *e)
{
    uint64_t *raw = malloc((count + 1) * words * sizeof *raw);
    int r = raw ? allocate(o, e, count) : -ENOMEM;
    if (r == 0 && !read_bytes(o, begin, raw, e->count * words * sizeof *raw))
        e->count = 0;
    for (size_t i = 0; r == 0 && i < e->count; i++)
        e->entry[i] = (struct python_entry){raw[(i + 1) * words - 2], raw[(i + 1) * words - 1]};
    free(raw);
    return r;
}

int python_objects_dict(struct python_objects *o, uint64_t object, struct python_entries *e)
{
    uint64_t keys, count;
    *e = (struct python_entries){0};
    if (python_objects_type(o, object).kind != OBJECT_IS_DICT || !python_objects_field(o, object, OBJECT_DICT_KEYS, &keys))
        return 0;
    size_t words = entry_words(o, object, keys);
    uint64_t indices = index_bytes(o, keys);
    if (!words) /* an object's own, whose values lie with it: no names of a module or class are there */
        return 0;
    if (!indices || !python_objects_field(o, keys, OBJECT_KEYS_COUNT, &count) || count > ENTRIES_MAX) {
        o->cut = true;
        return 0;
    }
    return read_entries(o, keys + o->at[OBJECT_KEYS_INDICES] + indices, count, words, e);
}

int python_objects_tuple(struct python_objects *o, uint64_t object, struct python_entries *e)
{
    uint64_t count;
    *e = (struct python_entries){0};
    if (python_objects_type(o, object).kind != OBJECT_IS_TUPLE || !python_objects_field(o, object, OBJECT_TUPLE_SIZE, &count))
        return 0;
    int r = allocate(o, e, count);
    for (size_t i = 0; r == 0 && i < e->count; i++) {
        e->entry[i].key = 0;
        if (!python_objects_word(o, object + o->at[OBJECT_TUPLE_ITEM] + i * sizeof(uint64_t), &e->entry[i].value))
            e->count = i;
    }
    return r;
}

uint64_t python_objects_named(struct python_objects *o, const struct python_entries *e, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < e->count; i++) {
        uint64_t its;
        if (!e->entry[i].key || !e->entry[i].value || !python_objects_field(o, e->entry[i].key, OBJECT_TEXT_LENGTH, &its) || its != length)
            continue;
        char *text = python_objects_text(o, e->entry[i].key);
        bool found = text && strcmp(text, name) == 0;
        free(text);
        if (found)
            return e->entry[i].value;
    }
    return 0;
}
