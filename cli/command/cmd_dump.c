#include "capture.h"
#include "command.h"
#include "format.h"
#include "functions.h"
#include "message.h"
#include "operand.h"
#include "settings.h"
#include "source.h"

/* One format at a time, and no option that it would not heed. */
static int check_format(const struct format *f, const struct settings *s)
{
    if (!f)
        return fail(EXIT_USAGE,
                    "dump: only one of --json, --tree and --threads\n"
                    "--json holds what the other two show\n"
                    "tscap dump %s --json",
                    s->operand);
    if (s->sort && !(f->accepts & FORMAT_SORT))
        return fail(EXIT_USAGE,
                    "dump: --sort is for the table of functions\n"
                    "trees are sorted by inclusive time, JSON by id\n"
                    "tscap dump %s --sort %s",
                    s->operand, s->sort);
    if ((s->limit != UNSET && !(f->accepts & FORMAT_LIMIT)) || (s->width != UNSET && !(f->accepts & FORMAT_WIDTH)))
        return fail(EXIT_USAGE,
                    "dump: --limit and --width are for tables\n"
                    "JSON has everything\n"
                    "tscap dump %s --json",
                    s->operand);
    return EXIT_OK;
}

/* Where there is nothing to see, say what would change that. */
static void explain_emptiness(const struct capture *c)
{
    bool live = c->subject->alive && c->subject->dirfd >= 0;
    if (c->profile.calls || c->profile.lost || c->profile.lost_sites || c->profile.lost_interpreters || !c->profile.complete)
        return;
    if (live && !c->snapshot.session.running)
        note("nothing is recorded of process %d: tscap start %d", (int)c->subject->pid, (int)c->subject->pid);
    else
        note("no decorated function was called while process %d recorded", (int)c->subject->pid);
}

static int show(const struct capture *c, const struct format *f, const struct settings *s)
{
    if (!f->write(c, s))
        return fail(EXIT_FAILED,
                    "cannot show the profile\n"
                    "out of memory\n"
                    "the same again");
    explain_emptiness(c);
    return capture_check_loss(c, setting_or(s->max_loss, 0));
}

static int dump(const struct operand *o, const struct format *f, const struct settings *s)
{
    struct capture c;
    struct source source;
    int code = source_open(&source, &o->places, o->subject, s->subprocesses);
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
    const struct format *f = format_choose(FORMAT_PROFILE, s);
    int code = check_format(f, s);
    if (code != EXIT_OK || !functions_sort_column(s->subprocesses ? FUNCTIONS_DUMP_FAMILY : FUNCTIONS_DUMP, s->sort, &code))
        return code;
    code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = dump(&o, f, s);
    operand_free(&o);
    return code;
}
