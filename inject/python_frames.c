#include "python_frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "python_text.h"

#define INTERPRETERS_MAX 256
#define THREADS_MAX 65536
#define FRAMES_MAX (1u << 20) /* of one thread */
#define READS_MAX (1u << 24)  /* of frames, in all */
#define TABLE_MAX (1u << 20)
#define FRAME_BYTES 256
#define LOOKS 5
#define OWNED_BY_C 3 /* since 3.12: a frame that the interpreter itself put there; it is of no function */

enum python_field {
    PYTHON_RUNTIME_INTERPRETERS,
    PYTHON_INTERPRETER_NEXT,
    PYTHON_INTERPRETER_ID,
    PYTHON_INTERPRETER_THREADS,
    PYTHON_THREAD_NEXT,
    PYTHON_THREAD_NATIVE,
    PYTHON_THREAD_FRAME,
    PYTHON_CFRAME_FRAME, /* 3.11, 3.12: the frame is found by way of this */
    PYTHON_FRAME_BACK,
    PYTHON_FRAME_CODE,
    PYTHON_FRAME_INSTRUCTION,
    PYTHON_FRAME_OWNER,
    PYTHON_FRAME_ENTRY,
    PYTHON_CODE_FILE,
    PYTHON_CODE_NAME,
    PYTHON_CODE_LINE,
    PYTHON_CODE_TABLE,
    PYTHON_CODE_BYTES,
    PYTHON_TEXT_LENGTH,
    PYTHON_TEXT_STATE,
    PYTHON_TEXT_KIND,  /* bit of `state`, then 3 bits; the next say "compact" and "ascii" */
    PYTHON_TEXT_ASCII, /* where the characters of one begin that has nothing but ASCII */
    PYTHON_TEXT_OTHER, /* others: so much behind that */
    PYTHON_BYTES_SIZE,
    PYTHON_BYTES_DATA,
    PYTHON_GIL_LOCKED,
    PYTHON_GIL_HOLDER,
    PYTHON_FIELDS
};

struct layout {
    unsigned minor;
    bool told; /* by each process */
    uint64_t at[PYTHON_FIELDS];
};

static const struct layout layouts[] = {
#include "python_layouts.h"
};

struct reader {
    const struct python_memory *memory;
    struct python_stacks *stacks;
    struct layout layout;
    uint64_t runtime;
    size_t code_room, thread_room;
    size_t *bucket; /* of codes by address; SIZE_MAX: none */
    size_t buckets;
    uint64_t reads;
};

/* ---- memory ---- */

static int read_bytes(const struct reader *r, uint64_t address, void *buffer, size_t size)
{
    return r->memory->read(r->memory->context, address, buffer, size);
}

static int read_word(const struct reader *r, uint64_t address, uint64_t *word) { return read_bytes(r, address, word, sizeof *word); }

static int read_field(const struct reader *r, uint64_t object, enum python_field field, uint64_t *word)
{
    return read_word(r, object + r->layout.at[field], word);
}

/* ---- which structures ---- */

#define TOLD_BYTES 1024
static const char told_cookie[] = "xdebugpy";

/* Offsets of offsets become offsets. All that the process tells is small, or it lies. */
static int read_told_layout(struct reader *r)
{
    uint8_t told[TOLD_BYTES];
    int e = read_bytes(r, r->runtime, told, sizeof told);
    if (e < 0)
        return e;
    if (memcmp(told, told_cookie, sizeof told_cookie - 1) != 0)
        return -EBADMSG;
    for (int i = 0; i < PYTHON_FIELDS; i++) {
        if (i == PYTHON_TEXT_OTHER || i == PYTHON_TEXT_KIND || i == PYTHON_CFRAME_FRAME || i == PYTHON_FRAME_ENTRY)
            continue;
        memcpy(&r->layout.at[i], told + r->layout.at[i], sizeof r->layout.at[i]);
        if (r->layout.at[i] > 1u << 20)
            return -EBADMSG;
    }
    return 0;
}

