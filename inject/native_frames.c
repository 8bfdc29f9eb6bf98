#include "native_frames.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "remote.h"
#include "split.h"
#include "stack.h"
#include "stopper.h"
#include "tracee.h"

#define FRAMES_MAX 65536

static const char interpreter[] = "_PyEval_EvalFrameDefault";

/* ---- a part of it without a name ---- */

static int read_memory(void *context, uint64_t address, void *buffer, size_t size)
{
    return remote_read(*(const pid_t *)context, address, buffer, size);
}

static void find_rest(struct native_stacks *s, pid_t pid)
{
    struct image *i;
    struct python_memory memory = {.read = read_memory, .context = &pid};
    uint64_t function = images_symbol(&s->images, interpreter, &i);
    if (!function || !i->kept)
        return;
    struct unwind_table table = image_unwind_table(i);
    if (!split_find(&table, i->file.machine, &memory, function, &s->rest))
        s->rest = (struct procedure){0};
}

/* ---- walking ---- */

static bool is_interpreter(const struct native_stacks *s, const struct native_frame *f)
{
    if (!f->symbol)
        return f->pc >= s->rest.begin && f->pc < s->rest.end;
    return strncmp(f->symbol->name, interpreter, sizeof interpreter - 1) == 0; /* compilers add ".cold" and the like */
}

static void name_frame(const struct native_stacks *s, struct native_frame *f, const struct stack_frame *from)
{
    *f = (struct native_frame){.pc = from->pc, .image = from->image};
    f->symbol = from->image ? image_symbol_at(from->image, from->pc) : NULL;
    f->python = is_interpreter(s, f);
}

struct walk {
    struct stack_frame *frame; /* of one thread */
    size_t *count;             /* per thread */
    struct stack_frame **kept;
    bool *whole;
};

/* Under the stop nothing is looked up but what unwinding needs. */
static int walk_thread(struct unwinder *u, const struct stopped *t, struct stack_frame *room, struct stack_frame **kept, size_t *count, bool *whole)
{
    *count = 0;
    *kept = NULL;
    if (!t->here)
        return 0;
    *whole = unwinder_walk(u, &t->registers, room, FRAMES_MAX, count) == STACK_BOTTOM;
    *kept = malloc((*count + 1) * sizeof **kept);
    if (!*kept)
        return -ENOMEM;
    memcpy(*kept, room, *count * sizeof **kept);
    return 0;
}

static int take_thread(struct native_stacks *s, const struct stopped *t, const struct stack_frame *kept, size_t count, bool whole)
{
    struct native_thread *n = &s->thread[s->threads++];
    *n = (struct native_thread){.tid = t->tid, .stopped = t->here, .whole = whole};
    n->frame = calloc(count + 1, sizeof *n->frame);
    if (!n->frame)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        name_frame(s, &n->frame[n->frames++], &kept[i]);
    return 0;
}

static int walk_all(struct stopper *stop, struct unwinder *u, struct walk *w)
{
    int r = 0;
    w->frame = malloc(FRAMES_MAX * sizeof *w->frame);
    w->count = calloc(stop->count, sizeof *w->count);
    w->kept = calloc(stop->count, sizeof *w->kept);
    w->whole = calloc(stop->count, sizeof *w->whole);
    if (!w->frame || !w->count || !w->kept || !w->whole)
        return -ENOMEM;
    for (size_t i = 0; i < stop->count && r == 0; i++)
        r = walk_thread(u, &stop->thread[i], w->frame, &w->kept[i], &w->count[i], &w->whole[i]);
    return r;
}

static void free_walk(struct walk *w, size_t count)
{
    for (size_t i = 0; w->kept && i < count; i++)
        free(w->kept[i]);
    free(w->frame);
    free(w->count);
    free(w->kept);
    free(w->whole);
}

static int name_all(struct native_stacks *s, const struct stopper *stop, const struct walk *w)
{
    int r = 0;
    s->thread = calloc(stop->count, sizeof *s->thread);
    if (!s->thread)
        return -ENOMEM;
    for (size_t i = 0; i < stop->count && r == 0; i++)
        r = take_thread(s, &stop->thread[i], w->kept[i], w->count[i], w->whole[i]);
    return r;
}

/* ---- all of it ---- */

static void keep_tables(struct native_stacks *s, pid_t pid)
{
    for (size_t i = 0; i < s->images.count; i++)
        image_keep_unwind(&s->images.image[i], pid);
}

static int read_stopped(struct native_stacks *s, pid_t pid, struct unwinder *u, void (*meanwhile)(void *), void *context)
{
    struct stopper stop = {0};
    struct walk walk = {0};
    int r = stopper_stop(&stop, pid);
    s->complete = stop.complete;
    if (r == 0) {
        meanwhile(context);
        r = walk_all(&stop, u, &walk);
    }
    stopper_let_go(&stop);
    s->pause_us = stop.since ? tracee_now_us() - stop.since : 0;
    if (r == 0)
        r = name_all(s, &stop, &walk);
    free_walk(&walk, stop.count);
    stopper_free(&stop);
    return r;
}

int native_frames_read(struct native_stacks *s, pid_t pid, void (*meanwhile)(void *), void *context)
{
    *s = (struct native_stacks){0};
    int r = images_read(&s->images, pid, ELF_ALL);
    if (r < 0)
        return r;
    keep_tables(s, pid);
    find_rest(s, pid);
    struct unwinder *u = unwinder_new(&s->images);
    sigset_t before;
    sigprocmask(SIG_SETMASK, NULL, &before);
    tracee_hold_signals();
    r = u ? read_stopped(s, pid, u, meanwhile, context) : -ENOMEM;
    sigprocmask(SIG_SETMASK, &before, NULL);
    unwinder_delete(u);
    if (r < 0)
        native_frames_free(s);
    return r;
}

void native_frames_free(struct native_stacks *s)
{
    for (size_t i = 0; i < s->threads; i++)
        free(s->thread[i].frame);
    free(s->thread);
    images_free(&s->images);
    *s = (struct native_stacks){0};
}
