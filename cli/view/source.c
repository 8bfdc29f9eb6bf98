#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "array.h"
#include "diagnosis.h"
#include "message.h"
#include "recorded.h"
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

int source_open(struct source *s, const struct places *places, const struct subject *root, bool whole_tree, const struct choice *choice)
{
    *s = (struct source){.group = {.places = places, .root = *root, .whole_tree = whole_tree}, .choice = *choice};
    s->shown = choice->of == CHOICE_DEFAULT ? CHOICE_EVERYTHING : choice->of; /* until there is one of the default view's consumers */
    if (root->captured)
        return recorded_open(s, root);
    struct member *member = new_member(s);
    if (!member)
        return diagnose_segment(root->where, -ENOMEM);
    member->subject = *root;
    member->present = true;
    return EXIT_OK;
}

void source_begin_with(struct source *s, const struct view *v)
{
    s->opened = *v;
    s->is_open = true;
}

static void member_free(struct member *member)
{
    if (member->taken)
        snapshot_free(&member->snapshot);
    if (member->holds)
        view_close(&member->held);
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
    if (s->is_open)
        view_close(&s->opened);
    recorded_free(s);
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
            expected -= (s->member[k]->present || s->member[k]->taken) && process_tree_is_heir(&s->member[k]->subject, parent);
        missing += expected;
    }
    return missing;
}

static int meet(struct source *s, const struct process_tree *tree)
{
    for (size_t i = 0; i < s->count; i++)
        s->member[i]->present = false;
    for (size_t i = 0; i < tree->count; i++) {
        const struct subject *found = tree->relative[i].subject;
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
    struct process_tree tree;
    int r = group_find(&s->group, &all, &tree);
    if (r == 0)
        r = meet(s, &tree);
    if (r == 0) {
        strays_free(&s->strays);
        r = strays_find(&s->strays, &tree, &all);
    }
    process_tree_free(&tree);
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

static bool is_another(const struct snapshot *now, const struct snapshot *before)
{
    return now->header.anchor_ticks != before->header.anchor_ticks;
}

static bool begun_anew(const struct snapshot *now, const struct snapshot *before)
{
    return is_another(now, before) || now->session.resets != before->session.resets;
}

/* Another program in the process has other consumers. */
static void choose_again(struct source *s, struct member *member)
{
    member->consumer = 0;
    if (s->choice.of == CHOICE_DEFAULT && member == s->member[0])
        s->shown = CHOICE_EVERYTHING;
}

static struct audience_view view_of(const struct source *s, const struct member *member, const struct snapshot *taken)
{
    return choice_view(s->shown, taken, member->consumer);
}

static void choose_consumer(const struct source *s, struct member *member, const struct snapshot *taken)
{
    if (s->choice.of == CHOICE_CONSUMER)
        member->misfit = choice_find(&s->choice, &taken->audiences, &member->consumer);
}

/* The view borrows from the snapshot, so it is set when that is where it stays. */
static void replace_snapshot(struct source *s, struct member *member, const struct snapshot *taken)
{
    bool another = member->taken && is_another(taken, &member->snapshot);
    if (another)
        choose_again(s, member);
    choose_consumer(s, member, taken);
    struct audience_view view = view_of(s, member, taken);
    if (member->taken) {
        s->breaks += another || begun_anew(taken, &member->snapshot) || choice_breaks(&view, &member->view);
        snapshot_free(&member->snapshot);
        free(member->site);
    }
    member->snapshot = *taken;
    member->view = view_of(s, member, &member->snapshot);
    member->taken = true;
}

static int keep(struct source *s, struct member *member, struct snapshot *taken)
{
    uint32_t *site = s->group.whole_tree ? identities_of(&s->identities, taken, &s->nameless) : NULL;
    if (s->group.whole_tree && !site) {
        snapshot_free(taken);
        return -ENOMEM;
    }
    replace_snapshot(s, member, taken);
    member->site = site;
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

/* Those of a process tree have just been found. */
static int open_member(struct source *s, struct member *member, struct view *v)
{
    struct subject *subject = &member->subject;
    if (s->is_open) {
        *v = s->opened;
        s->is_open = false;
        return 0;
    }
    if (s->group.whole_tree)
        return member->present ? view_open(v, subject->dirfd, subject->file, (long)subject->uid) : -ENOENT;
    subject_open(subject, v);
    return subject->error;
}

/* It was removed, but is open still. */
static int open_or_held(struct source *s, struct member *member, struct view *v)
{
    int r = open_member(s, member, v);
    if (r != -ENOENT || !member->holds)
        return r;
    *v = member->held;
    return 0;
}

static void close_or_hold(const struct source *s, struct member *member, struct view *v)
{
    bool held = member->holds && member->held.fd == v->fd;
    if (!s->holds)
        view_close(v);
    else if (!held && member->holds)
        view_close(&member->held);
    if (s->holds)
        member->held = *v;
    member->holds |= s->holds;
}

static int look_at(struct source *s, struct member *member)
{
    struct snapshot taken;
    struct view view;
    int r = open_or_held(s, member, &view);
    if (r < 0)
        return r;
    r = take_snapshot(&taken, &member->subject, &view);
    close_or_hold(s, member, &view);
    member->settled = r == 0 && !member->subject.alive;
    return r == 0 ? keep(s, member, &taken) : r;
}

/* Of a process tree, one that ends meanwhile and takes its segment along is like one that was not there. */
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
        if (!s->member[i]->settled && (s->member[i]->present || s->member[i]->holds))
            r = s->group.whole_tree ? look_at_one_of_many(s, s->member[i]) : look_at(s, s->member[i]);
        if (r == 0 && i == 0 && s->breaks != breaks)
            forget_gone(s);
    }
    return r;
}

/* ---- what is shown ---- */

/* The default view is shown from when somebody has consumers of it. */
static void show_default(struct source *s)
{
    bool any = false;
    for (size_t i = 0; i < s->count; i++)
        any |= s->member[i]->taken && choice_view(CHOICE_DEFAULT, &s->member[i]->snapshot, 0).slots;
    if (!any || s->choice.of != CHOICE_DEFAULT || s->shown == CHOICE_DEFAULT)
        return;
    s->shown = CHOICE_DEFAULT;
    s->breaks++;
    for (size_t i = 0; i < s->count; i++)
        if (s->member[i]->taken)
            s->member[i]->view = view_of(s, s->member[i], &s->member[i]->snapshot);
}

/* The member that decides whether what was asked for can be shown: the first in which several fit, else one in which one does,
 * else the root. */
static const struct member *deciding(const struct source *s)
{
    const struct member *one = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct member *member = s->member[i];
        if (member->taken && member->misfit == -ENOTUNIQ)
            return member;
        if (member->taken && member->misfit == 0 && !one)
            one = member;
    }
    return one ? one : s->member[0];
}

