#include "consumers.h"

#include "python.h"

#include <errno.h>

#include "arming.h"
#include "clock.h"
#include "demand.h"
#include "recorder.h"
#include "session.h"

bool consumers_refuse(void)
{
    if (recorder_available())
        return false;
    PyErr_Format(PyExc_RuntimeError, "timestamp_capture cannot record: %s", recorder_problem());
    return true;
}

/* ---- the session ---- */

/* Nothing could be recorded without room for it. A lack of memory is counted, and may end; a file that somebody removed nobody
 * reads. */
static bool refuse_unreachable(void)
{
    if (segment_check(recorder_segment()) != -EACCES)
        return false;
    PyErr_SetString(PyExc_RuntimeError, "timestamp_capture cannot record: its file is out of reach. A program that becomes another user and "
                                        "closes the descriptors that it had has to import timestamp_capture after that");
    return true;
}

enum consumers_change consumers_start(bool subprocesses)
{
    if (consumers_refuse() || (!session_running() && refuse_unreachable()) || arming_arm(true) < 0)
        return CONSUMERS_FAILED;
    if (session_running()) {
        session_join(subprocesses);
        return CONSUMERS_ALREADY;
    }
    demand_add();
    session_begin(subprocesses);
    return CONSUMERS_DONE;
}

enum consumers_change consumers_stop(void)
{
    if (!session_running()) {
        arming_disarm();
        return CONSUMERS_ALREADY;
    }
    session_end();
    demand_remove();
    bool last = demand_consumers() == 0;
    arming_disarm();
    if (last)
        lanes_note_stop(recorder_lanes(), demand_ended());
    session_note_end(last ? demand_ended() : clock_ticks());
    return CONSUMERS_DONE;
}

/* ---- collectors ---- */

/* Functions are looked through for replaced code when a session starts; for collectors, once a second at most. */
static bool is_time_to_look(void)
{
    static uint64_t last;
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
    if (last && now - last < 1000000000)
        return false;
    last = now;
    return true;
}

int consumers_want(void)
{
    if (consumers_refuse() || arming_arm(is_time_to_look()) < 0)
        return -1;
    demand_add();
    return 0;
}

void consumers_unwant(void)
{
    if (demand_is_of_parent()) /* it is the parent's */
        return;
    demand_remove();
    if (demand_consumers() == 0)
        arming_linger();
}

int consumers_want_latent(void)
{
    if (consumers_want() < 0)
        return -1;
    demand_set_latent(demand_latent + 1);
    return 0;
}

void consumers_unwant_latent(void)
{
    if (demand_is_of_parent())
        return;
    demand_set_latent(demand_latent - 1);
    consumers_unwant();
}
