/* Capture files: what is written is read again; what is cut is read up to its last whole look; what lies is refused. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../support/recordings.h"
#include "capture_block.h"
#include "capture_file.h"
#include "support.h"

/* ---- files in memory ---- */

static int new_file(void)
{
    int fd = memfd_create("capture", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static size_t size_of(int fd)
{
    struct stat s;
    cr_assert_eq(fstat(fd, &s), 0);
    return (size_t)s.st_size;
}

static uint8_t *bytes_of(int fd, size_t *bytes)
{
    *bytes = size_of(fd);
    uint8_t *data = malloc(*bytes);
    cr_assert_eq(pread(fd, data, *bytes, 0), (ssize_t)*bytes);
    return data;
}

static int write_looks(const struct recording *r, unsigned looks, capture_compressor *compress, bool redact)
{
    struct capture_writer *w;
    int fd = new_file();
    cr_assert_eq(capture_writer_open(&w, fd, compress, redact), 0);
    for (unsigned i = 0; i < looks; i++)
        cr_assert_eq(capture_writer_look(w, r), 0);
    cr_assert_eq(capture_writer_finish(w), 0);
    cr_assert_eq(capture_writer_bytes(w), size_of(fd));
    capture_writer_free(w);
    return fd;
}

/* ---- equal? ---- */

static void expect_times(const struct profile_times *a, const struct profile_times *b)
{
    for (size_t i = 0; i < metric_count; i++)
        cr_assert_eq(metric_value(&metrics[i], a), metric_value(&metrics[i], b), "row %zu", i);
    cr_assert_eq(memcmp(a, b, sizeof *a), 0);
}

static void expect_sites(const struct profile *a, const struct profile *b)
{
    cr_assert_eq(a->sites, b->sites);
    for (uint32_t i = 0; i < a->sites; i++) {
        struct profile_site x = a->site[i], y = b->site[i];
        cr_assert_str_eq(x.name, y.name);
        cr_assert_str_eq(x.qualname, y.qualname);
        cr_assert_str_eq(x.module, y.module);
        cr_assert_str_eq(x.file, y.file);
        expect_times(&x.t, &y.t);
        x.name = x.qualname = x.module = x.file = y.name = y.qualname = y.module = y.file = NULL;
        cr_assert_eq(memcmp(&x, &y, sizeof x), 0, "function %u", x.id);
    }
}

static void expect_trees(const struct profile *a, const struct profile *b)
{
    cr_assert_eq(a->threads, b->threads);
    for (uint32_t i = 0; i < a->threads; i++) {
        const struct profile_thread *x = &a->thread[i], *y = &b->thread[i];
        unsigned depth = 0, other_depth = 0;
        uint32_t k = x->first_root, m = y->first_root;
        cr_assert(x->process == y->process && x->lane == y->lane && x->tid == y->tid && x->exited == y->exited && x->merged == y->merged);
        cr_assert(x->complete == y->complete && x->count == y->count && x->roots == y->roots);
        cr_assert_str_eq(x->name, y->name);
        while (k && m) {
            cr_assert_eq(a->node[k].site, b->node[m].site);
            cr_assert_eq(a->node[k].other, b->node[m].other);
            expect_times(&a->node[k].t, &b->node[m].t);
            cr_assert_eq(depth, other_depth);
            k = profile_next(a, k, &depth);
            m = profile_next(b, m, &other_depth);
        }
        cr_assert_eq(k, m, "as many nodes");
    }
}

static void expect_rest(const struct profile *a, const struct profile *b)
{
    cr_assert_eq(a->pairs, b->pairs);
    for (uint32_t i = 0; i < a->pairs; i++) {
        cr_assert(a->pair[i].caller == b->pair[i].caller && a->pair[i].callee == b->pair[i].callee);
        expect_times(&a->pair[i].t, &b->pair[i].t);
    }
    cr_assert_eq(a->buckets, b->buckets);
    for (uint32_t i = 0; i < a->buckets; i++) {
        cr_assert_eq(profile_bucket_compare(&a->bucket[i], &b->bucket[i]), 0);
        cr_assert_eq(memcmp(a->bucket[i].count, b->bucket[i].count, sizeof a->bucket[i].count), 0);
    }
    struct profile x = *a, y = *b;
    x.site = y.site = NULL;
    x.pair = y.pair = NULL;
    x.bucket = y.bucket = NULL;
    x.node = y.node = NULL;
    x.thread = y.thread = NULL;
    x.nodes = y.nodes = 0;
    cr_assert_eq(memcmp(&x, &y, sizeof x), 0, "all counters");
}

static void expect_processes(const struct recording *a, const struct recording *b)
{
    cr_assert_eq(a->processes, b->processes);
    for (uint32_t i = 0; i < a->processes; i++) {
        struct recording_process x = a->process[i], y = b->process[i];
        cr_assert_str_eq(x.command, y.command);
        x.command = y.command = NULL;
        cr_assert_eq(memcmp(&x, &y, sizeof x), 0, "process %u", i);
    }
    cr_assert_eq(a->consumers, b->consumers);
    cr_assert_eq(memcmp(a->consumer, b->consumer, a->consumers * sizeof *a->consumer), 0);
    cr_assert_eq(a->notes, b->notes);
    for (uint32_t i = 0; i < a->notes; i++) {
        cr_assert_str_eq(a->note[i].key, b->note[i].key);
        cr_assert_str_eq(a->note[i].value, b->note[i].value);
    }
}

static void expect_equal(const struct recording *a, const struct recording *b)
{
    expect_processes(a, b);
    expect_sites(&a->profile, &b->profile);
    expect_trees(&a->profile, &b->profile);
    expect_rest(&a->profile, &b->profile);
    cr_assert_eq(memcmp(&a->session, &b->session, sizeof a->session), 0);
    cr_assert(a->asof == b->asof && a->cpu_mode == b->cpu_mode && a->whole_tree == b->whole_tree && a->view == b->view && a->interval == b->interval);
    cr_assert(a->ns_per_tick == b->ns_per_tick && a->began == b->began && a->ended == b->ended && a->redacted == b->redacted);
}

/* ---- what is written is read again ---- */

static void expect_round_trip(capture_compressor *compress, unsigned looks)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    int fd = write_looks(&r, looks, compress, false);
    cr_assert(capture_is_one(fd));
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    expect_equal(&r, &again);
    cr_assert(x.finished && x.looks == looks && x.whole == x.bytes && x.bytes == size_of(fd));
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

Test(capture_file, keeps_everything) { expect_round_trip(NULL, 1); }
Test(capture_file, keeps_everything_compressed) { expect_round_trip(capture_zstd, 1); }
Test(capture_file, has_the_last_of_several_looks) { expect_round_trip(capture_zstd, 3); }

Test(capture_file, is_the_same_every_time)
{
    struct recording r = make_recording();
    size_t bytes[2];
    int fd[2] = {write_looks(&r, 2, NULL, false), write_looks(&r, 2, NULL, false)};
    uint8_t *data[2] = {bytes_of(fd[0], &bytes[0]), bytes_of(fd[1], &bytes[1])};
    cr_assert_eq(bytes[0], bytes[1]);
    cr_assert_eq(memcmp(data[0] + CAPTURE_FILE_HEADER, data[1] + CAPTURE_FILE_HEADER, bytes[0] - CAPTURE_FILE_HEADER), 0);
    for (int i = 0; i < 2; i++) {
        free(data[i]);
        close(fd[i]);
    }
    recording_free(&r);
}

Test(capture_file, keeps_numbers_of_all_sizes)
{
    static const uint64_t odd[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX};
    struct capture_extent x;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct recording r = make_recording(), again;
        r.profile.site[0].t = (struct profile_times){.calls = odd[i], .inclusive = odd[i], .exclusive = odd[i], .waited = odd[i]};
        r.profile.lost = r.profile.own = odd[i];
        r.profile.bucket[0].count[15] = odd[i];
        int fd = write_looks(&r, 1, capture_zstd, false);
        cr_assert_eq(capture_read(&again, fd, &x), 0);
        expect_equal(&r, &again);
        recording_free(&r);
        recording_free(&again);
        close(fd);
    }
}

Test(capture_file, new_functions_of_a_later_look)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    struct capture_writer *w;
    int fd = new_file();
    uint32_t pairs = r.profile.pairs;
    cr_assert_eq(capture_writer_open(&w, fd, capture_zstd, false), 0);
    r.profile.sites = 3; /* no node or pair has the others */
    r.profile.thread[2].first_root = 0;
    r.profile.pairs = 2;
    cr_assert_eq(capture_writer_look(w, &r), 0);
    r.profile.sites = MADE_SITES;
    r.profile.thread[2].first_root = 6;
    r.profile.pairs = pairs;
    cr_assert_eq(capture_writer_look(w, &r), 0);
    cr_assert_eq(capture_writer_finish(w), 0);
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    expect_equal(&r, &again);
    capture_writer_free(w);
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

Test(capture_file, redacted_has_no_command_and_no_folder)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    size_t bytes;
    int fd = write_looks(&r, 1, NULL, true);
    uint8_t *data = bytes_of(fd, &bytes);
    cr_assert_null(memmem(data, bytes, "srv", 3));
    cr_assert_null(memmem(data, bytes, "worker", 6));
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    cr_assert(again.redacted);
    cr_assert_str_eq(again.process[0].command, "");
    cr_assert_str_eq(again.profile.site[0].file, "file_0.py");
    free(data);
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

/* ---- long texts, many rows ---- */

Test(capture_file, long_texts_come_back)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    const size_t length = 64 << 10;
    free(r.profile.site[0].name);
    r.profile.site[0].name = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        r.profile.site[0].name[i] = "ab;'\"<\\"[i % 7];
    r.profile.site[0].name[length] = '\0';
    int fd = write_looks(&r, 1, capture_zstd, false);
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    expect_equal(&r, &again);
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

/* A chain of calls, and as many siblings below its end: many blocks of nodes. */
Test(capture_file, many_nodes_in_many_blocks)
{
    enum { DEPTH = 30000 };
    struct recording r = make_recording(), again;
    struct capture_extent x;
    struct profile *p = &r.profile;
    free(p->node);
    p->node = calloc(2 * DEPTH + 2, sizeof *p->node);
    p->nodes = 2 * DEPTH + 1;
    p->thread[2].first_root = 0;
    for (uint32_t i = 2; i <= p->nodes; i++) {
        bool deep = i <= DEPTH + 1;
        p->node[i] = (struct profile_node){.site = 1 + 2 * (i % 5), .t = made_times(i), .parent = deep ? i - 1 : DEPTH + 1};
        p->node[i].first_child = i <= DEPTH + 1 ? i + 1 : 0;
        p->node[i].next_sibling = !deep && i < p->nodes ? i + 1 : 0;
    }
    int fd = write_looks(&r, 1, capture_zstd, false);
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    expect_equal(&r, &again);
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

/* ---- cut, and changed ---- */

/* Two looks, told apart by their calls; where the first of them, and the file, are complete. */
static uint8_t *two_looks(capture_compressor *compress, size_t *first, size_t *bytes)
{
    struct recording r = make_recording();
    struct capture_writer *w;
    int fd = new_file();
    cr_assert_eq(capture_writer_open(&w, fd, compress, false), 0);
    r.profile.calls = 1;
    cr_assert_eq(capture_writer_look(w, &r), 0);
    *first = size_of(fd);
    r.profile.calls = 2;
    cr_assert_eq(capture_writer_look(w, &r), 0);
    cr_assert_eq(capture_writer_finish(w), 0);
    uint8_t *data = bytes_of(fd, bytes);
    capture_writer_free(w);
    recording_free(&r);
    close(fd);
    return data;
}

Test(capture_file, opens_up_to_the_last_whole_look_wherever_it_is_cut)
{
    size_t first, bytes;
    uint8_t *data = two_looks(NULL, &first, &bytes);
    const size_t second = bytes - CAPTURE_BLOCK_HEADER; /* the end is a block without a body */
    for (size_t cut = 0; cut <= bytes; cut++) {
        struct recording r;
        struct capture_extent x;
        int e = capture_read_memory(&r, data, cut, &x);
        cr_assert_eq(e, cut < CAPTURE_FILE_HEADER ? -EBADMSG : cut < first ? -ENODATA : 0, "cut at %zu: %d", cut, e);
        cr_assert(x.whole <= cut && x.bytes == cut && x.finished == (cut == bytes));
        if (e < 0)
            continue;
        cr_assert_eq(r.profile.calls, cut < second ? 1u : 2u, "cut at %zu", cut);
        cr_assert_eq(x.looks, r.profile.calls);
        recording_free(&r);
    }
    free(data);
}

/* A byte that was changed is noticed: what is read is one of the looks as it was written, or nothing. */
Test(capture_file, a_changed_byte_is_never_believed)
{
    size_t first, bytes;
    uint8_t *data = two_looks(capture_zstd, &first, &bytes);
    struct recording r, whole = make_recording();
    struct capture_extent x;
    for (size_t i = 0; i < bytes; i++) {
        data[i] ^= 1u << i % 8;
        if (capture_read_memory(&r, data, bytes, &x) == 0) {
            cr_assert(r.profile.calls == 1 || r.profile.calls == 2);
            whole.profile.calls = r.profile.calls;
            expect_equal(&whole, &r);
            cr_assert(!x.finished && x.whole < bytes, "byte %zu", i);
            recording_free(&r);
        }
        data[i] ^= 1u << i % 8;
    }
    recording_free(&whole);
    free(data);
}

/* ---- other versions ---- */

/* Blocks of `bytes` at `data`, one by one; 0 after the last. */
static size_t next_block(const uint8_t *data, size_t at, size_t bytes, struct capture_block *b)
{
    cr_assert(bytes - at >= CAPTURE_BLOCK_HEADER && capture_block_decode(b, data + at));
    size_t next = at + CAPTURE_BLOCK_HEADER + b->stored;
    return next < bytes ? next : 0;
}

/* As a later version may write it: a longer header, and between all blocks one of a kind that nobody knows. */
Test(capture_file, blocks_of_unknown_kinds_are_passed_over)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    size_t bytes, at = CAPTURE_FILE_HEADER, used = CAPTURE_FILE_HEADER + 16;
    int fd = write_looks(&r, 1, capture_zstd, false);
    uint8_t *data = bytes_of(fd, &bytes), *later = calloc(1, 2 * bytes + (1 << 16));
    struct capture_header h = {.major = CAPTURE_MAJOR, .minor = CAPTURE_MINOR + 1, .bytes = (uint32_t)used};
    capture_header_encode(later, &h);
    for (uint32_t sequence = 0; at;) {
        struct capture_block b, odd = {.kind = 4711, .stored = 3, .raw = 3, .look = sequence % 2};
        size_t next = next_block(data, at, bytes, &b);
        odd.sequence = sequence++;
        capture_block_encode(later + used, &odd, "odd");
        memcpy(later + used + CAPTURE_BLOCK_HEADER, "odd", 3);
        used += CAPTURE_BLOCK_HEADER + 3;
        b.sequence = sequence++;
        capture_block_encode(later + used, &b, data + at + CAPTURE_BLOCK_HEADER);
        memcpy(later + used + CAPTURE_BLOCK_HEADER, data + at + CAPTURE_BLOCK_HEADER, b.stored);
        used += CAPTURE_BLOCK_HEADER + b.stored;
        at = next;
    }
    cr_assert_eq(capture_read_memory(&again, later, used, &x), 0);
    expect_equal(&r, &again);
    cr_assert(x.finished);
    free(data);
    free(later);
    recording_free(&r);
    recording_free(&again);
    close(fd);
}

Test(capture_file, another_major_version_is_refused_by_its_number)
{
    uint8_t data[CAPTURE_FILE_HEADER];
    struct recording r;
    struct capture_extent x;
    struct capture_header h = {.major = CAPTURE_MAJOR + 1, .minor = 7, .bytes = sizeof data};
    capture_header_encode(data, &h);
    cr_assert_eq(capture_read_memory(&r, data, sizeof data, &x), -EPROTONOSUPPORT);
    cr_assert_eq(x.version, (CAPTURE_MAJOR + 1) << 16 | 7);
}

/* ---- lies ---- */

/* A file with one block that is whole by its sum. */
static int read_lie(struct capture_block b, const void *body, size_t bytes)
{
    uint8_t *data = calloc(1, CAPTURE_FILE_HEADER + CAPTURE_BLOCK_HEADER + bytes);
    struct recording r;
    struct capture_extent x;
    struct capture_header h = {.major = CAPTURE_MAJOR, .bytes = CAPTURE_FILE_HEADER};
    capture_header_encode(data, &h);
    b.stored = (uint32_t)bytes;
    capture_block_encode(data + CAPTURE_FILE_HEADER, &b, body);
    if (bytes)
        memcpy(data + CAPTURE_FILE_HEADER + CAPTURE_BLOCK_HEADER, body, bytes);
    int e = capture_read_memory(&r, data, CAPTURE_FILE_HEADER + CAPTURE_BLOCK_HEADER + bytes, &x);
    free(data);
    return e;
}

Test(capture_file, lengths_that_cannot_be_end_the_file)
{
    cr_assert_eq(read_lie((struct capture_block){.kind = CAPTURE_TOTALS, .raw = CAPTURE_RAW_MAX + 1}, "", 0), -ENODATA);
    cr_assert_eq(read_lie((struct capture_block){.kind = CAPTURE_TOTALS, .raw = 2, .look = 1}, "x", 1), -ENODATA);
    cr_assert_eq(read_lie((struct capture_block){.kind = CAPTURE_TOTALS, .flags = CAPTURE_COMPRESSED, .raw = 1 << 20, .look = 1}, "x", 1), -ENODATA);
    cr_assert_eq(read_lie((struct capture_block){.kind = CAPTURE_TOTALS, .raw = 1, .look = 1, .sequence = 1}, "\0", 1), -ENODATA);
}

Test(capture_file, what_grows_too_much_is_refused)
{
    static uint8_t zeros[1 << 20], small[1 << 12];
    size_t n = capture_zstd(small, sizeof small, zeros, sizeof zeros);
    cr_assert(n > 0 && n < sizeof zeros / CAPTURE_RATIO_MAX, "a bomb");
    struct capture_block b = {.kind = CAPTURE_TOTALS, .flags = CAPTURE_COMPRESSED, .raw = sizeof zeros, .look = 1};
    cr_assert_eq(read_lie(b, small, n), -ENODATA);
    b.raw = (uint32_t)n + 1; /* it says that it is small */
    cr_assert_eq(read_lie(b, small, n), -EBADMSG);
}

Test(capture_file, tables_that_cannot_be_are_refused)
{
    const struct capture_block totals = {.kind = CAPTURE_TOTALS, .raw = 3, .look = 1};
    cr_assert_eq(read_lie(totals, "\0\1\0", 3), -EBADMSG, "a row without columns");
    cr_assert_eq(read_lie(totals, "\1\5\1", 3), -EBADMSG, "a column's name that is not there");
    cr_assert_eq(read_lie(totals, "\1\0\x7f", 3), -EBADMSG, "more rows than bytes");
    cr_assert_eq(read_lie(totals, "\0\0\0", 3), -EBADMSG, "bytes after the last row");
    cr_assert_eq(read_lie(totals, "\1\0\0", 3), -EBADMSG, "totals without a row");
    cr_assert_eq(read_lie((struct capture_block){.kind = CAPTURE_TOTALS, .raw = 11, .look = 1}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0", 11), -EBADMSG,
                 "a number beyond 64 bits");
}

/* ---- the writer's errors ---- */

Test(capture_file, a_full_disk_is_an_error_and_the_file_good_up_to_there)
{
    struct recording r = make_recording(), again;
    struct capture_extent x;
    struct capture_writer *w;
    own_directory_make();
    int dirfd = own_directory_fd(), fd = openat(dirfd, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct rlimit limit = {.rlim_cur = 20000, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(capture_writer_open(&w, fd, NULL, false), 0);
    cr_assert_eq(capture_writer_look(w, &r), 0);
    limit.rlim_cur = size_of(fd) + 100;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(capture_writer_look(w, &r), -EFBIG);
    cr_assert_eq(capture_writer_look(w, &r), -EFBIG, "and stays one");
    cr_assert_eq(capture_writer_finish(w), -EFBIG);
    cr_assert_eq(capture_read(&again, fd, &x), 0);
    expect_equal(&r, &again);
    cr_assert(!x.finished && x.looks == 1);
    capture_writer_free(w);
    recording_free(&r);
    recording_free(&again);
    close(fd);
    close(dirfd);
    own_directory_remove();
}

Test(capture_file, more_processes_than_can_be_are_refused)
{
    struct recording r = {.processes = RECORDING_PROCESSES + 1};
    struct capture_writer *w;
    int fd = new_file();
    cr_assert_eq(capture_writer_open(&w, fd, NULL, false), 0);
    cr_assert_eq(capture_writer_look(w, &r), -E2BIG);
    capture_writer_free(w);
    close(fd);
}
