#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture_file.h"
#include "container.h"
#include "process.h"
#include "scale.h"
#include "status.h"
#include "tenant.h"

static bool is_replaced(const struct subject *s)
{
    const struct segment_header *h = &s->header;
    bool own = s->error == 0 && h->pid == (uint32_t)s->inner && h->start_time == s->start_time;
    return own && tenant_is_replaced(h, s->pid);
}

static bool is_mapped(const struct subject *s)
{
    struct container c;
    if (s->error < 0 || container_open(&c, s->pid) < 0)
        return false;
    bool mapped = container_maps(&c, s->header.address, s->header.capacity, s->inode);
    container_close(&c);
    return mapped;
}

/* A file can name any process, what that process has mapped nobody else can pretend. Without a look at it the process' user is
 * believed, and root, who may have begun it before it became that user. A file that was told by its path is what it is. */
static bool is_foreign(const struct subject *s)
{
    struct status status;
    bool told = s->dirfd == AT_FDCWD, roots = s->uid == 0;
    if (told || roots || (status_read(&status, s->pid) == 0 && status.uid[1] == s->uid))
        return false;
    return !is_mapped(s) && process_runs(s->pid, s->start_time); /* still: what has just ended shows nothing */
}

static struct session_state session_of(const struct segment_header *h)
{
    return (struct session_state){
        .running = h->session_flags & SESSION_RUNNING,
        .started = h->session_started,
        .stopped = h->session_stopped,
        .resets = h->resets,
        .orders = session_orders(h->session_seq, h->resets),
    };
}

/* The copy that comes with opening will do: it was read(2), so a file that shrinks meanwhile cannot hurt. */
static void open_segment(struct subject *s, struct view *v, long owner)
{
    struct stat status;
    s->error = view_open(v, s->dirfd, s->file, owner);
    if (s->error < 0)
        return;
    if (fstat(v->fd, &status) == 0) {
        s->device = status.st_dev;
        s->inode = status.st_ino;
    }
    s->header = v->identity;
    s->session = session_of(&v->identity);
    s->bytes = v->bytes;
}

static void close_segment(const struct subject *s, struct view *v)
{
    if (s->error == 0)
        view_close(v);
}

static void look_up_process(struct subject *s)
{
    bool this_boot = s->error < 0 || scale_same_boot(&s->header);
    bool runs = process_runs(s->pid, s->start_time), there = this_boot && runs;
    s->foreign = runs && is_foreign(s);
    s->replaced = there && is_replaced(s);
    s->alive = there && !s->replaced && !s->foreign;
    if (!s->alive || process_command(s->pid, s->command, sizeof s->command) < 0)
        snprintf(s->command, sizeof s->command, "%s", s->error < 0 ? "" : s->header.command); /* as it was in its life */
}

void subject_open(struct subject *s, struct view *v)
{
    open_segment(s, v, s->dirfd == AT_FDCWD ? -1 : (long)s->uid);
    look_up_process(s);
}

void subject_refresh(struct subject *s)
{
    struct view view;
    subject_open(s, &view);
    close_segment(s, &view);
}

/* ---- those in the run directories ---- */

struct finder {
    struct subjects *found;
    const struct place *place;
    pid_t only; /* 0: all */
};

/* Grows by doubling: full at each power of two. */
static struct subject *new_subject(struct subjects *s)
{
    if ((s->count & (s->count - 1)) == 0) {
        size_t room = s->count ? 2 * s->count : 1;
        struct subject *more = realloc(s->subject, room * sizeof *more);
        if (!more)
            return NULL;
        s->subject = more;
    }
    return &s->subject[s->count++];
}

/* A renamed or forged file: its name and its content speak of different processes. */
static void check_name(struct subject *s)
{
    if (s->error == 0 && (s->header.pid != (uint32_t)s->inner || s->header.start_time != s->start_time))
        s->error = -EBADMSG;
}

static bool is_kept(const struct subjects *all) { return all->keeps && all->keeper != NO_KEEPER; }

static void drop_kept(struct subjects *all)
{
    if (is_kept(all))
        view_close(&all->kept);
    all->keeper = NO_KEEPER;
}

/* The process that lives before those that had its number. */
static void keep_or_close(struct subjects *all, const struct subject *s, struct view *v)
{
    if (!all->keeps || (is_kept(all) && !s->alive)) {
        view_close(v);
        return;
    }
    drop_kept(all);
    all->kept = *v;
    all->keeper = (size_t)(s - all->subject);
}