static int choose_layout(struct reader *r, uint32_t version)
{
    unsigned minor = version >> 16 & 0xff;
    for (size_t i = 0; version >> 24 == 3 && i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].minor == minor) {
            r->layout = layouts[i];
            return r->layout.told ? read_told_layout(r) : 0;
        }
    return -EPROTONOSUPPORT;
}

/* ---- texts ---- */

/* A copy of a str; "?" where there is none to be read. NULL: no memory. */
static char *read_text(const struct reader *r, uint64_t object)
{
    const uint64_t *at = r->layout.at;
    const struct python_text_layout l = {at[PYTHON_TEXT_LENGTH], at[PYTHON_TEXT_STATE], at[PYTHON_TEXT_KIND], at[PYTHON_TEXT_ASCII],
                                         at[PYTHON_TEXT_OTHER]};
    return python_text_read(r->memory, &l, object);
}

/* ---- lines ---- */

/* Up to 3.9: pairs of bytes: so many bytes of code further, so many lines further. */
static int line_by_pairs(const struct python_code *c, int64_t offset)
{
    int line = c->first_line;
    int64_t at = 0;
    for (size_t i = 0; i + 1 < c->table_bytes; i += 2) {
        at += c->table[i];
        if (at > offset)
            break;
        line += (int8_t)c->table[i + 1];
    }
    return line;
}

/* 3.10: pairs again, but each for the code before its end; -128: of no line. */
static int line_by_ranges(const struct python_code *c, int64_t offset)
{
    int line = c->first_line;
    int64_t end = 0;
    for (size_t i = 0; i + 1 < c->table_bytes; i += 2) {
        int8_t step = (int8_t)c->table[i + 1];
        end += c->table[i];
        line += step == -128 ? 0 : step;
        if (offset < end)
            return step == -128 ? 0 : line;
    }
    return 0;
}

/* A number of six bits a byte, the lowest first; the seventh bit says that there are more. */
static uint32_t read_number(const struct python_code *c, size_t *i)
{
    uint32_t number = 0;
    for (unsigned shift = 0; *i < c->table_bytes && shift < 30; shift += 6) {
        uint8_t byte = c->table[(*i)++];
        number |= (uint32_t)(byte & 63) << shift;
        if (!(byte & 64))
            break;
    }
    return number;
}

/* How many lines further an entry is; `i` is behind its first byte. */
static int line_step(const struct python_code *c, unsigned kind, size_t i)
{
    if (kind == 13 || kind == 14) {
        uint32_t n = read_number(c, &i);
        return n & 1 ? -(int)(n >> 1) : (int)(n >> 1);
    }
    return kind >= 10 && kind <= 12 ? (int)kind - 10 : 0;
}

/* Since 3.11: entries for one to eight units of code each, the first byte of each with its highest bit set. */
static int line_by_entries(const struct python_code *c, int64_t offset)
{
    int64_t end = 0, line = c->first_line;
    for (size_t i = 0; i < c->table_bytes;) {
        uint8_t first = c->table[i++];
        unsigned kind = first >> 3 & 15;
        line += line_step(c, kind, i);
        end += ((first & 7) + 1) * 2;
        if (offset < end)
            return kind == 15 || line < 0 || line > INT32_MAX ? 0 : (int)line;
        while (i < c->table_bytes && !(c->table[i] & 0x80))
            i++;
    }
    return 0;
}

/* ---- code ---- */

static int read_table(const struct reader *r, struct python_code *c)
{
    uint64_t object, size;
    if (read_field(r, c->address, PYTHON_CODE_TABLE, &object) < 0 || read_field(r, object, PYTHON_BYTES_SIZE, &size) < 0 || size > TABLE_MAX)
        return 0;
    c->table = malloc(size + 1);
    if (!c->table)
        return -ENOMEM;
    if (read_bytes(r, object + r->layout.at[PYTHON_BYTES_DATA], c->table, (size_t)size) == 0)
        c->table_bytes = (size_t)size;
    return 0;
}

