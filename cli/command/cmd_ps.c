#include "command.h"
#include "containers.h"
#include "format.h"
#include "message.h"
#include "processes.h"
#include "settings.h"
#include "subject.h"

static void explain_absence(const struct subjects *all, const struct places *places, const struct settings *s)
{
    size_t listed = processes_listed(all, s->all);
    if (listed == 0)
        note("no process has imported timestamp_capture; looked in %s", places->sought);
    if (listed < all->count)
        note("%zu ended: tscap ps --all lists them, tscap gc removes what they left", all->count - listed);
    if (all->foreign)
        note("%zu segment%s a process of another user than its own: not believed", all->foreign, all->foreign == 1 ? " names" : "s name");
}

int cmd_ps(const struct settings *s)
{
    struct places places;
    struct subjects all = {0};
    const struct format *format = format_choose(FORMAT_PROCESSES, s);
    if (s->tree && !(format->accepts & FORMAT_TREE))
        return fail(EXIT_USAGE,
                    "ps: --tree is for the table\n"
                    "JSON has the lineage of each process\n"
                    "tscap ps --json");
    int code = places_open(&places);
    bool whole = code == EXIT_OK && subjects_find(&all, &places) == 0 && containers_find(&all, &places) == 0;
    whole = whole && format->write(&all, s);
    if (whole)
        explain_absence(&all, &places, s);
    else if (code == EXIT_OK)
        code = fail(EXIT_FAILED,
                    "cannot list processes\n"
                    "out of memory\n"
                    "the same again");
    subjects_free(&all);
    places_close(&places);
    return code;
}
