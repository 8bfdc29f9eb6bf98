#include "pairing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What has to be the same besides name, kind and track. */
enum { MODULE = 1, PATH = 2, BASE = 4 };
static const struct {
    const char *name;
    unsigned same;
    bool certain; /* it does not take a file that was not found */
} ways[] = {
    [PAIRING_FILE] = {"file", MODULE | PATH, true},
    [PAIRING_FOLDER] = {"folder", MODULE | BASE, true},
    [PAIRING_RENAMED] = {"renamed", MODULE, false},
    [PAIRING_MODULE] = {"module", BASE, false},
    [PAIRING_NAME] = {"name", 0, false},
};

const char *pairing_name(enum pairing_by by) { return ways[by].name; }

struct entry {
    const struct identity *who;
    size_t place; /* in its set */
    bool of_b;
};

struct matching {
    struct pairing *of_b;
    bool *taken; /* of `a` */
    const struct identity *a, *b;
    size_t a_count, b_count;
    bool same;
    struct entry *entry; /* those that are left, and may be paired now */
    size_t entries;
    const char **file; /* sorted: of which functions were found; as `a` and as `b` have them */
    size_t files;
};

/* ---- comparing ---- */

static const char *base_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return file[0] != '<' && slash ? slash + 1 : file;
}

static const char *skip_digits(const char *p)
{
    while (isdigit((unsigned char)*p))
        p++;
    return p;
}

/* "<ipython-input-3>" is "<ipython-input-4>". */
static int compare_generated(const char *x, const char *y)
{
    for (;; x++, y++) {
        x = skip_digits(x);
        y = skip_digits(y);
        if (*x != *y || !*x)
            return (unsigned char)*x - (unsigned char)*y;
    }
}

static int compare_files(const char *x, const char *y) { return *x == '<' && *y == '<' ? compare_generated(x, y) : strcmp(x, y); }

static int compare_numbers(uint64_t x, uint64_t y) { return (x > y) - (x < y); }

static int compare_identities(const struct identity *x, const struct identity *y, unsigned same)
{
    int r = strcmp(x->name, y->name);
    if (r == 0)
        r = compare_numbers((uint64_t)x->kind << 32 | x->track, (uint64_t)y->kind << 32 | y->track);
    if (r == 0 && same & MODULE)
        r = strcmp(x->module, y->module);
    if (r == 0 && same & PATH)
        r = compare_files(x->file, y->file);
    if (r == 0 && same & BASE)
        r = compare_files(base_of(x->file), base_of(y->file));
    return r;
}

static int compare_entries(const void *x, const void *y, void *same)
{
    const struct entry *a = x, *b = y;
    int r = compare_identities(a->who, b->who, *(const unsigned *)same);
    if (r == 0)
        r = (int)a->of_b - (int)b->of_b;
    if (r == 0)
        r = compare_numbers(a->who->line, b->who->line);
    return r ? r : compare_numbers(a->place, b->place);
}

/* "<lambda>", "f.<locals>.<genexpr>": what many are called. */
static bool is_anonymous(const struct identity *i) { return i->name[0] && i->name[strlen(i->name) - 1] == '>'; }

/* ---- those that are alike ---- */

static void pair(struct matching *m, const struct entry *a, const struct entry *b, enum pairing_by by)
{
    m->of_b[b->place] = (struct pairing){a->place, by};
    m->taken[a->place] = true;
}

static bool is_left(const struct matching *m, const struct entry *e)
{
    return e->of_b ? m->of_b[e->place].other == PAIRING_NONE : !m->taken[e->place];
}

static void pair_lines(struct matching *m, const struct entry *a, size_t a_count, const struct entry *b, size_t b_count, enum pairing_by by)
{
    for (size_t i = 0, k = 0; i < a_count && k < b_count;) {
        uint32_t x = a[i].who->line, y = b[k].who->line;
        if (x == y)
            pair(m, &a[i], &b[k], by);
        i += x <= y;
        k += y <= x;
    }
}

