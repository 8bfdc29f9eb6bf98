#include "attachment.h"

#include <stdbool.h>

#include "demand.h"
#include "functions.h"
#include "keeper.h"
#include "own_segment.h"
#include "recorder.h"
#include "session.h"
#include "tether.h"

static bool began;   /* the session that runs was begun by us */
static bool brought; /* so was the recorder, and the program has not imported it since */

void attachment_bring(void) { brought = true; }
void attachment_hand_over(void) { brought = false; }

/* A lifeline tells nothing to who opens it after its other end is gone: so it is asked for. */
static void hold_to_keeper(void)
{
    const char *folder = recorder_segment()->directory;
    int fd = keeper_lifeline(folder);
    tether_hold(TETHER_KEEPER, fd);
    if (fd >= 0 && !keeper_lives(folder))
        tether_end(TETHER_KEEPER);
}

enum consumers_change attachment_begin(struct rules *rules)
{
    const struct rules asked = *rules; /* the words of it: the patterns change hands */
    bool again = command_selects();
    if (!recorder_available())
        return command_start(false); /* says why not */
    if (again && rules->alone)
        return CONSUMERS_ALREADY;
    if (command_select(rules) < 0)
        return CONSUMERS_FAILED;
    keeper_set_stays(asked.stays);
    if (asked.keeper)
        keeper_set(asked.keeper, asked.keeper_start);
    if (asked.start && (!session_running() || asked.subprocesses)) {
        enum consumers_change change = command_start(asked.subprocesses);
        if (change == CONSUMERS_FAILED)
            return CONSUMERS_FAILED;
        began |= change == CONSUMERS_DONE;
        if (asked.keeper && change == CONSUMERS_DONE)
            hold_to_keeper();
    }
    return again ? CONSUMERS_ALREADY : CONSUMERS_DONE;
}

/* Was all of it our doing, nothing is left; has the program decorated functions since, or entered a collector, they go on
 * as if it had imported the package by itself. */
static bool is_all_ours(void) { return brought && marks_decorated() == 0 && demand_consumers() == 0; }

enum consumers_change attachment_end(void)
{
    bool was = command_selects();
    if (began || brought)
        command_stop();
    began = false;
    if (command_unselect() < 0)
        return CONSUMERS_FAILED;
    if (is_all_ours()) {
        own_segment_give_up();
        keeper_set_stays(false); /* it was said of that segment */
    }
    return was ? CONSUMERS_DONE : CONSUMERS_ALREADY;
}

void attachment_forget(void)
{
    began = false;
    keeper_set_stays(false);
    command_forget_selection();
}
