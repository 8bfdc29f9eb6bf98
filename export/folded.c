/* Folded stacks, for flame graphs: "thread;caller;callee COUNT", a line a call path. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "export.h"
#include "names.h"
#include "path.h"
#include "weight.h"

struct folded {
    const struct export *e;
    FILE *out;
    char **frame; /* of each function, escaped */
    struct path path;
};

/* What readers would not take as a part of the name: " 12" at its end is a second count, "_[k]" a colour. Where it begins. */
static size_t misread_end(const char *name, size_t length)
{
    size_t digits = length;
    while (digits && (isdigit((unsigned char)name[digits - 1]) || name[digits - 1] == '.'))
        digits--;
    if (digits && digits < length && name[digits - 1] == ' ')
        return digits - 1;
    return length >= 4 && name[length - 1] == ']' && name[length - 3] == '[' && name[length - 4] == '_' ? length - 3 : length;
}

/* Escaped as lines are, and ';' and such an end, too. NULL: no memory. */
static char *make_frame(const char *name)
{
    char *frame = NULL;
    size_t size, length = strlen(name), end = misread_end(name, length);
    FILE *text = open_memstream(&frame, &size);
    char *begin = text ? strndup(name, end) : NULL;
    if (begin) {
        escape_line(text, begin, ";");
        if (end < length)
            fprintf(text, "\\x%02x%s", (unsigned)name[end], name + end + 1);
    }
    bool whole = text && fclose(text) == 0 && begin;
    free(begin);
    if (whole)
        return frame;
    free(frame);
    return NULL;
}

static bool make_frames(struct folded *f)
{
    const struct profile *p = f->e->profile;
    char **names = names_make(p, NAMES_IN_ALL);
    bool whole = names != NULL;
    f->frame = calloc((size_t)p->sites + 1, sizeof *f->frame);
    for (uint32_t i = 0; whole && f->frame && i < p->sites; i++)
        whole = (f->frame[i] = make_frame(names[i])) != NULL;
    names_free(names, p);
    return whole && f->frame;
}

static bool begin_thread(struct folded *f, const struct profile_thread *t)
{
    char name[NAMES_THREAD];
    char *frame = make_frame(names_thread(f->e, t, name, sizeof name));
    bool whole = frame && path_set(&f->path, 0, frame);
    free(frame);
    return whole;
}

static bool write_thread(struct folded *f, const struct profile_thread *t)
{
    const struct profile *p = f->e->profile;
    struct weights weights = weights_begin(f->e, f->e->metric);
    unsigned depth = 0;
    bool whole = begin_thread(f, t);
    for (uint32_t i = t->first_root; whole && i; i = profile_next(p, i, &depth)) {
        const struct profile_node *n = &p->node[i];
        uint64_t weight = weights_next(&weights, weight_raw(f->e->metric, &n->t));
        whole = path_set(&f->path, depth + 1, names_of_node(f->frame, p, n));
        if (!whole || weight == 0)
            continue;
        fwrite(f->path.text, 1, f->path.used, f->out);
        fprintf(f->out, " %" PRIu64 "\n", weight);
    }
    return whole;
}

bool export_folded(const struct export *e, FILE *out)
{
    struct folded f = {.e = e, .out = out, .path = path_begin(';')};
    bool whole = make_frames(&f);
    for (uint32_t i = 0; whole && i < e->profile->threads; i++)
        whole = write_thread(&f, &e->profile->thread[i]);
    names_free(f.frame, e->profile);
    path_free(&f.path);
    return whole;
}
