#include "capture_file.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "capture_fields.h"
#include "clock.h"
#include "interning.h"

struct capture_writer {
    int fd;
    capture_compressor *compress;
    bool redact;
    int error; /* of a write, from then on */
    uint64_t bytes;
    uint32_t sequence, looks;
    uint64_t began, ended;        /* of the look being written */
    uint32_t sites;               /* the last that is in the file */
    bool noted;                   /* so are the notes */
    struct interning strings;     /* those in the file, or in the next block of strings */
    uint32_t strings_written;
    struct capture_bytes pending; /* strings not yet in the file */
    struct capture_bytes rows;    /* of the table being written */
    uint64_t row_count;
    struct capture_bytes body, block; /* what is about to be written: before and after compression */
};

/* ---- bytes to the file ---- */

/* A pipe that was told not to wait says so. */
static int await_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int write_all(struct capture_writer *w, const uint8_t *data, size_t bytes)
{
    while (bytes && !w->error) {
        ssize_t n = write(w->fd, data, bytes);
        if (n < 0 && errno == EAGAIN)
            w->error = await_room(w->fd);
        else if (n < 0 && errno != EINTR)
            w->error = -errno;
        if (n > 0) {
            data += n;
            bytes -= (size_t)n;
            w->bytes += (uint64_t)n;
        }
    }
    return w->error;
}

static size_t compress_body(struct capture_writer *w, struct capture_block *b)
{
    size_t least = b->raw / CAPTURE_RATIO_MAX + 1;
    size_t n = w->compress && b->raw > 1 ? w->compress(w->block.data + CAPTURE_BLOCK_HEADER, b->raw - 1, w->body.data, w->body.used) : 0;
    return n >= least ? n : 0;
}

/* One write(2) a block, so that a killed writer leaves whole ones. */
static int write_block(struct capture_writer *w, enum capture_kind kind, uint32_t look)
{
    struct capture_block b = {.kind = (uint16_t)kind, .raw = (uint32_t)w->body.used, .sequence = w->sequence, .look = look};
    b.began = w->began;
    b.ended = w->ended;
    w->block.used = 0;
    capture_bytes_add(&w->block, (uint8_t[CAPTURE_BLOCK_HEADER]){0}, CAPTURE_BLOCK_HEADER);
    capture_bytes_add(&w->block, w->body.data, w->body.used);
    if (w->body.failed || w->block.failed)
        return w->error = -ENOMEM;
    if (w->body.used > CAPTURE_RAW_MAX)
        return w->error = -E2BIG;
    size_t n = compress_body(w, &b);
    b.stored = n ? (uint32_t)n : b.raw;
    b.flags = n ? CAPTURE_COMPRESSED : 0;
    if (!n && b.raw)
        memcpy(w->block.data + CAPTURE_BLOCK_HEADER, w->body.data, b.raw);
    capture_block_encode(w->block.data, &b, w->block.data + CAPTURE_BLOCK_HEADER);
    w->sequence++;
    return write_all(w, w->block.data, CAPTURE_BLOCK_HEADER + b.stored);
}

/* ---- strings: they are in the file before what refers to them ---- */

static void flush_strings(struct capture_writer *w)
{
    uint32_t count = w->strings.count - w->strings_written;
    if (!count || w->error)
        return;
    w->body.used = 0;
    capture_bytes_number(&w->body, w->strings_written + 1);
    capture_bytes_number(&w->body, count);
    capture_bytes_add(&w->body, w->pending.data, w->pending.used);
    w->strings_written = w->strings.count;
    if (w->pending.failed)
        w->error = -ENOMEM;
    w->pending.used = 0;
    if (!w->error)
        write_block(w, CAPTURE_STRINGS, 0);
}

static uint64_t string_number(void *context, const char *text)
{
    struct capture_writer *w = context;
    bool fresh;
    if (!text || !*text)
        return 0;
    uint32_t number = interning_number(&w->strings, text, &fresh);
    if (!number)
        w->error = -ENOMEM;
    if (!number || !fresh)
        return number;
    size_t bytes = strlen(text);
    capture_bytes_number(&w->pending, bytes);
    capture_bytes_add(&w->pending, text, bytes);
    if (w->pending.used >= CAPTURE_BLOCK_GOAL)
        flush_strings(w);
    return number;
}

/* ---- tables ---- */

static void flush_rows(struct capture_writer *w, enum capture_kind kind, uint32_t look)
{
    struct capture_bytes heading = {0};
    if (!w->row_count || w->error)
        return;
    capture_table_heading(&heading, &capture_tables[kind], string_number, w);
    flush_strings(w);
    w->body.used = 0;
    capture_bytes_add(&w->body, heading.data, heading.used);
    capture_bytes_number(&w->body, w->row_count);
    capture_bytes_add(&w->body, w->rows.data, w->rows.used);
    if (heading.failed || w->rows.failed)
        w->error = -ENOMEM;
    capture_bytes_free(&heading);
    w->rows.used = 0;
    w->row_count = 0;
    if (!w->error)
        write_block(w, kind, look);
}

static void add_row(struct capture_writer *w, enum capture_kind kind, uint32_t look, const void *row)
{
    if (w->error)
        return;
    capture_table_row(&w->rows, &capture_tables[kind], row, string_number, w);
    w->row_count++;
    if (w->rows.used >= CAPTURE_BLOCK_GOAL)
        flush_rows(w, kind, look);
}

