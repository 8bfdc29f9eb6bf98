#include "digest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "json.h"
#include "labels.h"
#include "losses.h"
#include "saturate.h"
#include "source.h"
#include "threads.h"
#include "utf8.h"
#include "version.h"

#define ROWS 10        /* of each list at most: fewer where texts are long */
#define FRAMES 6       /* of a path, the innermost */
#define NAME 96        /* bytes that a name takes in JSON at most */
#define PLACE 160      /* a file, */
#define COMMAND_LINE 240
#define OPERAND 300    /* of a command to type: one that is longer is not given */

/* The costliest functions and paths, and the groups; in order. */
struct digest {
    const struct capture *capture;
    const char *operand;
    char **label;
    struct groups modules;
    const struct profile_site *site[ROWS];
    uint32_t node[ROWS];
    const struct group_row *module[ROWS];
    size_t sites, nodes, module_rows, called;
};

/* ---- the costliest ---- */

static uint64_t cost_of_site(const void *x) { return ((const struct profile_site *)x)->t.exclusive; }
static uint64_t cost_of_node(const void *x) { return ((const struct profile_node *)x)->t.exclusive; }
static uint64_t cost_of_group(const void *x) { return ((const struct group_row *)x)->t.exclusive; }

/* Keeps those that cost most, falling; of equal ones the first. */
static void keep(const void **kept, size_t *count, const void *one, uint64_t (*cost)(const void *))
{
    size_t at = *count;
    while (at && cost(kept[at - 1]) < cost(one))
        at--;
    if (at == ROWS)
        return;
    *count += *count < ROWS;
    memmove(kept + at + 1, kept + at, (*count - 1 - at) * sizeof *kept);
    kept[at] = one;
}

static void find_costliest(struct digest *d)
{
    const struct profile *p = &d->capture->profile;
    const void *site[ROWS + 1], *node[ROWS + 1], *module[ROWS + 1];
    for (uint32_t i = 0; i < p->sites; i++)
        if (metric_any(&p->site[i].t)) {
            d->called++;
            keep(site, &d->sites, &p->site[i], cost_of_site);
        }
    for (uint32_t i = 1; i <= p->nodes; i++)
        if (p->node[i].site && p->node[i].t.exclusive)
            keep(node, &d->nodes, &p->node[i], cost_of_node);
    for (size_t i = 0; i < d->modules.count; i++)
        keep(module, &d->module_rows, &d->modules.row[i], cost_of_group);
    for (size_t i = 0; i < d->sites; i++)
        d->site[i] = site[i];
    for (size_t i = 0; i < d->nodes; i++)
        d->node[i] = (uint32_t)((const struct profile_node *)node[i] - p->node);
    for (size_t i = 0; i < d->module_rows; i++)
        d->module[i] = module[i];
}

/* ---- texts ---- */

/* Bytes that the character at `text` takes in JSON, and in the text. */
static size_t escaped(const char *text, size_t *bytes)
{
    unsigned char c = (unsigned char)*text;
    size_t n = utf8_sequence(text);
    *bytes = n ? n : 1;
    if (n == 0 || c < 0x20 || c == 0x7f)
        return 6; /* a replacement, or \u001b */
    return c == '"' || c == '\\' ? 2 : n;
}

/* Its beginning, "..." at the end if it is cut: at most `most` bytes in JSON. */
static void write_text(struct json *j, const char *key, const char *text, size_t most)
{
    char cut[COMMAND_LINE + 4];
    size_t used = 0, shorter = 0, at = 0, bytes;
    for (; text[at] && used <= most; at += bytes) {
        used += escaped(text + at, &bytes);
        shorter = used <= most - 3 ? at + bytes : shorter;
    }
    if (used <= most) {
        json_string(j, key, text);
        return;
    }
    snprintf(cut, sizeof cut, "%.*s...", (int)shorter, text);
    json_string(j, key, cut);
}

static void write_time(struct json *j, const struct capture *c, const char *key, uint64_t ticks) { json_count(j, key, capture_ns(c, ticks)); }

