#include "command.h"

#include "python.h"

#include "arming.h"
#include "block.h"
#include "builtins.h"
#include "clock.h"
#include "collecting.h"
#include "demand.h"
#include "functions.h"
#include "place.h"
#include "recorder.h"
#include "selection.h"
#include "session.h"

static struct consumer_handle session = {.member = MEMBER_SESSION, .kind = CONSUMER_SESSION, .name = "session"};
static struct consumer_handle attached = {.member = MEMBER_ATTACHED, .kind = CONSUMER_ATTACHED, .name = "attach", .accompanies = true};

bool command_selects(void) { return selection_has(MEMBER_ATTACHED); }

/* What finds no room in the roster records even so; who looks at everything sees it. */
static void enter_session(void)
{
    membership_decorated |= MEMBER_BIT(MEMBER_SESSION);
    if (membership_number(MEMBER_SESSION) || membership_enter(MEMBER_SESSION, session.kind, session.name, "what is decorated") < 0)
        return;
    functions_tell(MEMBER_SESSION);
    block_tell(MEMBER_SESSION);
    place_tell(MEMBER_SESSION);
}

/* In a segment that is new it is as it was in the one before. */
static int enter_attached(void)
{
    char text[SELECTION_TEXT];
    if (membership_number(MEMBER_ATTACHED))
        return 0;
    int error = membership_enter(MEMBER_ATTACHED, attached.kind, attached.name, selection_describe(MEMBER_ATTACHED, text));
    if (error == 0)
        functions_tell(MEMBER_ATTACHED);
    return error;
}

/* ---- starting and stopping ---- */

static enum consumers_change begin_attached(uint32_t flags)
{
    if (!command_selects())
        return CONSUMERS_ALREADY;
    enter_attached();
    return consumers_begin(&attached, false, flags);
}

enum consumers_change command_start(bool subprocesses)
{
    uint32_t flags = subprocesses ? CONSUMER_SUBPROCESSES : 0;
    if (consumers_refuse())
        return CONSUMERS_FAILED;
    enter_session();
    enum consumers_change change = consumers_begin(&session, true, flags);
    if (change == CONSUMERS_FAILED)
        return change;
    if (begin_attached(flags) == CONSUMERS_FAILED) {
        if (change == CONSUMERS_DONE)
            consumers_end(&session);
        return CONSUMERS_FAILED;
    }
    if (change == CONSUMERS_ALREADY)
        session_join(subprocesses);
    else
        session_begin(subprocesses);
    return change;
}

enum consumers_change command_stop(void)
{
    if (!session_running()) {
        arming_disarm();
        return CONSUMERS_ALREADY;
    }
    session_end();
    consumers_end(&session);
    consumers_end(&attached);
    session_note_end(demand_consumers() ? clock_ticks() : demand_ended());
    return CONSUMERS_DONE;
}

/* ---- the zero ---- */

/* Where nobody else has anything, all that was recorded goes, and its memory comes back. The lanes are empty then, so there is
 * always a number for who runs. */
static void reset_everything(void)
{
    session_reset();
    collecting_clear();
    membership_clear(MEMBER_SESSION, clock_ticks());
    membership_clear(MEMBER_ATTACHED, clock_ticks());
}

int command_reset(void)
{
    if (!recorder_available())
        return 0;
    if (!consumers_have_records() && !collecting()) {
        reset_everything();
        return 0;
    }
    if (consumers_clear(&session) < 0 || consumers_clear(&attached) < 0)
        return -1;
    session_clear();
    return 0;
}

/* ---- what is attached ---- */

int command_select(struct rules *rules)
{
    int error = consumers_refuse() ? -1 : enter_attached();
    if (error < 0) {
        rules_free(rules);
        return PyErr_Occurred() ? -1 : consumers_raise(error, "select these functions");
    }
    if (consumers_select(&attached, rules) < 0)
        return -1;
    return session_running() && begin_attached(0) == CONSUMERS_FAILED ? -1 : 0;
}

int command_unselect(void)
{
    if (!command_selects())
        return 0;
    consumers_end(&attached);
    return consumers_unselect(&attached);
}

void command_forget(void) { session.running = attached.running = false; }

void command_forget_selection(void)
{
    selection_drop(MEMBER_ATTACHED);
    functions_reselect(MEMBER_ATTACHED);
    builtins_forget();
}
