#include "capture_take.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "process.h"

#define SITE_MOST ((1u << 24) - 1) /* what a profile can number */
#define ROWS_MOST (UINT32_MAX / 2)

/* ---- strings ---- */

static bool add_string(struct capture_taking *t, const char *text)
{
    const char **more = array_room(t->strings.text, (size_t)t->strings.count + 1, &t->strings_room, sizeof *more);
    if (!more)
        return false;
    t->strings.text = more;
    more[0] = "";
    more[++t->strings.count] = text;
    return true;
}

/* Room for what a block has: each string is told with a length before it, which is as long as the 0 after it. */
static char *new_texts(struct capture_taking *t, size_t bytes)
{
    char **more = array_room(t->texts, t->texts_count, &t->texts_room, sizeof *more);
    char *made = more ? malloc(bytes + 1) : NULL;
    if (more)
        t->texts = more;
    if (made)
        t->texts[t->texts_count++] = made;
    return made;
}

static void copy_text(char *to, const uint8_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = from[i] ? (char)from[i] : '?';
    to[bytes] = '\0';
}

/* What is no name, and shown as it is. NULL: no memory. */
static char *printable(const char *text)
{
    char *copy = strdup(text);
    if (copy)
        process_printable(copy);
    return copy;
}

static int take_strings(struct capture_taking *t, struct capture_cursor *c)
{
    uint64_t first, count, length;
    size_t bytes = (size_t)(c->end - c->at);
    if (!capture_cursor_number(c, &first) || !capture_cursor_number(c, &count) || first != (uint64_t)t->strings.count + 1 || count > bytes)
        return -EBADMSG;
    char *to = new_texts(t, bytes);
    for (; to && count; count--) {
        if (!capture_cursor_number(c, &length) || length > (uint64_t)(c->end - c->at))
            return -EBADMSG;
        copy_text(to, c->at, (size_t)length);
        c->at += length;
        if (t->strings.count == ROWS_MOST || !add_string(t, to))
            return -ENOMEM;
        to += length + 1;
    }
    return !to ? -ENOMEM : c->at == c->end ? 0 : -EBADMSG;
}

/* ---- what it is about ---- */

#define NEW_ROW(array, count, room) new_row((void **)&(array), &(count), &(room), sizeof *(array))
static void *new_row(void **array, uint32_t *count, size_t *room, size_t size)
{
    void *more = *count < ROWS_MOST ? array_room(*array, *count, room, size) : NULL;
    if (!more)
        return NULL;
    *array = more;
    return (char *)more + size * (*count)++;
}

static int take_note(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct recording *r = t->recording;
    const struct recording_note *from = row;
    struct recording_note *note = NEW_ROW(r->note, r->notes, t->notes_room);
    if (!note)
        return -ENOMEM;
    *note = (struct recording_note){printable(from->key), printable(from->value)};
    return note->key && note->value ? 0 : -ENOMEM;
}

static int take_process(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct recording *r = t->recording;
    const struct recording_process *from = row;
    if (r->processes == RECORDING_PROCESSES || from->pid > INT32_MAX || from->header.pid > INT32_MAX)
        return -EBADMSG;
    struct recording_process *process = NEW_ROW(r->process, r->processes, t->processes_room);
    if (!process)
        return -ENOMEM;
    *process = *from;
    process->command = printable(from->command);
    return process->command ? 0 : -ENOMEM;
}

static int take_consumer(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct recording *r = t->recording;
    const struct recording_consumer *from = row;
    if (from->process >= r->processes || from->consumer.kind >= CONSUMER_KINDS || !from->consumer.number)
        return -EBADMSG;
    struct recording_consumer *consumer = NEW_ROW(r->consumer, r->consumers, t->consumers_room);
    if (consumer)
        *consumer = *from;
    return consumer ? 0 : -ENOMEM;
}

/* ---- functions ---- */