static void write_share(struct json *j, uint64_t part, uint64_t whole)
{
    json_number(j, "percent", whole ? (double)saturated(1000.0 * (double)part / (double)whole) / 10 : 0);
}

/* ---- what it is about ---- */

static void write_process(struct json *j, const struct capture *c)
{
    const struct subject *s = c->subject;
    json_object(j, "process");
    json_count(j, "pid", (uint64_t)s->pid);
    write_text(j, "command", s->command, COMMAND_LINE);
    write_text(j, "python", c->snapshot.header.python, NAME);
    json_bool(j, "alive", s->alive);
    json_count(j, "processes", c->source->count);
    json_end(j);
}

static void write_recorded(struct json *j, const struct digest *d)
{
    const struct capture *c = d->capture;
    uint64_t threads = 0, cpu = 0;
    for (uint32_t i = 0; i < c->profile.threads; i++)
        threads += c->profile.thread[i].count;
    for (uint32_t i = 0; i < c->profile.sites; i++)
        cpu += metric_cpu_exclusive(&c->profile.site[i].t);
    json_object(j, "recorded");
    json_bool(j, "running", c->snapshot.session.running && c->subject->alive);
    write_time(j, c, "duration_ns", capture_span(c));
    json_count(j, "calls", c->profile.calls);
    json_count(j, "functions", d->called);
    json_count(j, "threads", threads);
    write_time(j, c, "exclusive_ns", c->total);
    if (c->cpu)
        write_time(j, c, "exclusive_cpu_ns", cpu);
    else
        json_null(j, "exclusive_cpu_ns");
    json_count(j, "overhead_ns", saturated(capture_cost_ns(c, c->profile.calls, c->profile.own)));
    json_end(j);
}

/* ---- what costs, and where ---- */

static void write_function(struct json *j, const struct digest *d, const struct profile_site *s)
{
    const struct capture *c = d->capture;
    json_object(j, NULL);
    write_text(j, "name", label_of(d->label, &c->profile, s), NAME);
    write_text(j, "module", s->module, NAME);
    write_text(j, "file", s->file, PLACE);
    json_count(j, "line", s->line);
    json_count(j, "calls", s->t.calls);
    write_time(j, c, "exclusive_ns", s->t.exclusive);
    write_time(j, c, "inclusive_ns", s->t.inclusive);
    write_share(j, s->t.exclusive, c->total);
    if (c->cpu)
        write_time(j, c, "exclusive_cpu_ns", metric_cpu_exclusive(&s->t));
    else
        json_null(j, "exclusive_cpu_ns");
    json_end(j);
}

/* The innermost frames, from the outside inwards. */
static void write_frames(struct json *j, const struct digest *d, uint32_t node)
{
    uint32_t frame[FRAMES];
    size_t count = 0;
    const struct profile *p = &d->capture->profile;
    for (uint32_t i = node; i && (p->node[i].site || p->node[i].other) && count < FRAMES; i = p->node[i].parent)
        frame[count++] = i;
    json_array(j, "frames");
    while (count--) {
        const struct profile_site *s = profile_site(p, p->node[frame[count]].site);
        write_text(j, NULL, s ? label_of(d->label, p, s) : "(other paths)", NAME);
    }
    json_end(j);
}

static void write_path(struct json *j, const struct digest *d, uint32_t node)
{
    const struct profile_node *n = &d->capture->profile.node[node];
    json_object(j, NULL);
    write_frames(j, d, node);
    json_count(j, "calls", n->t.calls);
    write_time(j, d->capture, "exclusive_ns", n->t.exclusive);
    write_share(j, n->t.exclusive, d->capture->total);
    json_end(j);
}

static void write_module(struct json *j, const struct digest *d, const struct group_row *row)
{
    json_object(j, NULL);
    write_text(j, "name", row->name, NAME);
    json_count(j, "calls", row->t.calls);
    write_time(j, d->capture, "exclusive_ns", row->t.exclusive);
    write_share(j, row->t.exclusive, d->capture->total);
    json_end(j);
}

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }

