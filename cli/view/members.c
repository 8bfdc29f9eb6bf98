#include "members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "array.h"

#define RECOUNTS 10 /* until a child counts as missing: it may not have had the time to make its segment */
#define RECOUNT_NS 5000000

void members_begin(struct members *m, const struct places *places, const struct subject *root)
{
    *m = (struct members){.places = places, .pid = root->pid, .start_time = root->start_time};
}

static void member_free(struct member *member)
{
    if (member->taken)
        snapshot_free(&member->snapshot);
    free(member->site);
    free(member);
}

void members_free(struct members *m)
{
    for (size_t i = 0; i < m->count; i++)
        member_free(m->member[i]);
    free(m->member);
    strays_free(&m->strays);
    identities_free(&m->identities);
    *m = (struct members){0};
}

/* ---- who is there ---- */

static struct member *find_member(const struct members *m, const struct subject *s)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct subject *known = &m->member[i]->subject;
        if (known->pid == s->pid && known->start_time == s->start_time && known->uid == s->uid)
            return m->member[i];
    }
    return NULL;
}

static struct member *new_member(struct members *m)
{
    struct member **members = array_room(m->member, m->count, &m->room, sizeof *members);
    if (!members)
        return NULL;
    m->member = members;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    return m->member[m->count++] = member;
}

/* Those that are gone are not missed if they were seen. */
static uint64_t count_missing(const struct members *m)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct subject *parent = &m->member[i]->subject;
        uint64_t expected = parent->error == 0 ? parent->header.offspring : 0;
        for (size_t k = 0; k < m->count && expected; k++)
            expected -= (m->member[k]->present || m->member[k]->taken) && family_is_heir(&m->member[k]->subject, parent);
        missing += expected;
    }
    return missing;
}

static int meet(struct members *m, const struct family *f)
{
    for (size_t i = 0; i < m->count; i++)
        m->member[i]->present = false;
    for (size_t i = 0; i < f->count; i++) {
        const struct subject *s = f->relative[i].subject;
        struct member *member = find_member(m, s);
        if (!member)
            member = new_member(m);
        if (!member)
            return -ENOMEM;
        member->subject = *s;
        member->present = true;
    }
    m->missing = count_missing(m);
    return 0;
}

static const struct subject *find_root(const struct members *m, const struct subjects *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].pid == m->pid && all->subject[i].start_time == m->start_time)
            return &all->subject[i];
    return NULL;
}

int members_family(const struct members *m, struct subjects *all, struct family *f)
{
    *f = (struct family){0};
    int r = subjects_find(all, m->places);
    const struct subject *root = r == 0 ? find_root(m, all) : NULL;
    if (r < 0)
        return r;
    return root ? family_of(f, all, root) : -ENOENT;
}

static int look_around(struct members *m)
{
    struct subjects all;
    struct family f;
    int r = members_family(m, &all, &f);
    if (r == 0)
        r = meet(m, &f);
    if (r == 0) {
        strays_free(&m->strays);
        r = strays_find(&m->strays, &f, &all);
    }
    family_free(&f);
    subjects_free(&all);
    return r;
}

/* A child that is just being made is not missing. */
static int find_all(struct members *m)
{
    struct timespec pause = {.tv_nsec = RECOUNT_NS};
    int r = look_around(m);
    for (unsigned i = 0; r == 0 && m->missing && i < RECOUNTS; i++) {
        nanosleep(&pause, NULL);
        r = look_around(m);
    }
    return r;
}

/* ---- looking at each ---- */

static bool begun_anew(const struct snapshot *now, const struct snapshot *before)
{
    return now->header.anchor_ticks != before->header.anchor_ticks || now->session.resets != before->session.resets;
}

static int keep(struct members *m, struct member *member, struct snapshot *taken)
{
    uint32_t *site = identities_of(&m->identities, taken, &m->nameless);
    if (!site) {
        snapshot_free(taken);
        return -ENOMEM;
    }
    if (member->taken) {
        m->breaks += begun_anew(taken, &member->snapshot);
        snapshot_free(&member->snapshot);
        free(member->site);
    }
    member->snapshot = *taken;
    member->site = site;
    member->taken = true;
    return 0;
}

