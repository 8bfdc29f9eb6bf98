#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "command.h"
#include "consumers.h"
#include "process_tree.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "order.h"
#include "recording.h"
#include "scale.h"
#include "settings.h"
#include "source.h"
#include "status_report.h"

#define DEFAULT_TIMEOUT 1000000000u

/* Consumers are in the segment as it is mapped: opened for that, if it is not open since it was found. */
static int read_consumers(struct audiences *a, struct operand *o, struct subject *subject)
{
    struct view view;
    if (!operand_take_view(o, subject, &view))
        subject_open(subject, &view);
    if (subject->error < 0)
        return subject->error;
    int r = consumers_read(a, &view);
    view_close(&view);
    return r;
}

static void look_at(struct status_report *s, struct operand *o, struct subject *subject, uint64_t timeout)
{
    *s = (struct status_report){.subject = subject, .header = &subject->header, .asked = -ESRCH};
    s->consumers = read_consumers(&s->audiences, o, subject);
    s->scale = scale_of_segment(s->header);
    if (subject->alive && subject->dirfd >= 0)
        s->asked = order_ask(subject, CONTROL_STATUS, 0, timeout, &s->reply);
}

/* Those whose segment cannot be read are shown all the same: as far as they are known. */
static bool look_at_all(struct status_reports *all, struct operand *o, const struct settings *s)
{
    struct process_tree tree = {0};
    uint64_t timeout = setting_or(s->timeout, DEFAULT_TIMEOUT);
    bool whole = !s->subprocesses || process_tree_of(&tree, &o->all, o->subject) == 0;
    size_t count = s->subprocesses ? tree.count : 1;
    all->report = whole ? calloc(count + 1, sizeof *all->report) : NULL;
    for (size_t i = 0; all->report && i < count; i++)
        look_at(&all->report[all->count++], o, s->subprocesses ? tree.relative[i].subject : o->subject, timeout);
    process_tree_free(&tree);
    return all->report;
}

static void forget(struct status_reports *all)
{
    for (size_t i = 0; i < all->count; i++)
        audiences_free(&all->report[i].audiences);
    free(all->report);
}

static int tell(bool whole, const struct settings *s)
{
    return whole ? EXIT_OK : fail(EXIT_FAILED,
                                  "cannot show the status of %s\n"
                                  "out of memory\n"
                                  SAME_AGAIN,
                                  s->operand);
}

static int show(struct operand *o, const struct settings *s)
{
    struct status_reports all = {0};
    bool whole = look_at_all(&all, o, s) && format_choose(FORMAT_STATUS, s)->write(&all, s);
    forget(&all);
    return tell(whole, s);
}

/* ---- a capture ---- */

/* What it holds of a process as that was when it was looked at; consumers are the source's. */
static void report_captured(struct status_report *report, const struct source *source, struct member *member)
{
    struct stat status;
    const struct recording *r = source->recording;
    const struct segment_header *h = &member->subject.header;
    if (stat(member->subject.file, &status) == 0)
        member->subject.bytes = (uint64_t)status.st_size;
    *report = (struct status_report){
        .subject = &member->subject,
        .header = h,
        .scale = {h->anchor_ticks, h->anchor_monotonic, r->ns_per_tick},
        .asked = -ESRCH,
        .audiences = member->snapshot.audiences,
        .asof = member->snapshot.asof,
        .profile = source->count == 1 ? &r->profile : NULL,
    };
}

static int show_captured(struct operand *o, const struct settings *s)
{
    struct source source;
    struct status_reports all = {0};
    const struct choice choice = choice_make(s);
    int code = source_open(&source, &o->places, o->subject, false, &choice);
    if (code == EXIT_OK) {
        all.report = calloc(source.count + 1, sizeof *all.report);
        for (; all.report && all.count < source.count; all.count++)
            report_captured(&all.report[all.count], &source, source.member[all.count]);
        code = tell(all.report && format_choose(FORMAT_STATUS, s)->write(&all, s), s);
    }
    free(all.report);
    source_free(&source);
    return code;
}

int cmd_status(const struct settings *s)
{
    struct operand o;
    int code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = o.subject->captured ? show_captured(&o, s) : show(&o, s);
    operand_free(&o);
    return code;
}