static int read_code(const struct reader *r, uint64_t address, struct python_code *c)
{
    uint64_t name = 0, file = 0;
    int32_t line = 0;
    *c = (struct python_code){.address = address};
    read_field(r, address, PYTHON_CODE_NAME, &name);
    read_field(r, address, PYTHON_CODE_FILE, &file);
    read_bytes(r, address + r->layout.at[PYTHON_CODE_LINE], &line, sizeof line);
    c->first_line = line;
    c->function = read_text(r, name);
    c->file = read_text(r, file);
    int e = read_table(r, c);
    return c->function && c->file ? e : -ENOMEM;
}

static size_t hash(uint64_t address, size_t buckets) { return (size_t)(address * 0x9e3779b97f4a7c15u >> 32) & (buckets - 1); }

static void enter_code(struct reader *r, size_t i)
{
    size_t k = hash(r->stacks->codes[i].address, r->buckets);
    while (r->bucket[k] != SIZE_MAX)
        k = (k + 1) & (r->buckets - 1);
    r->bucket[k] = i;
}

/* Half of the buckets stay empty. */
static int reserve_code(struct reader *r)
{
    struct python_stacks *s = r->stacks;
    if (s->code_count < r->code_room)
        return 0;
    size_t room = r->code_room ? 2 * r->code_room : 128;
    struct python_code *more = realloc(s->codes, room * sizeof *more);
    if (more)
        s->codes = more;
    size_t *bucket = malloc(2 * room * sizeof *bucket);
    if (!more || !bucket) {
        free(bucket);
        return -ENOMEM;
    }
    memset(bucket, 0xff, 2 * room * sizeof *bucket);
    free(r->bucket);
    r->bucket = bucket;
    r->buckets = 2 * room;
    r->code_room = room;
    for (size_t i = 0; i < s->code_count; i++)
        enter_code(r, i);
    return 0;
}

static int find_code(struct reader *r, uint64_t address, size_t *index)
{
    struct python_stacks *s = r->stacks;
    int e = reserve_code(r);
    if (e < 0)
        return e;
    for (size_t k = hash(address, r->buckets); r->bucket[k] != SIZE_MAX; k = (k + 1) & (r->buckets - 1))
        if (s->codes[r->bucket[k]].address == address) {
            *index = r->bucket[k];
            return 0;
        }
    *index = s->code_count;
    e = read_code(r, address, &s->codes[s->code_count]);
    s->code_count++;
    enter_code(r, *index);
    return e;
}

/* ---- the frames of a thread ---- */

struct raw {
    uint64_t address, code, instruction;
    bool entry, function;
};

struct chain {
    struct raw *raw;
    size_t count, room;
    bool cut;
};

static size_t frame_bytes(const struct layout *l)
{
    uint64_t most = 0;
    for (int f = PYTHON_FRAME_BACK; f <= PYTHON_FRAME_ENTRY; f++)
        most = l->at[f] > most ? l->at[f] : most;
    return most + 8 < FRAME_BYTES ? (size_t)most + 8 : FRAME_BYTES;
}

static uint64_t word_at(const uint8_t *bytes, uint64_t offset)
{
    uint64_t word = 0;
    if (offset + sizeof word <= FRAME_BYTES)
        memcpy(&word, bytes + offset, sizeof word);
    return word;
}

static uint8_t byte_at(const uint8_t *bytes, uint64_t offset) { return offset < FRAME_BYTES ? bytes[offset] : 0; }

static struct raw decode_frame(const struct layout *l, uint64_t address, const uint8_t *bytes)
{
    struct raw raw = {.address = address, .function = true, .entry = true};
    raw.code = word_at(bytes, l->at[PYTHON_FRAME_CODE]) & ~(uint64_t)3; /* since 3.14 marked in the lowest bits */
    raw.instruction = word_at(bytes, l->at[PYTHON_FRAME_INSTRUCTION]);
    if (l->minor < 11)
        raw.instruction = (uint32_t)raw.instruction;
    else if (l->minor == 11)
        raw.entry = byte_at(bytes, l->at[PYTHON_FRAME_ENTRY]);
    else {
        raw.entry = false; /* the frame before it says so */
        raw.function = byte_at(bytes, l->at[PYTHON_FRAME_OWNER]) < OWNED_BY_C;
    }
    return raw;
}

