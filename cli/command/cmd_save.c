#include <errno.h>

#include "capture.h"
#include "command.h"
#include "message.h"
#include "operand.h"
#include "saving.h"
#include "settings.h"
#include "source.h"

static int save_look(const struct capture *c, const struct settings *s)
{
    struct saving saving;
    int code = saving_open(&saving, s, c->subject->pid, c->subject->command);
    if (code == EXIT_OK)
        code = saving_add(&saving, c, NULL);
    if (code == EXIT_OK)
        code = saving_finish(&saving);
    saving_drop(&saving);
    return code == EXIT_OK ? capture_check_loss(c, setting_or(s->max_loss, 0)) : code;
}

static int save(const struct places *places, const struct subject *subject, const struct view *opened, const struct settings *s)
{
    struct capture c;
    struct source source;
    const struct choice choice = choice_make(s);
    int code = source_open(&source, places, subject, s->subprocesses, &choice);
    if (opened)
        source_begin_with(&source, opened);
    if (code == EXIT_OK)
        code = source_take(&source, &c);
    if (code == EXIT_OK) {
        code = save_look(&c, s);
        capture_free(&c);
    }
    source_free(&source);
    return code;
}

/* One that fails does not keep the others from being saved. */
static int save_all(const struct settings *s)
{
    struct subjects all = {0};
    struct places places = {0};
    int code = places_open(&places);
    if (code == EXIT_OK && subjects_find(&all, &places) < 0)
        code = fail(EXIT_FAILED,
                    "cannot list processes\n"
                    "out of memory\n"
                    SAME_AGAIN);
    size_t saved = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (!subject_ready(&all.subject[i]))
            continue;
        int r = save(&places, &all.subject[i], NULL, s);
        saved++;
        code = code == EXIT_OK ? r : code;
    }
    if (code == EXIT_OK && !saved)
        note("none of your processes can be recorded: nothing was saved");
    subjects_free(&all);
    places_close(&places);
    return code;
}

static int check_operand(const struct settings *s)
{
    if (!s->all && !s->operand)
        return fail(EXIT_USAGE,
                    "save: PID|FILE is missing\n"
                    "it takes a process, a segment file, or --all\n"
                    "tscap ps");
    if (s->all && (s->operand || s->output || s->subprocesses))
        return fail(EXIT_USAGE,
                    "save: --all goes with no process, and with neither --output nor --subprocesses\n"
                    "each process gets a file of its own, ./NAME-PID.tscap\n"
                    "tscap save --all");
    return EXIT_OK;
}

int cmd_save(const struct settings *s)
{
    struct view view;
    struct operand o = {0};
    int code = check_operand(s);
    if (code == EXIT_OK)
        code = choice_check(s);
    if (code != EXIT_OK || s->all)
        return code == EXIT_OK ? save_all(s) : code;
    code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = save(&o.places, o.subject, operand_take_view(&o, o.subject, &view) ? &view : NULL, s);
    operand_free(&o);
    return code;
}
