#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "array.h"
#include "diagnosis.h"
#include "message.h"
#include "thread_clocks.h"

#define RECOUNTS 10 /* until a child counts as missing: it may not have had the time to make its segment */
#define RECOUNT_NS 5000000
#define PATIENCE 500000000u /* ns for lanes that meet their writer at work: a dump shall end within a second */

static struct member *new_member(struct source *s)
{
    struct member **members = array_room(s->member, s->count, &s->room, sizeof *members);
    if (!members)
        return NULL;
    s->member = members;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    return s->member[s->count++] = member;
}

int source_open(struct source *s, const struct places *places, const struct subject *root, bool family)
{
    *s = (struct source){.group = {.places = places, .root = *root, .family = family}};
    struct member *member = new_member(s);
    if (!member)
        return diagnose_segment(root->where, -ENOMEM);
    member->subject = *root;
    member->present = true;
    return EXIT_OK;
}

static void member_free(struct member *member)
{
    if (member->taken)
        snapshot_free(&member->snapshot);
    free(member->site);
    free(member);
}

void source_free(struct source *s)
{
    for (size_t i = 0; i < s->count; i++)
        member_free(s->member[i]);
    free(s->member);
    strays_free(&s->strays);
    identities_free(&s->identities);
    *s = (struct source){0};
}

/* ---- who is there ---- */

static struct member *find_member(const struct source *s, const struct subject *wanted)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct subject *known = &s->member[i]->subject;
        if (known->pid == wanted->pid && known->start_time == wanted->start_time && known->uid == wanted->uid)
            return s->member[i];
    }
    return NULL;
}

/* Those that are gone are not missed if they were seen. */
static uint64_t count_missing(const struct source *s)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct subject *parent = &s->member[i]->subject;
        uint64_t expected = parent->error == 0 ? parent->header.offspring : 0;
        for (size_t k = 0; k < s->count && expected; k++)
            expected -= (s->member[k]->present || s->member[k]->taken) && family_is_heir(&s->member[k]->subject, parent);
        missing += expected;
    }
    return missing;
}

static int meet(struct source *s, const struct family *f)
{
    for (size_t i = 0; i < s->count; i++)
        s->member[i]->present = false;
    for (size_t i = 0; i < f->count; i++) {
        const struct subject *found = f->relative[i].subject;
        struct member *member = find_member(s, found);
        if (!member)
            member = new_member(s);
        if (!member)
            return -ENOMEM;
        member->subject = *found;
        member->present = true;
    }
    s->missing = count_missing(s);
    return 0;
}

static int look_around(struct source *s)
{
    struct subjects all;
    struct family f;
    int r = group_find(&s->group, &all, &f);
    if (r == 0)
        r = meet(s, &f);
    if (r == 0) {
        strays_free(&s->strays);
        r = strays_find(&s->strays, &f, &all);
    }
    family_free(&f);
    subjects_free(&all);
    return r;
}

/* A child that is just being made is not missing. */
static int find_all(struct source *s)
{
    struct timespec pause = {.tv_nsec = RECOUNT_NS};
    int r = look_around(s);
    for (unsigned i = 0; r == 0 && s->missing && i < RECOUNTS; i++) {
        nanosleep(&pause, NULL);
        r = look_around(s);
    }
    return r;
}

/* ---- looking at each ---- */

static bool begun_anew(const struct snapshot *now, const struct snapshot *before)
{
    return now->header.anchor_ticks != before->header.anchor_ticks || now->session.resets != before->session.resets;
}

static int keep(struct source *s, struct member *member, struct snapshot *taken)
{
    uint32_t *site = s->group.family ? identities_of(&s->identities, taken, &s->nameless) : NULL;
    if (s->group.family && !site) {
        snapshot_free(taken);
        return -ENOMEM;
    }
    if (member->taken) {
        s->breaks += begun_anew(taken, &member->snapshot);
        snapshot_free(&member->snapshot);
        free(member->site);
    }
    member->snapshot = *taken;
    member->site = site;
    member->taken = true;
    return 0;
}

static int take_snapshot(struct snapshot *s, const struct subject *subject, const struct view *view)
{
    struct thread_clocks clocks;
    struct snapshot_options options = {.alive = subject->alive, .ask_cpu = thread_clocks_ask_cpu, .context = &clocks, .patience = PATIENCE};
    thread_clocks_begin(&clocks, subject->pid, subject->apart);
    int r = snapshot_take(s, view, &options);
    thread_clocks_free(&clocks);
    return r;
}

/* Those of a family have just been found. */
static int open_member(const struct source *s, struct member *member, struct view *v)
{
    struct subject *subject = &member->subject;
    if (s->group.family)
        return view_open(v, subject->dirfd, subject->file, (long)subject->uid);
    subject_open(subject, v);
    return subject->error;
}

static int look_at(struct source *s, struct member *member)
{
    struct snapshot taken;
    struct view view;
    int r = open_member(s, member, &view);
    if (r < 0)
        return r;
    r = take_snapshot(&taken, &member->subject, &view);
    view_close(&view);
    member->settled = r == 0 && !member->subject.alive;
    return r == 0 ? keep(s, member, &taken) : r;
}

