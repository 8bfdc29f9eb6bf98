#include "attachment.h"

#include <stdbool.h>

#include "builtins.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "own_segment.h"
#include "recorder.h"
#include "selection.h"
#include "session.h"

static struct selection *selection; /* ours; NULL: nobody is attached */
static bool began;   /* the session that runs was begun by us */
static bool brought; /* so was the recorder, and the program has not imported it since */

void attachment_bring(void) { brought = true; }
void attachment_hand_over(void) { brought = false; }

static void end_selection(void)
{
    if (!selection)
        return;
    selection_set ours = selection_bit(selection);
    selection_end(selection);
    selection = NULL;
    functions_unselect(ours);
    builtins_forget();
}

static int begin_selection(struct rules *rules)
{
    selection = selection_begin(rules);
    if (!selection)
        return -1;
    functions_select(selection_bit(selection));
    builtins_forget();
    return 0;
}

/* Another selection in the place of ours; `rules` NULL: none. The hook has other events, and looks at other code, while there are
 * selections. 0, or -1 with an exception. */
static int replace_selection(struct rules *rules)
{
    bool armed = hook_armed();
    if (armed)
        hook_disarm();
    end_selection();
    int r = rules ? begin_selection(rules) : 0;
    return armed && hook_arm() < 0 ? -1 : r;
}

enum consumers_change attachment_begin(struct rules *rules)
{
    bool again = selection, starts = rules->start;
    if (!recorder_available())
        return consumers_start(false); /* says why not */
    if (again && rules->alone)
        return CONSUMERS_ALREADY;
    if (replace_selection(rules) < 0)
        return CONSUMERS_FAILED;
    if (starts && !session_running()) {
        if (consumers_start(false) == CONSUMERS_FAILED)
            return CONSUMERS_FAILED;
        began = true;
    }
    return again ? CONSUMERS_ALREADY : CONSUMERS_DONE;
}

/* Was all of it our doing, nothing is left; has the program decorated functions since, or entered a collector, they go on
 * as if it had imported the package by itself. */
static bool is_all_ours(void) { return brought && functions_decorated() == 0 && demand_consumers() == 0; }

enum consumers_change attachment_end(void)
{
    bool was = selection;
    if (began || brought)
        consumers_stop();
    began = false;
    if (replace_selection(NULL) < 0)
        return CONSUMERS_FAILED;
    if (is_all_ours())
        own_segment_give_up();
    return was ? CONSUMERS_DONE : CONSUMERS_ALREADY;
}

void attachment_forget(void)
{
    began = false;
    end_selection();
}
