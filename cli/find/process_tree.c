#include "process_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lineage.h"

/* ---- who is whose parent ---- */

struct name {
    struct ancestor who;
    size_t subject;
};

static int compare_ancestors(const struct ancestor *a, const struct ancestor *b)
{
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return (a->start_time > b->start_time) - (a->start_time < b->start_time);
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int r = compare_ancestors(&x->who, &y->who);
    return r ? r : (x->subject > y->subject) - (x->subject < y->subject);
}

static struct name *make_names(const struct subjects *all)
{
    struct name *name = calloc(all->count + 1, sizeof *name);
    for (size_t i = 0; name && i < all->count; i++)
        name[i] = (struct name){{.pid = (uint32_t)all->subject[i].inner, .start_time = all->subject[i].start_time}, i};
    if (name)
        qsort(name, all->count, sizeof *name, compare_names);
    return name;
}

/* What a segment says is believed of processes of the same user and boot only, and of none that is younger. */
static bool may_be_parent(const struct subject *parent, const struct subject *child)
{
    bool same_boot = parent->error < 0 || strcmp(parent->header.boot_id, child->header.boot_id) == 0;
    return parent != child && same_boot && parent->uid == child->uid && parent->start_time <= child->start_time;
}

static size_t find_name(const struct name *name, const struct subjects *all, const struct ancestor *a, const struct subject *child)
{
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_ancestors(&name[middle].who, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < all->count && compare_ancestors(&name[low].who, a) == 0; low++)
        if (may_be_parent(&all->subject[name[low].subject], child))
            return name[low].subject;
    return PROCESS_TREE_NONE;
}

static bool descends_from(const size_t *parent, size_t i, size_t ancestor)
{
    while (i != PROCESS_TREE_NONE && i != ancestor)
        i = parent[i];
    return i == ancestor;
}

/* Segments may claim anything: nobody becomes an own ancestor. */
static void find_parent(size_t *parent, const struct name *name, const struct subjects *all, size_t i)
{
    const struct subject *s = &all->subject[i];
    for (unsigned k = 0; s->error == 0 && k < SEGMENT_LINEAGE && parent[i] == PROCESS_TREE_NONE; k++) {
        const struct ancestor *a = &s->header.lineage[k];
        size_t found = a->pid ? find_name(name, all, a, s) : PROCESS_TREE_NONE;
        if (found != PROCESS_TREE_NONE && !descends_from(parent, found, i))
            parent[i] = found;
    }
}

static size_t *find_parents(const struct subjects *all)
{
    struct name *name = make_names(all);
    size_t *parent = calloc(all->count + 1, sizeof *parent);
    for (size_t i = 0; name && parent && i < all->count; i++)
        parent[i] = PROCESS_TREE_NONE;
    for (size_t i = 0; name && parent && i < all->count; i++)
        find_parent(parent, name, all, i);
    if (!name) {
        free(parent);
        parent = NULL;
    }
    free(name);
    return parent;
}

/* ---- in order ---- */

/* Lists of children, as they were found. The last one is that of those without a parent. */
struct children {
    size_t *first, *next;
};

static bool list_children(struct children *c, const size_t *parent, size_t count)
{
    c->first = calloc(count + 1, sizeof *c->first);
    c->next = calloc(count + 1, sizeof *c->next);
    if (!c->first || !c->next)
        return false;
    for (size_t i = 0; i <= count; i++)
        c->first[i] = PROCESS_TREE_NONE;
    for (size_t i = count; i-- > 0;) {
        size_t p = parent[i] == PROCESS_TREE_NONE ? count : parent[i];
        c->next[i] = c->first[p];
        c->first[p] = i;
    }
    return true;
}

/* `place`: where each subject went. */
static void put_in_order(struct process_tree *tree, const struct subjects *all, const size_t *parent, const struct children *c,
                         size_t *place)
{
    for (size_t i = c->first[all->count]; i != PROCESS_TREE_NONE;) {
        struct relative *r = &tree->relative[tree->count];
        place[i] = tree->count++;
        *r = (struct relative){.subject = &all->subject[i], .parent = PROCESS_TREE_NONE};
        if (parent[i] != PROCESS_TREE_NONE) {
            r->parent = place[parent[i]];
            r->depth = tree->relative[r->parent].depth + 1;
        }
        if (c->first[i] != PROCESS_TREE_NONE) {
            i = c->first[i];
            continue;
        }
        while (i != PROCESS_TREE_NONE && c->next[i] == PROCESS_TREE_NONE)
            i = parent[i];
        i = i == PROCESS_TREE_NONE ? PROCESS_TREE_NONE : c->next[i];
    }
}

int process_tree_make(struct process_tree *tree, const struct subjects *all)
{
    struct children c = {0};
    size_t *parent = find_parents(all), *place = calloc(all->count + 1, sizeof *place);
    *tree = (struct process_tree){.relative = calloc(all->count + 1, sizeof *tree->relative)};
    bool whole = parent && place && tree->relative && list_children(&c, parent, all->count);
    if (whole)
        put_in_order(tree, all, parent, &c, place);
    else
        process_tree_free(tree);
    free(parent);
    free(place);
    free(c.first);
    free(c.next);
    return whole ? 0 : -ENOMEM;
}

int process_tree_of(struct process_tree *tree, const struct subjects *all, const struct subject *root)
{
    int r = process_tree_make(tree, all);
    if (r < 0)
        return r;
    size_t first = 0, end;
    while (first < tree->count && tree->relative[first].subject != root)
        first++;
    for (end = first + 1; end < tree->count && tree->relative[end].depth > tree->relative[first].depth;)
        end++;
    unsigned depth = first < tree->count ? tree->relative[first].depth : 0;
    tree->count = first < tree->count ? end - first : 0;
    memmove(tree->relative, &tree->relative[first], tree->count * sizeof *tree->relative);
    for (size_t i = 0; i < tree->count; i++) {
        tree->relative[i].parent = i ? tree->relative[i].parent - first : PROCESS_TREE_NONE;
        tree->relative[i].depth -= depth;
    }
    return 0;
}

void process_tree_free(struct process_tree *tree)
{
    free(tree->relative);
    *tree = (struct process_tree){0};
}

/* ---- who is missing ---- */

bool process_tree_is_heir(const struct subject *child, const struct subject *parent)
{
    bool own = child->error == 0 && ancestor_is(&child->header.lineage[0], parent->inner, parent->start_time);
    return own && child->header.session_flags & SESSION_COUNTED && child->header.anchor_ticks >= parent->header.session_started;
}

uint64_t process_tree_missing(const struct process_tree *tree)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct subject *parent = tree->relative[i].subject;
        uint64_t expected = parent->error == 0 ? parent->header.offspring : 0;
        for (size_t k = 0; k < tree->count && expected; k++)
            expected -= process_tree_is_heir(tree->relative[k].subject, parent);
        missing += expected;
    }
    return missing;
}
