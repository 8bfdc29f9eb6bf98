#include "recorded.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture_file.h"
#include "diagnosis.h"
#include "message.h"
#include "scale.h"
#include "units.h"
#include "version.h"

/* ---- the file ---- */

static int refuse(const char *where, int error, const struct capture_extent *x)
{
    char bytes[UNITS_TEXT];
    units_write_bytes(bytes, sizeof bytes, x->bytes);
    switch (-error) {
    case EPROTONOSUPPORT:
        return fail(EXIT_UNSUPPORTED,
                    "cannot read %s\n"
                    "it is a capture of version %" PRIu32 ".%" PRIu32 "; this is tscap " TSCAP_VERSION ", which reads version 1\n"
                    "a newer tscap",
                    where, x->version >> 16, x->version & 0xffff);
    case ENODATA:
        return fail(EXIT_FAILED,
                    "there is nothing to show in %s\n"
                    "of its %s, %" PRIu64 " bytes are whole: it was cut, or is damaged, before its first look ends\n"
                    "tscap record -o elsewhere PID, or take another copy of the file",
                    where, bytes, x->whole);
    case EBADMSG:
        if (!x->whole)
            return fail(EXIT_FAILED,
                        "cannot read %s\n"
                        "it is a capture of %s, but its first 64 bytes, which say how to read it, are cut or damaged\n"
                        "tscap record -o elsewhere PID, or take another copy of the file",
                        where, bytes);
        return fail(EXIT_FAILED,
                    "cannot read %s\n"
                    "it is a capture, but what it says cannot be, or it is being written anew\n"
                    "tscap record -o elsewhere PID, or take another copy of the file",
                    where);
    default:
        return diagnose_segment(where, error);
    }
}