/* Once it was found, it stays chosen. */
static int find_consumer(struct source *s)
{
    if (s->choice.of != CHOICE_CONSUMER || s->found)
        return 0;
    int r = deciding(s)->misfit;
    s->found = r == 0;
    return r;
}

void source_name_view(const struct source *s, char *buffer, size_t size)
{
    const struct member *root = s->member[0];
    if (s->shown == CHOICE_EVERYTHING)
        snprintf(buffer, size, "everybody's calls");
    else if (!s->group.whole_tree)
        choice_name(&root->view, root->consumer, buffer, size);
    else if (s->shown == CHOICE_CONSUMER)
        snprintf(buffer, size, "%s of each process", s->choice.text);
    else
        snprintf(buffer, size, "session and attached of each process");
}

bool source_has_other_views(const struct source *s)
{
    bool others = s->choice.of != CHOICE_DEFAULT;
    for (size_t i = 0; i < s->count; i++)
        others |= choice_leaves_out(&s->member[i]->view);
    return others;
}

/* ---- the sum ---- */

/* With the root in one sum: it measures by the same clock. */
static bool fits(const struct source *s, const struct member *member)
{
    return member->taken && member->snapshot.header.clock_source == s->member[0]->snapshot.header.clock_source;
}

/* Began with the first of them, ended with the last. */
static void add_session(struct snapshot *sum, const struct snapshot *s, const struct session_state *from, bool alive)
{
    struct session_state *to = &sum->session;
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

static struct session_state session_of(const struct source *s, const struct member *member)
{
    return choice_session(s->shown, &member->view, &member->snapshot.session);
}

/* That of a single process is told as it is. */
static void sum_sessions(const struct source *s, struct snapshot *sum)
{
    sum->session = session_of(s, s->member[0]);
    if (!s->group.whole_tree)
        return;
    sum->session.resets = s->breaks;
    sum->session.running = false; /* until one of those that live does */
    for (size_t i = 0; i < s->count; i++) {
        const struct member *member = s->member[i];
        const struct session_state session = session_of(s, member);
        if (fits(s, member))
            add_session(sum, &member->snapshot, &session, member->subject.alive);
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
        complete &= member->error == 0 && member->misfit != -ENOTUNIQ;
        other_clock += member->taken && !fits(s, member);
        if (fits(s, member))
            part[count++] = (struct profile_source){.snapshot = &member->snapshot, .site = member->site, .process = (uint32_t)i, .view = member->view};
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
    *c = (struct capture){.subject = source_root(s), .source = s, .whole_tree = s->group.whole_tree, .breaks = s->breaks};
    c->taken = clock_ns(CLOCK_MONOTONIC);
    c->snapshot = (struct snapshot){.header = root->header, .asof = root->asof, .complete = true};
    sum_sessions(s, &c->snapshot);
    int r = sum_up(s, c);
    if (r == 0)
        capture_ready(c);
    return r;
}

int source_look(struct source *s, struct capture *c)
{
    if (s->recording)
        return recorded_look(s, c);
    int r = s->group.whole_tree ? find_all(s) : 0;
    if (r < 0)
        subject_refresh(source_root(s));
    if (r == -ENOENT && s->holds) { /* the root has ended: what it left, and those that live on */
        s->member[0]->present = false;
        r = 0;
    }
    if (r == 0)
        r = look_at_all(s);
    if (r == 0 && !s->member[0]->taken)
        r = s->member[0]->error ? s->member[0]->error : -ENOENT;
    if (r == 0)
        show_default(s);
    if (r == 0)
        r = find_consumer(s);
    return r == 0 ? make_capture(s, c) : r;
}

static int fail_to_choose(const struct source *s, int error)
{
    char pid[32];
    const struct member *member = deciding(s);
    const struct subject *subject = &member->subject;
    snprintf(pid, sizeof pid, "%d", (int)subject->pid);
    return choice_fail(&s->choice, &member->snapshot.audiences, subject->dirfd == AT_FDCWD ? subject->where : pid, error);
}

int source_take(struct source *s, struct capture *c)
{
    const char *where = source_root(s)->where;
    int r = source_look(s, c);
    if (r == -ENODATA || r == -ENOTUNIQ)
        return fail_to_choose(s, r);
    if (r < 0)
        return diagnose_segment(where, r);
    if (!s->group.whole_tree && !s->recording && !c->same_boot)
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
