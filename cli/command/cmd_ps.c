#include "command.h"
#include "containers.h"
#include "format.h"
#include "message.h"
#include "processes.h"
#include "pythons.h"
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

static int no_memory(void)
{
    return fail(EXIT_FAILED,
                "cannot list processes\n"
                "out of memory\n"
                SAME_AGAIN);
}

static int list_pythons(const struct settings *s)
{
    struct pythons p;
    if (s->all || s->tree)
        return fail(EXIT_USAGE,
                    "ps: --%s is not for --python\n"
                    "it lists what runs now, in the order of the numbers\n"
                    "tscap ps --python",
                    s->all ? "all" : "tree");
    bool whole = pythons_find(&p, NULL) == 0 && format_choose(FORMAT_PYTHONS, s)->write(&p, s);
    pythons_free(&p);
    return whole ? EXIT_OK : no_memory();
}

int cmd_ps(const struct settings *s)
{
    struct places places;
    struct subjects all = {0};
    if (s->python)
        return list_pythons(s);
    const struct format *format = format_check(FORMAT_PROCESSES, s);
    if (!format)
        return EXIT_USAGE;
    int code = places_open(&places);
    bool whole = code == EXIT_OK && subjects_find(&all, &places) == 0 && containers_find(&all, &places) == 0;
    whole = whole && format->write(&all, s);
    if (whole)
        explain_absence(&all, &places, s);
    else if (code == EXIT_OK)
        code = no_memory();
    subjects_free(&all);
    places_close(&places);
    return code;
}