/* Of a family, one that ends meanwhile and takes its segment along is like one that was not there. */
static int look_at_one_of_many(struct source *s, struct member *member)
{
    int r = look_at(s, member);
    member->error = r == -ENOENT || r == -ENOMEM ? 0 : r;
    if (r == -ENOENT)
        member->subject.alive = false;
    return r == -ENOMEM ? r : 0;
}

/* With the root's reset the ones that are gone are forgotten: nothing of them is there any more. */
static void forget_gone(struct source *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct member *member = s->member[i];
        if (i && !member->present)
            member_free(member);
        else
            s->member[kept++] = member;
    }
    s->count = kept;
}

static int look_at_all(struct source *s)
{
    int r = 0;
    uint32_t breaks = s->breaks;
    for (size_t i = 0; i < s->count && r == 0; i++) {
        if (!s->member[i]->present)
            s->member[i]->subject.alive = false;
        else if (!s->member[i]->settled)
            r = s->group.family ? look_at_one_of_many(s, s->member[i]) : look_at(s, s->member[i]);
        if (r == 0 && i == 0 && s->breaks != breaks)
            forget_gone(s);
    }
    return r;
}

/* ---- the sum ---- */

/* With the root in one sum: it measures by the same clock. */
static bool fits(const struct source *s, const struct member *member)
{
    return member->taken && member->snapshot.header.clock_source == s->member[0]->snapshot.header.clock_source;
}

/* Began with the first of them, ended with the last. */
static void add_session(struct snapshot *sum, const struct snapshot *s, bool alive)
{
    struct session_state *to = &sum->session;
    const struct session_state *from = &s->session;
    uint64_t stopped = from->running && !alive ? s->asof : from->stopped;
    if (from->started && (!to->started || from->started < to->started))
        to->started = from->started;
    if (stopped > to->stopped)
        to->stopped = stopped;
    to->running |= from->running && alive;
    sum->asof = s->asof > sum->asof ? s->asof : sum->asof;
    if (s->header.cpu_mode > sum->header.cpu_mode)
        sum->header.cpu_mode = s->header.cpu_mode;
}

/* That of a single process is told as it is. */
static void sum_sessions(const struct source *s, struct snapshot *sum)
{
    sum->session.resets = s->breaks;
    sum->session.running = false; /* until one of those that live does */
    for (size_t i = 0; i < s->count; i++) {
        const struct member *member = s->member[i];
        if (fits(s, member))
            add_session(sum, &member->snapshot, member->subject.alive);
    }
}

static int sum_up(const struct source *s, struct capture *c)
{
    struct profile_source *part = calloc(s->count, sizeof *part);
    size_t count = 0;
    bool complete = true;
    uint64_t other_clock = 0;
    if (!part)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++) {
        const struct member *member = s->member[i];
        complete &= member->error == 0;
        other_clock += member->taken && !fits(s, member);
        if (fits(s, member))
            part[count++] = (struct profile_source){.snapshot = &member->snapshot, .site = member->site, .process = (uint32_t)i};
    }
    int r = profile_make_sum(&c->profile, part, count);
    free(part);
    c->profile.complete &= complete;
    c->profile.lost_processes = s->missing + s->strays.count;
    c->profile.other_clock = other_clock;
    c->profile.lost_sites += s->nameless;
    return r;
}

static int make_capture(struct source *s, struct capture *c)
{
    const struct snapshot *root = &s->member[0]->snapshot;
    *c = (struct capture){.subject = source_root(s), .source = s, .family = s->group.family, .taken = clock_ns(CLOCK_MONOTONIC)};
    c->snapshot = (struct snapshot){.header = root->header, .session = root->session, .asof = root->asof, .complete = true};
    if (s->group.family)
        sum_sessions(s, &c->snapshot);
    int r = sum_up(s, c);
    if (r == 0)
        capture_ready(c);
    return r;
}

int source_look(struct source *s, struct capture *c)
{
    int r = s->group.family ? find_all(s) : 0;
    if (r < 0)
        subject_refresh(source_root(s));
    else
        r = look_at_all(s);
    if (r == 0 && !s->member[0]->taken)
        r = s->member[0]->error ? s->member[0]->error : -ENOENT;
    return r == 0 ? make_capture(s, c) : r;
}

int source_take(struct source *s, struct capture *c)
{
    const char *where = source_root(s)->where;
    int r = source_look(s, c);
    if (r < 0)
        return diagnose_segment(where, r);
    if (!s->group.family && !c->same_boot)
        note("%s is from before this machine was started last: times are converted by today's clock rate", where);
    return EXIT_OK;
}

/* ---- what they do ---- */

void source_count(const struct source *s, size_t *alive, size_t *recording)
{
    *alive = *recording = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct subject *subject = &s->member[i]->subject;
        *alive += subject->alive;
        *recording += subject->alive && subject->session.running;
    }
}

void source_state(const struct source *s, char *buffer, size_t size)
{
    size_t alive, recording;
    source_count(s, &alive, &recording);
    if (recording == 0 || (recording == alive && s->member[0]->subject.alive))
        snprintf(buffer, size, "%s", subject_state(&s->member[0]->subject));
    else
        snprintf(buffer, size, "recording in %zu of %zu processes", recording, alive);
}