struct subject *subjects_add(struct subjects *all, const struct place *place, const char *name, pid_t pid, pid_t inner, uint64_t start_time)
{
    struct subject *s = new_subject(all);
    if (!s)
        return NULL;
    *s = (struct subject){.pid = pid, .inner = inner, .start_time = start_time, .uid = place->uid, .dirfd = place->fd};
    snprintf(s->file, sizeof s->file, "%s", name);
    snprintf(s->where, sizeof s->where, "%s/%s", place->path, name);
    struct view view;
    subject_open(s, &view);
    if (s->error == 0)
        keep_or_close(all, s, &view);
    check_name(s);
    return s;
}

bool subjects_take_view(struct subjects *all, const struct subject *of, struct view *v)
{
    if (!is_kept(all) || &all->subject[all->keeper] != of)
        return false;
    *v = all->kept;
    all->keeper = NO_KEEPER;
    return true;
}

void subjects_remove(struct subjects *s, size_t i)
{
    if (is_kept(s) && s->keeper == i)
        drop_kept(s);
    else if (is_kept(s) && s->keeper > i)
        s->keeper--;
    memmove(&s->subject[i], &s->subject[i + 1], (s->count - i - 1) * sizeof *s->subject);
    s->count--;
}

static int add_found(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    struct finder *f = context;
    (void)dirfd; /* the walk's own; ours stays open */
    if (f->only && f->only != pid)
        return 0;
    const struct subject *s = subjects_add(f->found, f->place, name, pid, pid, start_time);
    if (!s)
        return -ENOMEM;
    bool foreign = s->foreign, ended = s->error == 0 && s->header.ended;
    if (foreign || ended)
        subjects_remove(f->found, f->found->count - 1);
    f->found->foreign += foreign;
    return 0;
}

/* Only processes know their numbers there: nobody else's is looked for. */
static int add_contained(struct finder *f)
{
    char name[64];
    const struct place *p = f->place;
    int r = rundir_segment_name(p->only.inner, p->only.start_time, name, sizeof name);
    struct subject *s = r == 0 ? subjects_add(f->found, p, name, p->only.pid, p->only.inner, p->only.start_time) : NULL;
    if (!s)
        return -ENOMEM;
    s->apart = true;
    if (s->error == 0 && s->inode != p->only.inode)
        s->error = -EBADMSG;
    return 0;
}

static int find(struct subjects *s, const struct places *places, pid_t only)
{
    *s = (struct subjects){.keeps = only, .keeper = NO_KEEPER};
    for (size_t i = 0; i < places->count; i++) {
        struct finder f = {.found = s, .place = &places->place[i], .only = only};
        int r = f.place->only.pid ? add_contained(&f) : rundir_each(f.place->fd, add_found, &f);
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}

int subjects_find(struct subjects *s, const struct places *places) { return find(s, places, 0); }

int subjects_find_process(struct subjects *s, const struct places *places, pid_t pid) { return find(s, places, pid); }

void subjects_free(struct subjects *s)
{
    drop_kept(s);
    free(s->subject);
    *s = (struct subjects){.keeper = NO_KEEPER};
}

/* ---- a file ---- */

static bool is_capture(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool capture = fd >= 0 && capture_is_one(fd);
    if (fd >= 0)
        close(fd);
    return capture;
}

int subject_of_file(struct subject *s, const char *path, struct view *v)
{
    struct stat status;
    *s = (struct subject){.dirfd = AT_FDCWD};
    snprintf(s->where, sizeof s->where, "%s", path);
    if (!realpath(path, s->file) || stat(s->file, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADMSG;
    s->uid = status.st_uid;
    open_segment(s, v, -1);
    s->captured = s->error == -EBADMSG && is_capture(s->file);
    if (s->captured)
        s->error = 0;
    if (s->captured || s->error < 0)
        return s->error;
    s->pid = s->inner = (pid_t)s->header.pid;
    s->start_time = s->header.start_time;
    look_up_process(s);
    return 0;
}

/* ---- words for it ---- */

const char *subject_state(const struct subject *s)
{
    if (s->error < 0)
        return "unreadable";
    if (!s->alive)
        return "dead";
    if (s->session.running)
        return "recording";
    return s->session.started ? "stopped" : "dormant";
}

const char *subject_name(const struct subject *s)
{
    if (s->command[0])
        return s->command;
    return s->alive ? "(no command line)" : "(ended)";
}
