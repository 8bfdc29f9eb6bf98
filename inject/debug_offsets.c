#include "debug_offsets.h"

#include <errno.h>
#include <string.h>

#define FINAL 0xf0u
#define STRUCTURE_MAX (16u << 20)
#define PATH_MIN 64u
#define PATH_MAX_BYTES 4096u

/* Where it tells what, in words: the same up to the thread's state in all versions (pycore_debug_offsets.h). */
enum { COOKIE, VERSION, FREE_THREADED, RUNTIME_SIZE, FINALIZING, INTERPRETERS_HEAD, INTERPRETER };
enum { INTERPRETER_SIZE = INTERPRETER, INTERPRETER_ID, INTERPRETER_NEXT, THREADS_HEAD, THREADS_MAIN };
enum { THREAD_SIZE = INTERPRETER + 16, THREAD_PREVIOUS, THREAD_NEXT, THREAD_INTERPRETER };
enum { EVAL_BREAKER, SUPPORT, ENABLED, PENDING_CALL, SCRIPT_PATH, SCRIPT_PATH_SIZE, SUPPORT_WORDS };

/* And from there on by version. */
static const struct layout {
    unsigned minor, thread_native, support; /* words */
} layouts[] = {{14, 28, 89}, {15, 31, 105}};

#define WORDS (105 + SUPPORT_WORDS)

static const struct layout *layout_of(uint32_t version)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (version >> 24 == 3 && (version >> 16 & 0xff) == layouts[i].minor)
            return &layouts[i];
    return NULL;
}

static bool lies_within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset % (bytes < 8 ? bytes : 8) == 0 && bytes <= size && offset <= size - bytes;
}

static bool is_possible(const struct debug_offsets *o, uint64_t runtime_size, uint64_t interpreter_size)
{
    const uint64_t interpreter[] = {o->interpreter_id, o->interpreter_next, o->interpreter_threads, o->interpreter_main};
    const uint64_t thread[] = {o->thread_next, o->thread_interpreter, o->thread_native, o->thread_breaker};
    if (runtime_size > STRUCTURE_MAX || interpreter_size > STRUCTURE_MAX || o->thread_size > STRUCTURE_MAX)
        return false;
    for (size_t i = 0; i < sizeof interpreter / sizeof *interpreter; i++)
        if (!lies_within(interpreter[i], 8, interpreter_size) || !lies_within(thread[i], 8, o->thread_size))
            return false;
    return lies_within(o->runtime_interpreters, 8, runtime_size) && lies_within(o->interpreter_enabled, 4, interpreter_size) &&
           lies_within(o->thread_pending, 4, o->thread_size) && o->path_size >= PATH_MIN && o->path_size <= PATH_MAX_BYTES &&
           o->thread_path <= o->thread_size && o->path_size <= o->thread_size - o->thread_path;
}

static void take(struct debug_offsets *o, const uint64_t *told, const struct layout *l)
{
    const uint64_t *support = told + l->support;
    *o = (struct debug_offsets){.runtime_interpreters = told[INTERPRETERS_HEAD],
                                .interpreter_id = told[INTERPRETER_ID],
                                .interpreter_next = told[INTERPRETER_NEXT],
                                .interpreter_threads = told[THREADS_HEAD],
                                .interpreter_main = told[THREADS_MAIN],
                                .interpreter_enabled = support[ENABLED],
                                .thread_size = told[THREAD_SIZE],
                                .thread_next = told[THREAD_NEXT],
                                .thread_interpreter = told[THREAD_INTERPRETER],
                                .thread_native = told[l->thread_native],
                                .thread_breaker = support[EVAL_BREAKER],
                                .thread_pending = support[SUPPORT] + support[PENDING_CALL],
                                .thread_path = support[SUPPORT] + support[SCRIPT_PATH],
                                .path_size = support[SCRIPT_PATH_SIZE]};
}

/* Sums of offsets must not wrap round. */
static bool are_small(const uint64_t *told, const struct layout *l)
{
    for (int i = 0; i < SUPPORT_WORDS; i++)
        if (told[l->support + i] > STRUCTURE_MAX)
            return false;
    return true;
}

int debug_offsets_read(struct debug_offsets *o, const struct python_memory *m, uint64_t runtime, uint32_t version)
{
    uint64_t told[WORDS];
    const struct layout *l = layout_of(version);
    if (!l || (version & FINAL) != FINAL) /* before it is final a version may still change */
        return -EPROTONOSUPPORT;
    int r = m->read(m->context, runtime, told, (l->support + SUPPORT_WORDS) * sizeof *told);
    if (r < 0)
        return r;
    if (memcmp(&told[COOKIE], "xdebugpy", 8) != 0 || told[VERSION] != version)
        return -EBADMSG;
    if (told[FREE_THREADED])
        return -EPROTONOSUPPORT;
    take(o, told, l);
    return are_small(told, l) && is_possible(o, told[RUNTIME_SIZE], told[INTERPRETER_SIZE]) ? 0 : -EBADMSG;
}
