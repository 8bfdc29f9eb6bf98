#include "arming.h"

#include "clock.h"
#include "demand.h"
#include "functions.h"
#include "greenlets.h"
#include "hook.h"
#include "linger.h"
#include "measure.h"

/* Other threads may run while functions are looked at and calls measured; not between the last question and the answer. */
int arming_arm(bool look_again)
{
    greenlets_look();
    if (functions_arm(look_again) < 0)
        return -1;
    if (!hook_armed())
        measure_call_cost();
    if (hook_armed())
        return 0;
    uint64_t before = clock_ns(CLOCK_MONOTONIC);
    if (hook_arm() < 0)
        return -1;
    linger_note_arming(clock_ns(CLOCK_MONOTONIC) - before);
    return 0;
}

bool arming_is_time_to_look(void)
{
    static uint64_t last;
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
    if (last && now - last < 1000000000)
        return false;
    last = now;
    return true;
}

bool arming_suspend(void)
{
    bool were = hook_armed();
    if (were)
        hook_disarm();
    return were;
}

int arming_resume(bool were) { return were && !hook_armed() ? hook_arm() : 0; }

void arming_disarm(void)
{
    if (hook_armed() && demand_consumers() == 0)
        hook_disarm();
}

void arming_linger(void)
{
    if (hook_is_dear()) /* disarming is, too */
        linger_begin();
    else
        arming_disarm();
}

/* Somebody may have entered a collector while we waited for the lock. What is not disarmed now is watched again when it is
 * left. */
static void end_lingering(bool idle)
{
    PyGILState_STATE state = PyGILState_Ensure();
    linger_end();
    if (!demand_consumers() && (idle || linger_events >= linger_limit))
        arming_disarm();
    else if (!demand_consumers())
        linger_on();
    PyGILState_Release(state);
}

void arming_look(bool timed_out)
{
    bool idle;
    if (linger_is_over(timed_out, &idle))
        end_lingering(idle);
}
