#include "capture_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture_expand.h"
#include "capture_fields.h"
#include "capture_take.h"
#include "process.h"

/* The file: a descriptor, or memory. */
struct input {
    int fd; /* -1: memory */
    const uint8_t *data;
    uint64_t bytes;
};

struct reader {
    struct input input;
    uint8_t *stored, *raw; /* a block as it is in the file, and its body */
    size_t stored_room, raw_room;
    uint32_t look;         /* that is wanted */
    struct capture_taking taking;
};

/* ---- bytes of the file ---- */

/* All of them: 0, -EIO where the file is not so long (any more), -errno. */
static int input_read(const struct input *in, uint64_t offset, void *to, size_t bytes)
{
    if (offset > in->bytes || bytes > in->bytes - offset)
        return -EIO;
    if (in->fd < 0)
        memcpy(to, in->data + offset, bytes);
    for (size_t done = 0; in->fd >= 0 && done < bytes;) {
        ssize_t n = pread(in->fd, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static bool make_room(uint8_t **buffer, size_t *room, size_t bytes)
{
    if (bytes <= *room)
        return true;
    uint8_t *more = realloc(*buffer, bytes);
    if (!more)
        return false;
    *buffer = more;
    *room = bytes;
    return true;
}

/* A whole block; -EBADMSG: there is none. */
static int read_block(struct reader *r, uint64_t offset, struct capture_block *b)
{
    uint8_t header[CAPTURE_BLOCK_HEADER];
    int e = input_read(&r->input, offset, header, sizeof header);
    if (e == 0 && !capture_block_decode(b, header))
        e = -EBADMSG;
    if (e == 0 && b->stored > r->input.bytes - offset - sizeof header)
        e = -EIO;
    if (e == 0 && !make_room(&r->stored, &r->stored_room, sizeof header + b->stored))
        return -ENOMEM;
    if (e == 0)
        e = input_read(&r->input, offset, r->stored, sizeof header + b->stored);
    if (e == 0 && (memcmp(r->stored, header, sizeof header) != 0 || !capture_block_check(r->stored, b)))
        e = -EBADMSG;
    return e == -EIO ? -EBADMSG : e;
}

typedef int visit_block(struct reader *r, const struct capture_block *b, struct capture_extent *x);

/* Whole blocks, in order, up to the first that is not or to the end. */
static int each_block(struct reader *r, uint64_t begin, uint64_t end, visit_block *visit, struct capture_extent *x)
{
    struct capture_block b = {.kind = CAPTURE_KINDS};
    uint64_t offset = begin;
    int e = 0;
    for (uint32_t sequence = 0; offset < end && e == 0 && b.kind != CAPTURE_END; sequence++) {
        e = read_block(r, offset, &b);
        if (e == 0 && b.sequence != sequence)
            e = -EBADMSG;
        if (e == -EBADMSG)
            return 0;
        if (e == 0)
            e = visit(r, &b, x);
        offset += CAPTURE_BLOCK_HEADER + b.stored;
        if (e == 0)
            x->whole = offset;
    }
    return e;
}

/* ---- first pass: what is there ---- */

static int note_block(struct reader *r, const struct capture_block *b, struct capture_extent *x)
{
    x->finished = b->kind == CAPTURE_END;
    if (b->kind != CAPTURE_TOTALS)
        return 0;
    x->looks++;
    r->look = b->look;
    r->taking.recording->began = b->began;
    r->taking.recording->ended = b->ended;
    return 0;
}

/* ---- second pass: the last look ---- */

static const uint8_t *body_of(struct reader *r, const struct capture_block *b, int *e)
{
    const uint8_t *stored = r->stored + CAPTURE_BLOCK_HEADER;
    if (!(b->flags & CAPTURE_COMPRESSED))
        return stored;
    *e = make_room(&r->raw, &r->raw_room, b->raw) ? 0 : -ENOMEM;
    if (*e == 0 && !capture_expand(r->raw, b->raw, stored, b->stored))
        *e = -EBADMSG;
    return r->raw;
}

static int take_block(struct reader *r, const struct capture_block *b, struct capture_extent *x)
{
    int e = 0;
    (void)x;
    if ((b->look && b->look != r->look) || b->kind >= CAPTURE_KINDS || b->kind == CAPTURE_END)
        return 0;
    const uint8_t *body = body_of(r, b, &e);
    if (e < 0)
        return e;
    struct capture_cursor c = {.at = body, .end = body + b->raw};
    return capture_take(&r->taking, b->kind, &c);
}

/* ---- the whole ---- */

static int read_header(const struct input *in, struct capture_header *h)
{
    uint8_t bytes[CAPTURE_FILE_HEADER];
    int e = input_read(in, 0, bytes, sizeof bytes);
    return e == 0 ? capture_header_decode(h, bytes) : e == -EIO ? -EBADMSG : e;
}

static int read_looks(struct reader *r, const struct capture_header *h, struct capture_extent *x)
{
    struct capture_extent again = {0};
    int e = each_block(r, h->bytes, x->bytes, note_block, x);
    if (e == 0 && !x->looks)
        e = -ENODATA;
    if (e == 0)
        e = each_block(r, h->bytes, x->whole, take_block, &again);
    if (e == 0 && again.whole != x->whole) /* it has changed meanwhile */
        e = -EBADMSG;
    return e == 0 ? capture_take_all(&r->taking) : e;
}

static int read_input(struct recording *to, const struct input *in, struct capture_extent *x)
{
    struct capture_header h = {0};
    struct reader r = {.input = *in, .taking = {.recording = to}};
    *to = (struct recording){0};
    *x = (struct capture_extent){.bytes = in->bytes};
    int e = read_header(in, &h);
    x->version = (uint32_t)h.major << 16 | h.minor;
    to->redacted = h.flags & CAPTURE_REDACTED;
    x->whole = e < 0 ? 0 : h.bytes < in->bytes ? h.bytes : in->bytes;
    if (e == 0)
        e = read_looks(&r, &h, x);
    capture_taking_free(&r.taking);
    free(r.stored);
    free(r.raw);
    if (e < 0)
        recording_free(to);
    return e;
}

bool capture_is_one(int fd)
{
    uint8_t magic[CAPTURE_MAGIC];
    return input_read(&(struct input){.fd = fd, .bytes = UINT64_MAX}, 0, magic, sizeof magic) == 0 && capture_magic_check(magic);
}

int capture_read(struct recording *r, int fd, struct capture_extent *x)
{
    struct stat status;
    *r = (struct recording){0};
    *x = (struct capture_extent){0};
    if (fstat(fd, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) ? read_input(r, &(struct input){.fd = fd, .bytes = (uint64_t)status.st_size}, x) : -EBADMSG;
}

int capture_read_memory(struct recording *r, const void *data, size_t bytes, struct capture_extent *x)
{
    return read_input(r, &(struct input){.fd = -1, .data = data, .bytes = bytes}, x);
}
