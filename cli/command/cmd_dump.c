#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "chosen_format.h"
#include "command.h"
#include "dump.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "settings.h"
#include "source.h"

static const struct consumer *find_attached(const struct capture *c)
{
    const struct audiences *a = &c->source->member[0]->snapshot.audiences;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (a->consumer[i].number && a->consumer[i].kind == CONSUMER_ATTACHED && a->consumer[i].flags & CONSUMER_RUNNING)
            return &a->consumer[i];
    return NULL;
}

/* A pattern that fits nothing, libraries that are left out, a loop that runs already, or a process that waits. */
static void explain_selection(const struct consumer *attached, int pid)
{
    if (attached->selected[0] && strcmp(attached->selected, "the program's functions") != 0)
        note("nothing that attach selected was called while process %d recorded: %s\n"
             "a name is MODULE:QUALNAME; in the file that was started the module is __main__; a call that runs already does not count\n"
             "tscap stack %d, which shows what runs",
             pid, attached->selected, pid);
    else
        note("no function of the program's own files was called while process %d recorded\n"
             "libraries are left out unless --all is given, and a call that runs already does not count\n"
             "tscap stack %d, which shows what runs",
             pid, pid);
}

void dump_explain_emptiness(const struct capture *c)
{
    bool live = c->subject->alive && c->subject->dirfd >= 0;
    char view[CHOICE_TEXT];
    if (c->profile.calls || c->profile.lost || c->profile.lost_sites || c->profile.lost_interpreters || !c->profile.complete)
        return;
    source_name_view(c->source, view, sizeof view);
    if (c->source->shown == CHOICE_CONSUMER)
        note("nothing has been recorded for consumer %s", view);
    else if (live && !c->snapshot.session.running)
        note("nothing is recorded of process %d: tscap start %d", (int)c->subject->pid, (int)c->subject->pid);
    else if (find_attached(c))
        explain_selection(find_attached(c), (int)c->subject->pid);
    else
        note("no decorated function was called while process %d recorded", (int)c->subject->pid);
}

static int check_terminal(const struct format *f, const struct settings *s)
{
    if (!f->binary || !isatty(STDOUT_FILENO))
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "%s: --format %s is not text, and the output is a terminal\n"
                "it would not show anything\n"
                "tscap convert %s -f %s -o FILE",
                s->command, f->name, s->operand, f->name);
}

static int show(const struct capture *c, const struct format *f, const struct settings *s)
{
    int code = chosen_format_check_capture(c, s);
    if (code == EXIT_OK)
        code = format_check_capture(f, c, s);
    if (code != EXIT_OK)
        return code;
    if (!(f->write ? f->write(c, s) : format_save(f, c, s, stdout)))
        return fail(EXIT_FAILED,
                    "cannot show the profile\n"
                    "out of memory\n"
                    SAME_AGAIN);
    dump_explain_emptiness(c);
    return capture_check_loss(c, setting_or(s->max_loss, 0));
}

static int dump(struct operand *o, const struct format *f, const struct settings *s)
{
    struct capture c;
    struct source source;
    struct view view;
    const struct choice choice = choice_make(s);
    int code = source_open(&source, &o->places, o->subject, s->subprocesses, &choice);
    if (operand_take_view(o, o->subject, &view))
        source_begin_with(&source, &view);
    if (code == EXIT_OK)
        code = source_take(&source, &c);
    if (code == EXIT_OK) {
        code = show(&c, f, s);
        capture_free(&c);
    }
    source_free(&source);
    return code;
}

int cmd_dump(const struct settings *s)
{
    struct operand o;
    const struct format *f = chosen_format_find(s);
    int code = f ? check_terminal(f, s) : EXIT_USAGE;
    if (code == EXIT_OK)
        code = choice_check(s);
    if (code != EXIT_OK || !format_check_table(f, s, &code))
        return code;
    code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = dump(&o, f, s);
    operand_free(&o);
    return code;
}