static void write_rows(struct capture_writer *w, enum capture_kind kind, uint32_t look, const void *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_row(w, kind, look, (const char *)rows + i * capture_tables[kind].row);
    flush_rows(w, kind, look);
}

/* ---- a look ---- */

static void write_notes(struct capture_writer *w, const struct recording *r)
{
    if (!w->noted)
        write_rows(w, CAPTURE_NOTES, 0, r->note, r->notes);
    w->noted = true;
}

/* Those that are new. */
static void write_sites(struct capture_writer *w, const struct profile *p)
{
    for (uint32_t i = 0; i < p->sites; i++) {
        struct profile_site site = p->site[i];
        if (site.id <= w->sites)
            continue;
        w->sites = site.id;
        if (w->redact)
            site.file = (char *)recording_redacted_path(site.file);
        add_row(w, CAPTURE_SITES, 0, &site);
    }
    flush_rows(w, CAPTURE_SITES, 0);
}

static void write_processes(struct capture_writer *w, const struct recording *r)
{
    for (uint32_t i = 0; i < r->processes; i++) {
        struct recording_process process = r->process[i];
        if (w->redact)
            process.command = "";
        add_row(w, CAPTURE_PROCESSES, w->looks, &process);
    }
    flush_rows(w, CAPTURE_PROCESSES, w->looks);
    write_rows(w, CAPTURE_CONSUMERS, w->looks, r->consumer, r->consumers);
}

/* Of those that were called; the others have a name, and no more. */
static uint32_t write_functions(struct capture_writer *w, const struct profile *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->sites; i++) {
        const struct profile_site *site = &p->site[i];
        if (!metric_any(&site->t) && !site->spread.ended && !site->processes)
            continue;
        add_row(w, CAPTURE_FUNCTIONS, w->looks, site);
        count++;
    }
    flush_rows(w, CAPTURE_FUNCTIONS, w->looks);
    return count;
}

static uint32_t write_nodes(struct capture_writer *w, const struct profile *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->threads; i++) {
        struct capture_node row = {.thread = i};
        unsigned depth = 0;
        for (uint32_t k = p->thread[i].first_root; k; k = profile_next(p, k, &depth)) {
            row.depth = depth;
            row.node = p->node[k];
            add_row(w, CAPTURE_NODES, w->looks, &row);
            count++;
        }
    }
    flush_rows(w, CAPTURE_NODES, w->looks);
    return count;
}

/* With it the look is complete. */
static void write_totals(struct capture_writer *w, const struct recording *r, uint32_t functions, uint32_t nodes)
{
    struct recording row = *r;
    row.profile.sites = functions;
    row.profile.nodes = nodes;
    add_row(w, CAPTURE_TOTALS, w->looks, &row);
    flush_rows(w, CAPTURE_TOTALS, w->looks);
}

int capture_writer_look(struct capture_writer *w, const struct recording *r)
{
    const struct profile *p = &r->profile;
    if (r->processes > RECORDING_PROCESSES)
        return -E2BIG;
    w->looks++;
    w->began = r->began;
    w->ended = r->ended;
    write_notes(w, r);
    write_sites(w, p);
    write_processes(w, r);
    write_rows(w, CAPTURE_THREADS, w->looks, p->thread, p->threads);
    uint32_t functions = write_functions(w, p);
    write_rows(w, CAPTURE_HISTOGRAMS, w->looks, p->bucket, p->buckets);
    write_rows(w, CAPTURE_PAIRS, w->looks, p->pair, p->pairs);
    uint32_t nodes = write_nodes(w, p);
    write_totals(w, r, functions, nodes);
    return w->error;
}

/* ---- the file ---- */

static int write_header(struct capture_writer *w)
{
    uint8_t bytes[CAPTURE_FILE_HEADER];
    struct capture_header h = {.major = CAPTURE_MAJOR, .minor = CAPTURE_MINOR, .bytes = sizeof bytes, .created = clock_ns(CLOCK_REALTIME)};
    h.flags = w->redact ? CAPTURE_REDACTED : 0;
    if (getrandom(h.id, sizeof h.id, 0) != sizeof h.id)
        return w->error = -errno;
    capture_header_encode(bytes, &h);
    return write_all(w, bytes, sizeof bytes);
}

int capture_writer_open(struct capture_writer **w, int fd, capture_compressor *compress, bool redact)
{
    *w = calloc(1, sizeof **w);
    if (!*w)
        return -ENOMEM;
    **w = (struct capture_writer){.fd = fd, .compress = compress, .redact = redact};
    return write_header(*w);
}

int capture_writer_finish(struct capture_writer *w)
{
    if (w->error)
        return w->error;
    w->body.used = 0;
    return write_block(w, CAPTURE_END, 0);
}

uint64_t capture_writer_bytes(const struct capture_writer *w) { return w->bytes; }

void capture_writer_free(struct capture_writer *w)
{
    if (!w)
        return;
    interning_free(&w->strings);
    capture_bytes_free(&w->pending);
    capture_bytes_free(&w->rows);
    capture_bytes_free(&w->body);
    capture_bytes_free(&w->block);
    free(w);
}
