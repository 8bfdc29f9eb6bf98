/* What converting 100,000 call paths costs: 1,000 functions, 8 to 40 deep, in two threads. Each format is written to a file that
 * keeps nothing; the time is what the processor took for it, once, and its size. What reading the segment takes is beside it. */
#include <inttypes.h>

#include "../support/random.h"
#include "../support/segments.h"
#include "export.h"

enum { FUNCTIONS = 1000, PATHS = 56000 /* a thread */, DEEPEST = 40, CAPACITY = 256 << 20 };

static struct test_segment segment;

static struct lanes_options roomy_lanes(void)
{
    struct lanes_options o = small_lanes();
    o.limits.nodes = 1 << 20;
    return o;
}

/* Up and down at random; a step down is into a function of 64, so that most paths are new. */
static void record_thread(const char *name, uint64_t seed)
{
    struct random random = random_seeded(seed);
    struct writer *w = open_lane(&segment, name);
    uint32_t stack[DEEPEST], depth = 0;
    for (uint32_t entered = 0; w && entered < PATHS;) {
        bool down = depth < 8 || (depth < DEEPEST && random_chance(&random, 50));
        if (down) {
            stack[depth] = 1 + (random_below(&random, 64) + 16 * depth) % FUNCTIONS;
            writer_enter(w, stack[depth++]);
            entered++;
        } else
            writer_exit(w, stack[--depth], 0);
    }
    while (w && depth)
        writer_exit(w, stack[--depth], 0);
}

static uint64_t now(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

static void report(const char *name, uint64_t since, long bytes)
{
    printf("%-12s %6.0f ms", name, (double)(now() - since) / 1e6);
    if (bytes)
        printf(" %8.1f MB", (double)bytes / 1e6);
    putchar('\n');
}

static ssize_t count_bytes(void *count, const char *bytes, size_t size)
{
    (void)bytes;
    *(long *)count += (long)size;
    return (ssize_t)size;
}

static void measure(const char *name, export_writer *write, const struct export *e)
{
    long bytes = 0;
    FILE *out = fopencookie(&bytes, "w", (cookie_io_functions_t){.write = count_bytes});
    uint64_t since = now();
    bool whole = out && write(e, out);
    if (out)
        fclose(out);
    report(whole ? name : "no memory", since, bytes);
}

static void measure_all(const struct profile *p)
{
    const struct export_process process = {.pid = 4242, .command = "bench"};
    struct export e = {.profile = p, .process = &process, .processes = 1, .scale = {.ns_per_tick = 0.5}, .cpu = true};
    measure("csv", export_csv, &e);
    measure("folded", export_folded, &e);
    measure("speedscope", export_speedscope, &e);
    measure("pstats", export_pstats, &e);
    measure("callgrind", export_callgrind, &e);
    measure("pprof", export_pprof, &e);
    measure("svg", export_svg, &e);
    e.invert = true;
    measure("svg inverted", export_svg, &e);
}

int main(void)
{
    struct view v;
    struct profile p;
    struct lanes_options o = roomy_lanes();
    if (segment_begin(&segment, CAPACITY, &o) < 0)
        return 1;
    intern_numbered(&segment, FUNCTIONS);
    record_thread("first", 1);
    record_thread("second", 2);
    uint64_t since = now();
    int r = open_as_reader(&v, &segment.segment);
    if (r == 0) {
        r = profile_of(&p, &v, PATIENT);
        view_close(&v);
    }
    segment_end(&segment);
    if (r < 0)
        return 1;
    printf("%" PRIu32 " paths, %" PRIu32 " pairs, %" PRIu64 " lost, %" PRIu64 " without a path\n", p.nodes, p.pairs, p.lost, p.unpathed);
    report("reading", since, 0);
    measure_all(&p);
    profile_free(&p);
    return 0;
}