/* One that ends meanwhile and takes its segment along is like one that was not there. */
static int look_at(struct members *m, struct member *member)
{
    struct snapshot taken;
    int r = capture_snapshot(&taken, &member->subject);
    member->error = r == -ENOENT ? 0 : r;
    if (r == -ENOENT)
        member->subject.alive = false;
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    member->settled = !member->subject.alive;
    return keep(m, member, &taken);
}

/* With the root's reset the ones that are gone are forgotten: nothing of them is there any more. */
static void forget_gone(struct members *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct member *member = m->member[i];
        if (i && !member->present)
            member_free(member);
        else
            m->member[kept++] = member;
    }
    m->count = kept;
}

static int look_at_all(struct members *m)
{
    int r = 0;
    uint32_t breaks = m->breaks;
    for (size_t i = 0; i < m->count && r == 0; i++) {
        if (!m->member[i]->present)
            m->member[i]->subject.alive = false;
        else if (!m->member[i]->settled)
            r = look_at(m, m->member[i]);
        if (r == 0 && i == 0 && m->breaks != breaks)
            forget_gone(m);
    }
    return r;
}

/* ---- the sum ---- */

static bool same_clock(const struct snapshot *a, const struct snapshot *b) { return a->header.clock_source == b->header.clock_source; }

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

static int sum_up(struct members *m, struct capture *c)
{
    struct profile_source *source = calloc(m->count, sizeof *source);
    const struct snapshot *root = &m->member[0]->snapshot;
    size_t count = 0;
    bool complete = true;
    uint64_t other_clock = 0;
    if (!source)
        return -ENOMEM;
    c->snapshot = (struct snapshot){.header = root->header, .session = root->session, .asof = root->asof, .complete = true};
    c->snapshot.session.resets = m->breaks;
    c->snapshot.session.running = false; /* until one of those that live does */
    for (size_t i = 0; i < m->count; i++) {
        const struct member *member = m->member[i];
        bool fits = member->taken && same_clock(&member->snapshot, root);
        complete &= member->error == 0;
        other_clock += member->taken && !fits;
        if (!fits)
            continue;
        add_session(&c->snapshot, &member->snapshot, member->subject.alive);
        source[count++] = (struct profile_source){&member->snapshot, member->site, (uint32_t)i};
    }
    int r = profile_make_sum(&c->profile, source, count);
    free(source);
    c->profile.complete &= complete;
    c->profile.lost_processes = m->missing + m->strays.count;
    c->profile.other_clock = other_clock;
    c->profile.lost_sites += m->nameless;
    return r;
}

int members_look(struct members *m, struct capture *c)
{
    int r = find_all(m);
    if (r == 0)
        r = look_at_all(m);
    if (r == 0 && !m->member[0]->taken)
        r = m->member[0]->error ? m->member[0]->error : -ENOENT;
    if (r < 0)
        return r;
    *c = (struct capture){.subject = &m->member[0]->subject, .members = m, .taken = clock_ns(CLOCK_MONOTONIC)};
    r = sum_up(m, c);
    if (r == 0)
        capture_ready(c);
    return r;
}

/* ---- what they do ---- */

void members_count(const struct members *m, size_t *alive, size_t *recording)
{
    *alive = *recording = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct subject *s = &m->member[i]->subject;
        *alive += s->alive;
        *recording += s->alive && s->session.running;
    }
}

void members_state(const struct members *m, char *buffer, size_t size)
{
    size_t alive, recording;
    members_count(m, &alive, &recording);
    if (recording == 0 || (recording == alive && m->member[0]->subject.alive))
        snprintf(buffer, size, "%s", subject_state(&m->member[0]->subject));
    else
        snprintf(buffer, size, "recording in %zu of %zu processes", recording, alive);
}
