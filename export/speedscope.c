/* speedscope (https://www.speedscope.app/file-format-schema.json): a sampled profile a thread, in which a sample is a call path
 * and its weight what the path counts itself. Sums, not a timeline: it grows with the paths and not with the calls. */
#include <inttypes.h>
#include <stdlib.h>

#include "export.h"
#include "json.h"
#include "names.h"
#include "path.h"
#include "version.h"
#include "weight.h"

struct speedscope {
    struct json json;
    const struct export *e;
    struct path path;  /* indices of frames: "0,4,2" */
    uint64_t *weight;  /* of the samples of a thread, [nodes + 1] */
};

/* ---- frames: one a function, and the last one for the paths that were given up ---- */

static void write_frame(struct json *j, const char *name, const struct profile_site *s)
{
    json_object(j, NULL);
    json_string(j, "name", name);
    if (s && s->file[0])
        json_string(j, "file", s->file);
    if (s && s->line)
        json_count(j, "line", s->line);
    json_end(j);
}

static bool write_frames(struct speedscope *w)
{
    const struct profile *p = w->e->profile;
    char **names = names_make(p, NAMES_IN_ALL);
    if (!names)
        return false;
    json_object(&w->json, "shared");
    json_array(&w->json, "frames");
    for (uint32_t i = 0; i < p->sites; i++)
        write_frame(&w->json, names[i], &p->site[i]);
    write_frame(&w->json, NAMES_OTHER_PATHS, NULL);
    json_end(&w->json);
    json_end(&w->json);
    names_free(names, p);
    return true;
}

/* ---- samples ---- */

static bool enter_node(struct speedscope *w, const struct profile_node *n, unsigned depth)
{
    char frame[16];
    const struct profile *p = w->e->profile;
    const struct profile_site *site = profile_site(p, n->site);
    snprintf(frame, sizeof frame, "%" PRIu32, site ? (uint32_t)(site - p->site) : p->sites);
    return path_set(&w->path, depth, frame);
}

/* How many there are, their weights kept; -1: no memory. */
static long write_samples(struct speedscope *w, const struct profile_thread *t)
{
    const struct profile *p = w->e->profile;
    struct weights weights = weights_begin(w->e, w->e->metric);
    unsigned depth = 0;
    long count = 0;
    json_array(&w->json, "samples");
    for (uint32_t i = t->first_root; i; i = profile_next(p, i, &depth)) {
        uint64_t weight = weights_next(&weights, weight_raw(w->e->metric, &p->node[i].t));
        if (!enter_node(w, &p->node[i], depth))
            return -1;
        if (weight == 0)
            continue;
        w->weight[count++] = weight;
        json_raw_array(&w->json, w->path.text, w->path.used);
    }
    json_end(&w->json);
    return count;
}

static uint64_t write_weights(struct speedscope *w, long count)
{
    uint64_t total = 0;
    json_array(&w->json, "weights");
    for (long i = 0; i < count; i++) {
        json_count(&w->json, NULL, w->weight[i]);
        total += w->weight[i];
    }
    json_end(&w->json);
    return total;
}

static bool write_thread(struct speedscope *w, const struct profile_thread *t)
{
    char name[NAMES_THREAD];
    struct json *j = &w->json;
    json_object(j, NULL);
    json_string(j, "type", "sampled");
    json_string(j, "name", names_thread(w->e, t, name, sizeof name));
    json_string(j, "unit", w->e->metric == EXPORT_CALLS ? "none" : "nanoseconds");
    json_count(j, "startValue", 0);
    long count = write_samples(w, t);
    if (count < 0)
        return false;
    json_count(j, "endValue", write_weights(w, count));
    json_end(j);
    return true;
}

static bool write_threads(struct speedscope *w)
{
    const struct profile *p = w->e->profile;
    bool whole = true;
    json_array(&w->json, "profiles");
    for (uint32_t i = 0; whole && i < p->threads; i++)
        if (p->thread[i].first_root)
            whole = write_thread(w, &p->thread[i]);
    json_end(&w->json);
    return whole;
}

bool export_speedscope(const struct export *e, FILE *out)
{
    char title[512];
    struct speedscope w = {.e = e, .path = path_begin(','), .weight = calloc((size_t)e->profile->nodes + 1, sizeof *w.weight)};
    json_begin(&w.json, out);
    json_object(&w.json, NULL);
    json_string(&w.json, "$schema", "https://www.speedscope.app/file-format-schema.json");
    json_string(&w.json, "exporter", "tscap " TSCAP_VERSION);
    json_string(&w.json, "name", names_title(e, title, sizeof title));
    json_count(&w.json, "activeProfileIndex", 0);
    bool whole = w.weight && write_frames(&w) && write_threads(&w);
    path_free(&w.path);
    free(w.weight);
    return json_finish(&w.json) && whole;
}