static int append(struct chain *c, const struct raw *raw)
{
    struct raw *more = array_room(c->raw, c->count, &c->room, sizeof *more);
    if (!more)
        return -ENOMEM;
    c->raw = more;
    c->raw[c->count++] = *raw;
    return 0;
}

/* Frames of the interpreter's own mark where one of its main function's calls begins, and are left out. */
static int take_frame(struct chain *c, const struct raw *raw)
{
    if (raw->function)
        return append(c, raw);
    if (c->count)
        c->raw[c->count - 1].entry = true;
    return 0;
}

static int first_frame(const struct reader *r, uint64_t thread, uint64_t *frame)
{
    bool by_way = r->layout.minor == 11 || r->layout.minor == 12;
    int e = read_field(r, thread, PYTHON_THREAD_FRAME, frame);
    return e == 0 && by_way && *frame ? read_field(r, *frame, PYTHON_CFRAME_FRAME, frame) : e;
}

static int read_chain(struct reader *r, uint64_t thread, struct chain *c)
{
    uint64_t frame = 0;
    size_t size = frame_bytes(&r->layout);
    uint8_t bytes[FRAME_BYTES] = {0};
    c->count = 0;
    c->cut = first_frame(r, thread, &frame) < 0;
    for (size_t i = 0; frame && !c->cut; i++) {
        c->cut = i == FRAMES_MAX || ++r->reads > READS_MAX || read_bytes(r, frame, bytes, size) < 0;
        if (c->cut)
            break;
        struct raw raw = decode_frame(&r->layout, frame, bytes);
        if (take_frame(c, &raw) < 0)
            return -ENOMEM;
        frame = word_at(bytes, r->layout.at[PYTHON_FRAME_BACK]);
    }
    return 0;
}

static bool same(const struct chain *a, const struct chain *b)
{
    bool alike = a->count == b->count && a->cut == b->cut;
    for (size_t i = 0; alike && i < a->count; i++)
        alike = a->raw[i].address == b->raw[i].address && a->raw[i].code == b->raw[i].code && a->raw[i].instruction == b->raw[i].instruction;
    return alike;
}

/* Until two looks in a row see the same, or it is not to be had. */
static int read_settled(struct reader *r, uint64_t thread, struct chain *c, bool *settled)
{
    struct chain before = {0};
    int e = read_chain(r, thread, c);
    *settled = false;
    for (int i = 0; e == 0 && i < LOOKS && !*settled; i++) {
        struct chain swap = before;
        before = *c;
        *c = swap;
        e = read_chain(r, thread, c);
        *settled = e == 0 && same(&before, c);
    }
    free(before.raw);
    return e;
}

/* In bytes of code. Before 3.11 the interpreter counts it, in units of two bytes in 3.10; since then it is an address. */
static int64_t offset_of(const struct reader *r, const struct raw *raw)
{
    if (r->layout.minor == 9)
        return (int32_t)raw->instruction;
    if (r->layout.minor == 10)
        return 2 * (int64_t)(int32_t)raw->instruction;
    return (int64_t)(raw->instruction - (raw->code + r->layout.at[PYTHON_CODE_BYTES]));
}

static int line_of(const struct reader *r, const struct python_code *c, const struct raw *raw)
{
    int64_t offset = offset_of(r, raw);
    if (offset < 0)
        return c->first_line; /* it has not begun yet */
    if (r->layout.minor == 9)
        return line_by_pairs(c, offset);
    return r->layout.minor == 10 ? line_by_ranges(c, offset) : line_by_entries(c, offset);
}

static int name_frames(struct reader *r, struct python_thread *t, const struct chain *c)
{
    t->frame = calloc(c->count + 1, sizeof *t->frame);
    if (!t->frame)
        return -ENOMEM;
    for (size_t i = 0; i < c->count; i++) {
        struct python_frame *f = &t->frame[t->frames++];
        int e = find_code(r, c->raw[i].code, &f->code);
        if (e < 0)
            return e;
        f->line = line_of(r, &r->stacks->codes[f->code], &c->raw[i]);
        f->entry = c->raw[i].entry;
    }
    return 0;
}