static void write_instant(char *buffer, size_t size, uint64_t realtime)
{
    struct tm tm;
    time_t seconds = (time_t)(realtime / 1000000000u);
    if (!localtime_r(&seconds, &tm) || !strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(buffer, size, "its last look");
}

static void tell_cut(const char *where, const struct capture_extent *x, const struct recording *r)
{
    char until[64], cut[64] = "";
    if (x->finished)
        return;
    write_instant(until, sizeof until, r->ended);
    if (x->whole < x->bytes)
        snprintf(cut, sizeof cut, "%" PRIu64 " bytes at its end are cut or damaged; ", x->bytes - x->whole);
    note("%s was not finished: %swhat was recorded until %s is shown", where, cut, until);
}

static int read_file(struct source *s, const struct subject *file)
{
    struct capture_extent x = {0};
    int fd = open(file->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int r = fd < 0 ? -errno : capture_read(s->recording, fd, &x);
    if (fd >= 0)
        close(fd);
    if (r < 0)
        return refuse(file->where, r, &x);
    tell_cut(file->where, &x, s->recording);
    return EXIT_OK;
}

/* ---- its processes ---- */

static void fill_subject(struct subject *s, const struct recording_process *p, const struct subject *file)
{
    *s = (struct subject){
        .pid = (pid_t)p->pid,
        .inner = (pid_t)p->header.pid,
        .apart = p->apart,
        .start_time = p->header.start_time,
        .uid = p->uid,
        .alive = p->alive,
        .captured = true,
        .dirfd = file->dirfd,
        .header = p->header,
        .session = p->session,
    };
    snprintf(s->file, sizeof s->file, "%s", file->file);
    snprintf(s->where, sizeof s->where, "%s", file->where);
    snprintf(s->command, sizeof s->command, "%s", p->command);
}

/* Each in a place of the roster; where it was in the segment's does not matter. */
static int add_consumer(struct member *member, const struct recording_consumer *c)
{
    unsigned i = 0;
    struct audiences *a = &member->snapshot.audiences;
    while (i < SEGMENT_CONSUMERS && a->consumer[i].number)
        i++;
    if (i == SEGMENT_CONSUMERS)
        return -EBADMSG;
    a->consumer[i] = c->consumer;
    member->view.audiences = a;
    member->view.slots |= (uint64_t)c->seen << i;
    return 0;
}

static int add_consumers(struct source *s)
{
    int r = 0;
    const struct recording *from = s->recording;
    for (uint32_t i = 0; i < from->consumers && r == 0; i++)
        r = add_consumer(s->member[from->consumer[i].process], &from->consumer[i]);
    return r;
}

static bool add_members(struct source *s, const struct subject *file)
{
    const struct recording *r = s->recording;
    s->member = calloc(r->processes, sizeof *s->member);
    if (!s->member)
        return false;
    for (; s->count < r->processes; s->count++) {
        struct member *member = calloc(1, sizeof *member);
        if (!member)
            return false;
        const struct recording_process *p = &r->process[s->count];
        fill_subject(&member->subject, p, file);
        member->snapshot = (struct snapshot){.header = p->header, .session = p->session, .asof = p->asof, .complete = true};
        member->taken = p->read;
        member->present = member->settled = true;
        member->consumer = p->consumer;
        s->member[s->count] = member;
    }
    return true;
}

/* ---- whose calls they are ---- */

static const char *asked_for(const struct recording *r)
{
    for (uint32_t i = 0; i < r->notes; i++)
        if (strcmp(r->note[i].key, "consumer") == 0)
            return r->note[i].value;
    return r->view == RECORDING_CONSUMER ? "one consumer" : NULL;
}

/* It was chosen when the file was made. */
static void set_choice(struct source *s)
{
    static const enum choice_of of[RECORDING_VIEWS] = {
        [RECORDING_DEFAULT] = CHOICE_DEFAULT, [RECORDING_EVERYTHING] = CHOICE_EVERYTHING, [RECORDING_CONSUMER] = CHOICE_CONSUMER};
    s->shown = of[s->recording->view];
    s->choice.text = asked_for(s->recording);
    s->choice.of = s->choice.text ? s->shown : CHOICE_DEFAULT;
}

static int check_choice(const struct source *s, const struct subject *file)
{
    if (!s->choice.text)
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "%s: --consumer does not go with a capture\n"
                "whose calls %s holds was chosen when it was made: tscap save --consumer\n"
                "tscap %s %s",
                s->choice.command, file->where, s->choice.command, file->where);
}

int recorded_open(struct source *s, const struct subject *file)
{
    int refused = check_choice(s, file);
    if (refused != EXIT_OK)
        return refused;
    s->recording = calloc(1, sizeof *s->recording);
    int code = s->recording ? read_file(s, file) : diagnose_segment(file->where, -ENOMEM);
    if (code == EXIT_OK && !add_members(s, file))
        code = diagnose_segment(file->where, -ENOMEM);
    if (code == EXIT_OK && add_consumers(s) < 0)
        code = refuse(file->where, -EBADMSG, &(struct capture_extent){.whole = 1});
    if (code == EXIT_OK)
        set_choice(s);
    if (code == EXIT_OK)
        s->group.whole_tree = s->recording->whole_tree;
    return code;
}

void recorded_free(struct source *s)
{
    if (s->recording)
        recording_free(s->recording);
    free(s->recording);
    s->recording = NULL;
}

/* ---- the look ---- */

int recorded_look(struct source *s, struct capture *c)
{
    struct recording *r = s->recording;
    if (s->looked_at)
        return -ENODATA;
    s->looked_at = true;
    const struct subject *root = source_root(s);
    *c = (struct capture){.subject = root, .source = s, .whole_tree = r->whole_tree, .profile = r->profile};
    r->profile = (struct profile){.complete = false};
    c->snapshot = (struct snapshot){.header = root->header, .session = r->session, .asof = r->asof, .complete = true};
    c->snapshot.header.cpu_mode = r->cpu_mode;
    c->scale = (struct clock_scale){root->header.anchor_ticks, root->header.anchor_monotonic, r->ns_per_tick};
    c->same_boot = scale_same_boot(&root->header);
    c->taken = clock_scale_instant(&c->scale, r->asof);
    capture_sum(c);
    return 0;
}