static int take_site(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile *p = &t->recording->profile;
    const struct profile_site *from = row;
    uint32_t before = p->sites ? p->site[p->sites - 1].id : 0;
    if (from->id <= before || from->id > SITE_MOST || from->kind > SITE_BUILTIN || from->kind == SITE_OWN)
        return -EBADMSG;
    struct profile_site *site = NEW_ROW(p->site, p->sites, t->sites_room);
    if (!site)
        return -ENOMEM;
    *site = (struct profile_site){.id = from->id, .line = from->line, .track = from->track, .kind = from->kind};
    site->name = strdup(from->name);
    site->qualname = strdup(from->qualname);
    site->module = strdup(from->module);
    site->file = strdup(from->file);
    return site->name && site->qualname && site->module && site->file ? 0 : -ENOMEM;
}

/* What those who use a profile may rely on. */
static void settle(struct profile_times *t, bool other)
{
    if (t->exclusive > t->inclusive && !other)
        t->exclusive = t->inclusive;
    if (t->off_inclusive > t->inclusive)
        t->off_inclusive = t->inclusive;
    if (t->off_exclusive > t->exclusive)
        t->off_exclusive = t->exclusive;
}

static int take_function(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile_site told = *(const struct profile_site *)row, *site = (struct profile_site *)profile_site(&t->recording->profile, told.id);
    if (!site)
        return -EBADMSG;
    const struct profile_site names = *site;
    *site = told;
    site->name = names.name;
    site->qualname = names.qualname;
    site->module = names.module;
    site->file = names.file;
    site->line = names.line;
    site->track = names.track;
    site->kind = names.kind;
    t->functions++;
    return 0;
}

static int take_bucket(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile *p = &t->recording->profile;
    const struct profile_bucket *from = row, *before = p->buckets ? &p->bucket[p->buckets - 1] : NULL;
    if (before && profile_bucket_compare(before, from) >= 0)
        return -EBADMSG;
    if (!profile_site(p, from->site) || from->kind >= BLOCK_KINDS || from->exponent >= HISTOGRAM_EXPONENTS)
        return -EBADMSG;
    struct profile_bucket *bucket = NEW_ROW(p->bucket, p->buckets, t->buckets_room);
    if (bucket)
        *bucket = *from;
    return bucket ? 0 : -ENOMEM;
}

static int take_pair(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile *p = &t->recording->profile;
    const struct profile_pair *from = row, *before = p->pairs ? &p->pair[p->pairs - 1] : NULL;
    bool follows = !before || before->caller < from->caller || (before->caller == from->caller && before->callee < from->callee);
    if (!follows || !profile_site(p, from->callee) || (from->caller && !profile_site(p, from->caller)))
        return -EBADMSG;
    struct profile_pair *pair = NEW_ROW(p->pair, p->pairs, t->pairs_room);
    if (pair)
        *pair = *from;
    return pair ? 0 : -ENOMEM;
}

/* ---- threads and their trees ---- */

static int take_thread(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile *p = &t->recording->profile;
    const struct profile_thread *from = row;
    if (from->process >= t->recording->processes)
        return -EBADMSG;
    struct profile_thread *thread = NEW_ROW(p->thread, p->threads, t->threads_room);
    if (thread)
        *thread = *from;
    return thread ? 0 : -ENOMEM;
}

/* Nodes are [1 .. nodes]; 0 is none. */
static struct profile_node *new_node(struct capture_taking *t)
{
    struct profile *p = &t->recording->profile;
    if (p->nodes == ROWS_MOST)
        return NULL;
    struct profile_node *more = array_room(p->node, (size_t)p->nodes + 1, &t->nodes_room, sizeof *more);
    if (!more)
        return NULL;
    p->node = more;
    if (p->nodes == 0)
        more[0] = (struct profile_node){0};
    return &more[++p->nodes];
}

/* As where a profile is made from lanes, the roots have a parent that nobody shows. */
static int begin_thread(struct capture_taking *t, uint32_t thread)
{
    struct profile_node *top = new_node(t);
    if (!top)
        return -ENOMEM;
    *top = (struct profile_node){0};
    t->thread = thread + 1;
    t->last = 0;
    t->depth = 0;
    return 0;
}

static void link_node(struct capture_taking *t, uint32_t i, uint32_t depth, uint32_t thread)
{
    struct profile *p = &t->recording->profile;
    uint32_t sibling = t->last;
    if (!t->last) {
        p->thread[thread].first_root = i;
        p->node[i].parent = i - 1;
        p->node[i - 1].first_child = i;
    } else if (depth > t->depth) {
        p->node[i].parent = t->last;
        p->node[t->last].first_child = i;
    } else {
        for (uint32_t up = t->depth; up > depth; up--)
            sibling = p->node[sibling].parent;
        p->node[i].parent = p->node[sibling].parent;
        p->node[sibling].next_sibling = i;
    }
    t->last = i;
    t->depth = depth;
}

