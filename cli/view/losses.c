#include "losses.h"

#define AT(field) offsetof(struct profile, field)

const struct loss_row losses[] = {
    {"calls", "calls lost: no memory to account for them", AT(lost)},
    {"unpathed", "calls without a path, below (other) in the tree (512 levels, TSCAP_NODES): exact per function and caller", AT(unpathed)},
    {"waits", "waits of generators or coroutines lost, no memory: those are counted, but not as open, nor how long they took", AT(lost_waits)},
    {"clamped", "times that would have been negative, set to 0", AT(clamped)},
    {"mismatched", "ends without a beginning", AT(mismatched)},
    {"silent_ends", "generators or coroutines that ended without an event", AT(silent_ends)},
    {"moving", "calls that changed threads while these were read: open and suspended may be wrong by as many", AT(moving)},
    {"untold", "calls that wait, or were closed, which this Python does not tell: open, suspended and raised may be wrong by as many",
     AT(untold)},
    {"sites", "functions without a number: no room for their names, and their calls are missing", AT(lost_sites)},
    {"threads", "threads that could get no memory", AT(lost_lanes)},
    {"paused", "times the hook was taken out because the C stack ran low", AT(paused)},
    {"displaced", "times another hook (frame evaluation, profile) was found in the place of ours", AT(displaced)},
    {"refused_growth", "times more memory was refused", AT(refused_growth)},
    {"interpreters", "interpreters besides the main one, of which nothing is recorded", AT(lost_interpreters)},
    {"processes", "subprocesses that should record, and of which there is nothing", AT(lost_processes)},
    {"other_clock", "subprocesses that measure by another clock and cannot be added", AT(other_clock)},
};
const size_t loss_count = sizeof losses / sizeof *losses;