static void pair_in_order(struct matching *m, const struct entry *a, size_t a_count, const struct entry *b, size_t b_count,
                          enum pairing_by by)
{
    for (size_t i = 0, k = 0; i < a_count && k < b_count;) {
        bool left = is_left(m, &a[i]), other_left = is_left(m, &b[k]);
        if (left && other_left)
            pair(m, &a[i], &b[k], by);
        i += !left || other_left;
        k += left || !other_left;
    }
}

/* By line each, in `a` as in `b`. */
static void pair_alike(struct matching *m, const struct entry *a, size_t a_count, const struct entry *b, size_t b_count, enum pairing_by by)
{
    bool by_line = m->same && is_anonymous(a->who);
    if (!ways[by].certain && (a_count != 1 || b_count != 1 || is_anonymous(a->who)))
        return;
    if (a_count != b_count || by_line)
        pair_lines(m, a, a_count, b, b_count, by);
    if (!by_line)
        pair_in_order(m, a, a_count, b, b_count, by);
}

/* ---- one way after the other ---- */

static int compare_found(const void *x, const void *y) { return compare_files(*(const char *const *)x, *(const char *const *)y); }

static void note_found(struct matching *m)
{
    m->files = 0;
    for (size_t i = 0; i < m->b_count; i++)
        if (m->of_b[i].other != PAIRING_NONE) {
            m->file[m->files++] = m->a[m->of_b[i].other].file;
            m->file[m->files++] = m->b[i].file;
        }
    if (m->files)
        qsort(m->file, m->files, sizeof *m->file, compare_found);
}

static bool was_found(const struct matching *m, const char *file)
{
    return m->files && bsearch(&file, m->file, m->files, sizeof *m->file, compare_found);
}

static void add_left(struct matching *m, const struct identity *all, size_t count, bool of_b, bool certain)
{
    for (size_t i = 0; i < count; i++) {
        struct entry e = {&all[i], i, of_b};
        if (is_left(m, &e) && (certain || !was_found(m, all[i].file)))
            m->entry[m->entries++] = e;
    }
}

static void pair_by(struct matching *m, enum pairing_by by)
{
    unsigned same = ways[by].same;
    m->entries = 0;
    note_found(m);
    add_left(m, m->a, m->a_count, false, ways[by].certain);
    add_left(m, m->b, m->b_count, true, ways[by].certain);
    if (m->entries)
        qsort_r(m->entry, m->entries, sizeof *m->entry, compare_entries, &same);
    for (size_t i = 0, next; i < m->entries; i = next) {
        size_t b = i;
        for (next = i; next < m->entries && compare_identities(m->entry[i].who, m->entry[next].who, same) == 0; next++)
            b += !m->entry[next].of_b;
        if (b > i && next > b)
            pair_alike(m, &m->entry[i], b - i, &m->entry[b], next - b, by);
    }
}

bool pairing_make(struct pairing *of_b, const struct identity *a, size_t a_count, const struct identity *b, size_t b_count, bool same)
{
    struct matching m = {.of_b = of_b, .a = a, .b = b, .a_count = a_count, .b_count = b_count, .same = same};
    m.taken = calloc(a_count + 1, sizeof *m.taken);
    m.entry = calloc(a_count + b_count + 1, sizeof *m.entry);
    m.file = calloc(2 * b_count + 1, sizeof *m.file);
    bool whole = m.taken && m.entry && m.file;
    for (size_t i = 0; i < b_count; i++)
        of_b[i] = (struct pairing){PAIRING_NONE, PAIRING_FILE};
    for (enum pairing_by by = PAIRING_FILE; whole && by <= (same ? PAIRING_FOLDER : PAIRING_NAME); by++)
        pair_by(&m, by);
    free(m.taken);
    free(m.entry);
    free(m.file);
    return whole;
}
