#include "marks.h"

#include <stdlib.h>
#include <string.h>

#include "demand.h"
#include "recorder.h"

#define EXTRA(index, site) ((uintptr_t)((index) + 1) << 32 | (site))
#define EXTRA_INDEX(extra) ((uint32_t)((extra) >> 32) - 1)
#define EXTRA_IS_REJECTED(extra) ((uint64_t)(extra) >> 63)

Py_ssize_t marks_extra;

static struct {
    struct mark *mark;
    uint32_t count, room;
    uint32_t free; /* 1 + index of a free entry, 0: none */
    uint64_t live, decorated;
    uint32_t *with_site; /* by site: 1 + index of the mark that got it last; [sites] */
    uint32_t sites;
} f;

uint32_t marks_count(void) { return f.count; }
struct mark *marks_at(uint32_t index) { return &f.mark[index]; }
uint64_t marks_live(void) { return f.live; }
uint64_t marks_decorated(void) { return f.decorated; }

void marks_note_decorated(struct mark *m)
{
    f.decorated += !m->decorated;
    m->decorated = true;
}

/* For readers: how many there are, also before recording first starts. A file that is kept keeps the count of the end. */
static void count_marks(int change)
{
    f.live += (uint64_t)change;
    if (recorder_available() && !demand_is_of_parent() && Py_IsInitialized())
        atomic_store_explicit(&recorder_segment()->header->decorated, (uint32_t)f.live, memory_order_relaxed);
}

/* ---- marks by their site ---- */

static bool sites_make_room(uint32_t site)
{
    if (site < f.sites)
        return true;
    uint32_t room = f.sites ? f.sites : 64;
    while (room <= site)
        room *= 2;
    uint32_t *more = realloc(f.with_site, room * sizeof *more);
    if (!more)
        return false;
    memset(more + f.sites, 0, (room - f.sites) * sizeof *more);
    f.with_site = more;
    f.sites = room;
    return true;
}

/* Without memory for it the mark has no site. */
void marks_give_site(uint32_t index, uint32_t site)
{
    struct mark *m = &f.mark[index];
    if (!site || !sites_make_room(site))
        return;
    m->site = site;
    m->of_same_site = f.with_site[site];
    f.with_site[site] = index + 1;
}

static void take_site(uint32_t index)
{
    uint32_t site = f.mark[index].site, *link = site ? &f.with_site[site] : NULL;
    while (link && *link && *link != index + 1)
        link = &f.mark[*link - 1].of_same_site;
    if (link && *link)
        *link = f.mark[index].of_same_site;
    f.mark[index].site = f.mark[index].of_same_site = 0;
}

/* ---- marks ---- */

/* A marked code object is being freed. */
static void release(void *p)
{
    uintptr_t extra = (uintptr_t)p;
    if (!extra || EXTRA_IS_REJECTED(extra) || EXTRA_INDEX(extra) >= f.count)
        return;
    uint32_t index = EXTRA_INDEX(extra);
    take_site(index);
    struct mark old = f.mark[index];
    f.decorated -= old.decorated;
    f.mark[index] = (struct mark){.next_free = f.free};
    f.free = index + 1;
    count_marks(-1);
    Py_XDECREF(old.function);
    Py_XDECREF(old.name);
    Py_XDECREF(old.qualname);
    Py_XDECREF(old.module);
    Py_XDECREF(old.origin);
}

int marks_init(void)
{
    marks_extra = python_request_extra(release);
    if (marks_extra < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no slot left for extra data of code objects");
        return -1;
    }
    return 0;
}

struct mark *marks_of(const PyCodeObject *code)
{
    uintptr_t extra = python_code_extra(code, marks_extra);
    return extra && !EXTRA_IS_REJECTED(extra) ? &f.mark[EXTRA_INDEX(extra)] : NULL;
}

static uint32_t new_mark(void)
{
    if (f.free) {
        uint32_t index = f.free - 1;
        f.free = f.mark[index].next_free;
        return index;
    }
    if (f.count == f.room) {
        uint32_t room = f.room ? 2 * f.room : 64;
        struct mark *more = realloc(f.mark, room * sizeof *more);
        if (!more)
            return UINT32_MAX;
        f.mark = more;
        f.room = room;
    }
    return f.count++;
}

/* Takes over the reference to the module. */
int marks_add(PyCodeObject *code, PyObject *name, PyObject *qualname, PyObject *module, PyObject *origin)
{
    uint32_t index = new_mark();
    if (index == UINT32_MAX) {
        Py_XDECREF(module);
        PyErr_NoMemory();
        return -1;
    }
    f.mark[index] = (struct mark){.code = code, .name = name, .qualname = qualname, .module = module, .origin = origin};
    Py_INCREF(name);
    Py_INCREF(qualname);
    Py_INCREF(origin);
    count_marks(1);
    if (python_code_set_extra(code, marks_extra, EXTRA(index, 0)) < 0) {
        release((void *)EXTRA(index, 0));
        if (!PyErr_Occurred()) /* 3.9 to 3.15 say it without one */
            PyErr_NoMemory();
        return -1;
    }
    return (int)index;
}


void marks_drop(uint32_t index)
{
    PyCodeObject *code = f.mark[index].code;
    release((void *)EXTRA(index, 0));
    python_code_set_extra(code, marks_extra, 0);
}

uint32_t marks_next_of_site(uint32_t site, uint32_t previous)
{
    return previous ? f.mark[previous - 1].of_same_site : site < f.sites ? f.with_site[site] : 0;
}

void marks_arm(uint32_t index, bool on)
{
    struct mark *m = &f.mark[index];
    m->armed = on;
    python_code_set_extra(m->code, marks_extra, EXTRA(index, on ? m->site : 0));
}

void marks_forget_sites(void)
{
    for (uint32_t i = 0; i < f.count; i++) {
        f.mark[i].site = f.mark[i].of_same_site = 0;
        if (f.mark[i].code)
            marks_arm(i, false);
    }
    free(f.with_site);
    f.with_site = NULL;
    f.sites = 0;
}