static int take_node(void *context, const void *row)
{
    struct capture_taking *t = context;
    struct profile *p = &t->recording->profile;
    const struct capture_node *from = row;
    bool fresh = from->thread + 1 != t->thread;
    if (from->thread >= p->threads || from->thread + 1 < t->thread || (!from->node.other && !profile_site(p, from->node.site)))
        return -EBADMSG;
    if (from->depth > (fresh ? 0 : t->depth + 1))
        return -EBADMSG;
    if (fresh && begin_thread(t, from->thread) < 0)
        return -ENOMEM;
    struct profile_node *node = new_node(t);
    if (!node)
        return -ENOMEM;
    *node = (struct profile_node){.site = from->node.site, .other = from->node.other, .t = from->node.t};
    settle(&node->t, node->other);
    link_node(t, p->nodes, from->depth, from->thread);
    t->node_rows++;
    return 0;
}

/* ---- the totals ---- */

static int take_totals(void *context, const void *row)
{
    struct capture_taking *t = context;
    if (t->total)
        return -EBADMSG;
    t->totals = *(const struct recording *)row;
    t->total = true;
    return 0;
}

static bool agrees(const struct capture_taking *t)
{
    const struct recording *r = t->recording, *told = &t->totals;
    const struct profile *p = &r->profile, *q = &told->profile;
    bool rate = told->ns_per_tick > 0 && told->ns_per_tick < 1e9; /* not with a NaN */
    return t->total && rate && told->view < RECORDING_VIEWS && r->processes && told->processes == r->processes && told->consumers == r->consumers && q->threads == p->threads &&
           q->sites == t->functions && q->buckets == p->buckets && q->pairs == p->pairs && q->nodes == t->node_rows;
}

/* Of each profile the arrays are those that have been taken, the rest is as it was told. */
int capture_take_all(struct capture_taking *t)
{
    struct recording *r = t->recording;
    const struct recording had = *r;
    if (!agrees(t))
        return -EBADMSG;
    *r = t->totals;
    r->process = had.process;
    r->consumer = had.consumer;
    r->note = had.note;
    r->notes = had.notes;
    r->redacted = had.redacted;
    r->began = had.began;
    r->ended = had.ended;
    const struct profile *p = &had.profile;
    struct profile *q = &r->profile;
    q->site = p->site;
    q->sites = p->sites;
    q->pair = p->pair;
    q->bucket = p->bucket;
    q->node = p->node;
    q->nodes = p->nodes;
    q->thread = p->thread;
    return 0;
}

/* ---- the whole ---- */

int capture_take(struct capture_taking *t, enum capture_kind kind, struct capture_cursor *c)
{
    static capture_take_row *const take[CAPTURE_KINDS] = {
        [CAPTURE_NOTES] = take_note,         [CAPTURE_SITES] = take_site,       [CAPTURE_PROCESSES] = take_process,
        [CAPTURE_CONSUMERS] = take_consumer, [CAPTURE_THREADS] = take_thread,   [CAPTURE_FUNCTIONS] = take_function,
        [CAPTURE_HISTOGRAMS] = take_bucket,  [CAPTURE_PAIRS] = take_pair,       [CAPTURE_NODES] = take_node,
        [CAPTURE_TOTALS] = take_totals,
    };
    union {
        struct recording_note note;
        struct recording_process process;
        struct recording_consumer consumer;
        struct profile_site site;
        struct profile_thread thread;
        struct profile_bucket bucket;
        struct profile_pair pair;
        struct capture_node node;
        struct recording totals;
    } row;
    if (kind == CAPTURE_STRINGS)
        return take_strings(t, c);
    return take[kind] ? capture_table_read(c, &capture_tables[kind], &t->strings, &row, take[kind], t) : 0;
}

void capture_taking_free(struct capture_taking *t)
{
    for (size_t i = 0; i < t->texts_count; i++)
        free(t->texts[i]);
    free(t->texts);
    free(t->strings.text);
}
