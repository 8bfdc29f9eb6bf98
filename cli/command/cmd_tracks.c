#include <stdio.h>
#include <string.h>

#include "command.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "order.h"
#include "settings.h"
#include "source.h"
#include "track_choice.h"
#include "track_orders.h"
#include "track_report.h"

_Static_assert(2 * LIST_MAX <= TRACK_ORDERS_MAX, "all that can be asked for fits into one order");

/* ---- looking ---- */

typedef int use_list(const struct track_report *r, const struct settings *s);

static int use(struct source *source, const struct settings *s, use_list *what)
{
    struct track_report r = {.subject = source_root(source)};
    if (track_list_make(&r.list, &source->member[0]->snapshot) < 0)
        return fail(EXIT_FAILED,
                    "cannot show the tracks of %d\n"
                    "out of memory\n"
                    SAME_AGAIN,
                    (int)r.subject->pid);
    int code = what(&r, s);
    track_list_free(&r.list);
    return code;
}

static int look(struct operand *o, const struct settings *s, use_list *what)
{
    struct capture c;
    struct source source;
    struct view view;
    const struct choice everything = {.of = CHOICE_EVERYTHING, .command = s->command};
    int code = source_open(&source, &o->places, o->subject, false, &everything);
    if (operand_take_view(o, o->subject, &view))
        source_begin_with(&source, &view);
    if (code == EXIT_OK)
        code = source_take(&source, &c);
    if (code == EXIT_OK) {
        code = use(&source, s, what);
        capture_free(&c);
    }
    source_free(&source);
    return code;
}

static int show(const struct track_report *r, const struct settings *s)
{
    int pid = (int)r->subject->pid;
    if (!format_choose(FORMAT_TRACKS, s)->write(r, s))
        return fail(EXIT_FAILED,
                    "cannot show the tracks of %d\n"
                    "out of memory\n"
                    SAME_AGAIN,
                    pid);
    if (!r->list.count)
        note("process %d has no Profiler, or none that the compiled recorder serves", pid);
    return EXIT_OK;
}

/* ---- switching ---- */

static struct track_orders orders;          /* what is asked for, */
static const char *told[TRACK_ORDERS_MAX]; /* in the words of who asked */

static int contradiction(const char *one, const char *other)
{
    return fail(EXIT_USAGE,
                "'%s' and '%s' are the same track, which is to be on and off\n"
                "one of them has to go\n"
                "tscap tracks --help",
                one, other);
}

static int add_order(const struct track_line *l, bool on, const char *text)
{
    for (size_t i = 0; i < orders.count; i++)
        if (orders.order[i].row == l->track && orders.order[i].on != on)
            return contradiction(told[i], text);
    told[orders.count] = text;
    orders.order[orders.count++] = (struct track_order){l->profiler->number, l->track, on};
    return EXIT_OK;
}

static int add_orders(const struct track_report *r, const struct settings *s, const struct list *wanted, bool on)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < wanted->count && code == EXIT_OK; i++) {
        const struct track_line *l = track_choice_find(&r->list, on ? "enable" : "disable", wanted->text[i], s->operand, &code);
        if (l)
            code = add_order(l, on, wanted->text[i]);
    }
    return code;
}

static int send_orders(const struct subject *subject, uint64_t timeout)
{
    char text[TRACK_ORDERS_TEXT];
    struct control_reply reply;
    track_orders_write(&orders, text);
    int fd = order_send_text(subject, CONTROL_TRACKS, text, timeout);
    int error = fd < 0 ? fd : control_take_reply(fd, &reply, (int)(timeout / 1000000 + 1));
    return order_check(subject, CONTROL_TRACKS, timeout, error, &reply);
}

/* What else keeps it from recording. */
static const char *but(const struct consumer *profiler)
{
    if (!(profiler->flags & CONSUMER_GLOBAL))
        return "; the switch of all profilers is off";
    return profiler->flags & CONSUMER_STARTED ? "" : "; its profiler is stopped";
}

static void tell(const struct track_report *r)
{
    for (size_t i = 0; i < orders.count; i++)
        for (size_t n = 0; n < r->list.count; n++) {
            const struct track_line *l = &r->list.line[n];
            if (l->track != orders.order[i].row)
                continue;
            note("track %s of profiler %u (%s) is %s%s", l->id, l->profiler->number, l->profiler->name, orders.order[i].on ? "on" : "off",
                 orders.order[i].on ? but(l->profiler) : "");
            break;
        }
}

static int switch_tracks(const struct track_report *r, const struct settings *s)
{
    int code = add_orders(r, s, &s->enable, true);
    if (code == EXIT_OK)
        code = add_orders(r, s, &s->disable, false);
    if (code == EXIT_OK)
        code = send_orders(r->subject, setting_or(s->timeout, ORDER_TIMEOUT));
    if (code == EXIT_OK)
        tell(r);
    return code;
}

int cmd_tracks(const struct settings *s)
{
    struct operand o;
    bool switches = s->enable.count || s->disable.count;
    int code = operand_find(&o, s, switches ? OPERAND_LIVING : OPERAND_PROCESS);
    if (code == EXIT_OK && switches)
        code = look(&o, s, switch_tracks);
    if (code == EXIT_OK && (!switches || s->json))
        code = look(&o, s, show);
    operand_free(&o);
    return code;
}
