#include <stdio.h>

#include "capture.h"
#include "chosen_format.h"
#include "command.h"
#include "dump.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "output.h"
#include "settings.h"
#include "source.h"

static int save(const struct capture *c, const struct format *f, const struct settings *s, FILE *out)
{
    int code = chosen_format_check_capture(c, s);
    if (code != EXIT_OK)
        return code;
    if (!format_save(f, c, s, out))
        return fail(EXIT_FAILED,
                    "cannot convert the profile\n"
                    "out of memory\n"
                    SAME_AGAIN);
    return EXIT_OK;
}

/* What there is is written; that something is missing from it is said afterwards. */
static int write_output(const struct capture *c, const struct format *f, const struct settings *s)
{
    char invocation[512];
    struct output out;
    if (output_is_file(s->output, c->subject->dirfd, c->subject->file))
        return fail(EXIT_USAGE,
                    "will not write over %s\n"
                    "it is what is converted\n"
                    "tscap convert %s -f %s -o elsewhere",
                    s->output, s->operand, f->name);
    snprintf(invocation, sizeof invocation, "tscap convert %s -f %s", s->operand, f->name);
    int code = output_open(&out, s->output, s->force, f->binary, invocation);
    if (code != EXIT_OK)
        return code;
    code = output_finish(&out, save(c, f, s, out.file));
    if (code != EXIT_OK)
        return code;
    dump_explain_emptiness(c);
    return capture_check_loss(c, setting_or(s->max_loss, 0));
}

static int convert(struct operand *o, const struct format *f, const struct settings *s)
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
        code = write_output(&c, f, s);
        capture_free(&c);
    }
    source_free(&source);
    return code;
}

int cmd_convert(const struct settings *s)
{
    struct operand o;
    const struct format *f = chosen_format_find(s);
    int code = f ? choice_check(s) : EXIT_USAGE;
    if (code != EXIT_OK)
        return code;
    code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = convert(&o, f, s);
    operand_free(&o);
    return code;
}
