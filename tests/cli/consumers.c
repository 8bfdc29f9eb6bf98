/* A process with a segment, without Python: consumers and calls as the lines on its standard input say, so that a test has any
 * that there can be. Each line is answered by "done", or by "done NUMBER" where a consumer was added.
 *
 *     functions N             there are m:f1 .. m:fN from now on
 *     add KIND NAME SITE...   a consumer, KIND as in enum consumer_kind; without sites it selects all
 *     begin N, end N, clear N, remove N; select N SITE...
 *     short N                 says that calls are missing that it should see
 *     call TIMES SITE...      each of these functions calls the next
 *     deep TIMES SITE SITE    the first calls itself so often, and then the second
 *     each                    a call of every function there is
 *     enter SITE, leave SITE  a call that lasts
 *     session 0|1             as tscap start and stop say it
 *     parent PID              it descends from that process
 *     reset                   everything is forgotten, whoever wants it */
#include "process.h"
#include "roster.h"

#include "../support/segments.h"

#define CAPACITY (512ull << 20)

static struct test_segment s;
static struct writer *w;
static struct roster *roster;

static struct segment_header *header(void) { return s.segment.header; }

static void compact(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    (void)context;
    lanes_compact(s.lanes, audience, all, used);
}

static void open_segment(void)
{
    struct lanes_options o = small_lanes();
    o.limits.nodes = 1 << 20;
    if (segment_begin(&s, CAPACITY, &o) < 0 || !(roster = roster_new(&s.segment, compact, NULL)) || !(w = open_lane(&s, "main")))
        abort();
}

/* ---- words of a line ---- */

static char *rest; /* of the line */

static const char *next_word(void)
{
    const char *word = strtok_r(NULL, " \n", &rest);
    return word ? word : "";
}

static uint32_t next_number(void) { return (uint32_t)strtoul(next_word(), NULL, 10); }

/* What is left of the line; each ended by 0. */
static struct roster_selection next_selection(uint32_t site[64], char *text, size_t size)
{
    struct roster_selection wanted = {.site = site, .text = text};
    size_t used = 0;
    for (uint32_t i; wanted.sites < 64 && (i = next_number());) {
        site[wanted.sites++] = i;
        used += (size_t)snprintf(text + used, size - used, "%sm:f%u", used ? " " : "", i);
    }
    wanted.all = wanted.sites == 0;
    if (wanted.all)
        snprintf(text, size, "all");
    return wanted;
}

/* ---- what a line says ---- */

static void add(void)
{
    uint32_t site[64], kind = next_number();
    char text[1024], name[64];
    snprintf(name, sizeof name, "%s", next_word());
    struct roster_selection wanted = next_selection(site, text, sizeof text);
    printf("done %u\n", roster_add(roster, kind, name, &wanted));
}

static void select_sites(void)
{
    uint32_t site[64], number = next_number();
    char text[1024];
    struct roster_selection wanted = next_selection(site, text, sizeof text);
    roster_select(roster, number, &wanted);
}

/* Behind the roster's back: to run out of numbers takes many consumers. */
static void mark_short(void)
{
    uint32_t number = next_number();
    struct consumer_table *t =
        segment_page_at(s.segment.base, header()->consumer_pages + (header()->consumer_turn & 1) * CONSUMER_PAGES);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (t->consumer[i].number == number)
            t->consumer[i].flags |= CONSUMER_SHORT;
}

static void call(void)
{
    uint32_t site[64], times = next_number();
    char text[1024];
    struct roster_selection path = next_selection(site, text, sizeof text);
    for (; times; times--) {
        for (size_t i = 0; i < path.sites; i++)
            writer_enter(w, site[i]);
        for (size_t i = path.sites; i-- > 0;)
            writer_exit(w, site[i], 0);
    }
}

static void call_deep(void)
{
    uint32_t times = next_number(), outer = next_number(), inner = next_number();
    for (uint32_t i = 0; i < times; i++)
        writer_enter(w, outer);
    writer_enter(w, inner);
    writer_exit(w, inner, 0);
    for (uint32_t i = 0; i < times; i++)
        writer_exit(w, outer, 0);
}

static void call_each(void)
{
    for (uint32_t site = 1; site <= header()->site_count; site++) {
        writer_enter(w, site);
        writer_exit(w, site, 0);
    }
}

static void set_session(bool running)
{
    struct segment_header *h = header();
    h->session_flags = running ? SESSION_RUNNING : 0;
    if (running && !h->session_started)
        h->session_started = clock_ticks();
    h->session_stopped = running ? 0 : clock_ticks();
    h->session_seq += 2;
}

static void set_parent(void)
{
    uint32_t pid = next_number();
    struct ancestor *a = &header()->lineage[0];
    a->pid = header()->parent_pid = pid;
    if (process_start_time((pid_t)pid, &a->start_time) < 0)
        abort();
}

static void obey(const char *order)
{
    uint64_t now = clock_ticks();
    if (strcmp(order, "functions") == 0)
        intern_numbered(&s, next_number());
    else if (strcmp(order, "begin") == 0)
        roster_begin(roster, next_number(), 0, now);
    else if (strcmp(order, "end") == 0)
        roster_end(roster, next_number(), now);
    else if (strcmp(order, "clear") == 0)
        roster_clear(roster, next_number(), now);
    else if (strcmp(order, "remove") == 0)
        roster_remove(roster, next_number(), now);
    else if (strcmp(order, "select") == 0)
        select_sites();
    else if (strcmp(order, "short") == 0)
        mark_short();
    else if (strcmp(order, "call") == 0)
        call();
    else if (strcmp(order, "deep") == 0)
        call_deep();
    else if (strcmp(order, "each") == 0)
        call_each();
    else if (strcmp(order, "enter") == 0)
        writer_enter(w, next_number());
    else if (strcmp(order, "leave") == 0)
        writer_exit(w, next_number(), 0);
    else if (strcmp(order, "session") == 0)
        set_session(next_number());
    else if (strcmp(order, "parent") == 0)
        set_parent();
    else if (strcmp(order, "reset") == 0)
        writer_reset(w, ++header()->resets);
    else
        abort();
}

int main(void)
{
    char line[4096];
    open_segment();
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        writer_listen(w, roster_audience(roster));
        const char *order = strtok_r(line, " \n", &rest);
        if (strcmp(order, "add") == 0)
            add();
        else {
            obey(order);
            writer_listen(w, roster_audience(roster));
            puts("done");
        }
        fflush(stdout);
    }
    segment_end(&s);
    return 0;
}
