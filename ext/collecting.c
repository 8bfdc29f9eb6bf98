#include "collecting.h"

#include "python.h"

#include <stdint.h>

#include "arming.h"
#include "block.h"
#include "clock.h"
#include "consumers.h"
#include "demand.h"
#include "functions.h"
#include "place.h"

static struct consumer_handle collectors = {.member = MEMBER_COLLECTORS, .kind = CONSUMER_COLLECTORS, .name = "collectors", .encloses = true};
static uint64_t wanting; /* collectors that are entered, each time, or wait */

/* What finds no room in the roster records even so, and is in nobody's view. */
static void enter_roster(void)
{
    if (membership_number(MEMBER_COLLECTORS) || membership_enter(MEMBER_COLLECTORS, CONSUMER_COLLECTORS, collectors.name, "what is decorated") < 0)
        return;
    functions_tell(MEMBER_COLLECTORS);
    block_tell(MEMBER_COLLECTORS);
    place_tell(MEMBER_COLLECTORS);
}

int collecting_want(void)
{
    if (consumers_refuse())
        return -1;
    membership_decorated |= MEMBER_BIT(MEMBER_COLLECTORS);
    enter_roster();
    enum consumers_change change = consumers_begin(&collectors, arming_is_time_to_look(), 0);
    if (change == CONSUMERS_FAILED)
        return -1;
    if (change == CONSUMERS_ALREADY)
        demand_add();
    wanting++;
    return 0;
}

void collecting_unwant(void)
{
    if (demand_is_of_parent()) /* it is the parent's */
        return;
    if (--wanting)
        demand_remove();
    else
        consumers_end(&collectors);
}

int collecting_want_latent(void)
{
    if (collecting_want() < 0)
        return -1;
    demand_set_latent(demand_latent + 1);
    return 0;
}

void collecting_unwant_latent(void)
{
    if (demand_is_of_parent())
        return;
    demand_set_latent(demand_latent - 1);
    collecting_unwant();
}

bool collecting(void) { return collectors.running; }

void collecting_clear(void)
{
    if (membership_number(MEMBER_COLLECTORS))
        membership_clear(MEMBER_COLLECTORS, clock_ticks());
}

void collecting_forget(void)
{
    collectors.running = false;
    wanting = 0;
}