static int read_frames(struct reader *r, struct python_thread *t)
{
    struct chain c = {0};
    int e = read_settled(r, t->address, &c, &t->consistent);
    t->cut = c.cut;
    if (e == 0)
        e = name_frames(r, t, &c);
    free(c.raw);
    return e;
}

/* ---- threads ---- */

static struct python_thread *new_thread(struct reader *r)
{
    struct python_stacks *s = r->stacks;
    struct python_thread *more = array_room(s->thread, s->threads, &r->thread_room, sizeof *more);
    if (!more)
        return NULL;
    s->thread = more;
    s->thread[s->threads] = (struct python_thread){0};
    return &s->thread[s->threads++];
}

/* The thread that holds the interpreter's lock; 0: none. */
static uint64_t gil_holder(const struct reader *r, uint64_t interpreter)
{
    uint64_t holder = 0;
    int32_t locked = 1;
    uint64_t base = r->layout.minor < 12 ? r->runtime : interpreter;
    if (read_bytes(r, base + r->layout.at[PYTHON_GIL_LOCKED], &locked, sizeof locked) < 0 || locked != 1)
        return 0;
    return read_field(r, base, PYTHON_GIL_HOLDER, &holder) == 0 ? holder : 0;
}

static int read_threads(struct reader *r, uint64_t interpreter)
{
    uint64_t thread = 0, id = 0;
    if (read_field(r, interpreter, PYTHON_INTERPRETER_THREADS, &thread) < 0 || read_field(r, interpreter, PYTHON_INTERPRETER_ID, &id) < 0) {
        r->stacks->complete = false;
        return 0;
    }
    uint64_t holder = gil_holder(r, interpreter);
    while (thread && r->stacks->threads < THREADS_MAX) {
        struct python_thread *t = new_thread(r);
        if (!t)
            return -ENOMEM;
        *t = (struct python_thread){.address = thread, .interpreter = (int64_t)id, .holds_gil = thread == holder};
        read_field(r, thread, PYTHON_THREAD_NATIVE, &t->native);
        if (read_field(r, thread, PYTHON_THREAD_NEXT, &thread) < 0)
            break;
    }
    r->stacks->complete &= thread == 0;
    return 0;
}

static int read_interpreters(struct reader *r)
{
    uint64_t interpreter;
    int e = read_field(r, r->runtime, PYTHON_RUNTIME_INTERPRETERS, &interpreter);
    if (e == 0 && !interpreter)
        e = -EBADMSG; /* not begun yet, or over */
    for (unsigned i = 0; e == 0 && interpreter; i++) {
        if (i == INTERPRETERS_MAX) {
            r->stacks->complete = false;
            break;
        }
        e = read_threads(r, interpreter);
        if (e == 0 && read_field(r, interpreter, PYTHON_INTERPRETER_NEXT, &interpreter) < 0) {
            r->stacks->complete = false;
            break;
        }
    }
    return e;
}

int python_frames_read(struct python_stacks *s, const struct python_memory *m, uint64_t runtime, uint32_t version)
{
    struct reader r = {.memory = m, .stacks = s, .runtime = runtime};
    *s = (struct python_stacks){.complete = true};
    int e = choose_layout(&r, version);
    s->minor = r.layout.minor;
    if (e == 0)
        e = read_interpreters(&r);
    for (size_t i = 0; e == 0 && i < s->threads; i++)
        e = read_frames(&r, &s->thread[i]);
    free(r.bucket);
    if (e < 0)
        python_frames_free(s);
    return e;
}

void python_frames_free(struct python_stacks *s)
{
    for (size_t i = 0; i < s->threads; i++)
        free(s->thread[i].frame);
    for (size_t i = 0; i < s->code_count; i++) {
        free(s->codes[i].function);
        free(s->codes[i].file);
        free(s->codes[i].table);
    }
    free(s->thread);
    free(s->codes);
    *s = (struct python_stacks){0};
}