static void write_costs(struct json *j, const struct digest *d, size_t rows)
{
    json_array(j, "functions");
    for (size_t i = 0; i < lesser(d->sites, rows); i++)
        write_function(j, d, d->site[i]);
    json_end(j);
    json_array(j, "paths");
    for (size_t i = 0; i < lesser(d->nodes, rows / 2); i++)
        write_path(j, d, d->node[i]);
    json_end(j);
    json_array(j, "modules");
    for (size_t i = 0; i < lesser(d->module_rows, rows / 2); i++)
        write_module(j, d, d->module[i]);
    json_end(j);
    json_count(j, "functions_left_out", d->called - lesser(d->sites, rows));
}

/* ---- what was lost ---- */

static void write_losses(struct json *j, const struct profile *p)
{
    json_bool(j, "complete", profile_gap(p) == PROFILE_WHOLE && !p->unpathed);
    json_object(j, "losses");
    for (size_t i = 0; i < loss_count; i++)
        if (loss_of(&losses[i], p))
            json_count(j, losses[i].name, loss_of(&losses[i], p));
    json_end(j);
}

/* ---- what to type next ---- */

/* Between quotes for a shell; "" if there is no room. */
static void quote(const char *text, char *buffer, size_t size)
{
    size_t used = 0, room = size > 8 ? size - 8 : 0;
    buffer[used++] = '\'';
    for (; *text && used < room; text++)
        used += (size_t)snprintf(buffer + used, 5, *text == '\'' ? "'\\''" : "%c", *text);
    snprintf(buffer + used, 2, "'");
    if (*text)
        buffer[0] = '\0';
}

/* Nothing in it that a terminal or a shell would take for something else. */
static bool is_tame(const char *name)
{
    return name[0] && name[0] != '-' && strlen(name) < NAME && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:<>")] == '\0';
}

static void write_next(struct json *j, const struct digest *d)
{
    char operand[OPERAND], text[NAME + OPERAND + 64];
    const struct capture *c = d->capture;
    bool recorded = c->profile.calls != 0;
    const char *costliest = d->sites ? label_of(d->label, &c->profile, d->site[0]) : "";
    quote(d->operand, operand, sizeof operand);
    json_array(j, "next");
    if (operand[0] && !recorded && c->subject->alive && c->subject->dirfd >= 0 && !c->snapshot.session.running) {
        snprintf(text, sizeof text, "tscap start %s", operand);
        json_string(j, NULL, text);
    }
    if (operand[0] && recorded) {
        snprintf(text, sizeof text, "tscap dump --tree --min-share 1 %s", operand);
        json_string(j, NULL, text);
    }
    if (operand[0] && recorded && is_tame(costliest)) {
        snprintf(text, sizeof text, "tscap dump --callers '%s' %s", costliest, operand);
        json_string(j, NULL, text);
        snprintf(text, sizeof text, "tscap dump --callees '%s' %s", costliest, operand);
        json_string(j, NULL, text);
    }
    json_end(j);
}

/* ---- the whole ---- */

static bool write_rows(const struct digest *d, size_t rows, FILE *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.digest/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    write_process(&j, d->capture);
    write_recorded(&j, d);
    write_losses(&j, &d->capture->profile);
    write_costs(&j, d, rows);
    write_next(&j, d);
    return json_finish(&j);
}

/* As many rows as there is room for. */
static bool write_fitting(const struct digest *d, FILE *out)
{
    for (size_t rows = ROWS + 1; rows--;) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *memory = open_memstream(&text, &bytes);
        bool whole = memory && write_rows(d, rows, memory);
        whole &= memory && fclose(memory) == 0;
        bool fits = whole && (bytes <= DIGEST_MAX || !rows);
        if (fits)
            fwrite(text, 1, bytes, out);
        free(text);
        if (fits || !whole)
            return whole;
    }
    return false;
}

bool digest_write(const struct capture *c, const char *operand, FILE *out)
{
    struct digest d = {.capture = c, .operand = operand, .label = labels_make(&c->profile)};
    bool whole = groups_make(&d.modules, c, GROUP_MODULE) == 0 && d.label;
    if (whole) {
        find_costliest(&d);
        whole = write_fitting(&d, out);
    }
    groups_free(&d.modules);
    labels_free(d.label, &c->profile);
    return whole;
}
