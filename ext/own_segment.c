#include "own_segment.h"

#include "python.h"

#include <errno.h>

#include "account.h"
#include "activations.h"
#include "arming.h"
#include "block.h"
#include "builtins.h"
#include "carried.h"
#include "clock.h"
#include "collecting.h"
#include "command.h"
#include "demand.h"
#include "functions.h"
#include "labels.h"
#include "interpreters.h"
#include "keeper.h"
#include "kin.h"
#include "lineage.h"
#include "place.h"
#include "reading.h"
#include "recorder.h"
#include "rundir.h"
#include "session.h"
#include "settings.h"
#include "thread.h"
#include "unmarked.h"
#include "variants.h"

static struct segment_options segment_options;
static struct lanes_options lanes_options;

static struct segment_header *header(void) { return recorder_segment()->header; }

static int open_segment(void)
{
    int error = recorder_open(&segment_options, &lanes_options);
    if (error < 0)
        return error;
    atomic_store_explicit(&header()->decorated, (uint32_t)marks_live(), memory_order_relaxed);
    unmarked_publish();
    demand_next_era();
    return 0;
}

static void forget_segment(void (*forget_lanes)(struct lanes *l))
{
    command_forget();
    collecting_forget();
    consumers_forget();
    thread_drop(); /* its writer goes with the lanes */
    recorder_forget(forget_lanes);
    functions_forget_sites();
    block_forget_sites();
    place_forget_sites();
    builtins_forget();
    carried_forget();
    variants_forget();
    account_forget();
    activations_forget();
    interpreters_forget();
    labels_ask(NULL); /* who did has no consumer any more */
}

static int init(void)
{
    if (settings_disabled())
        return -ECANCELED;
    if (!PYTHON_HAS_LOCK)
        return -ENOTSUP;
    clock_choose();
    settings_read(&segment_options, &lanes_options);
    lineage_now(segment_options.lineage);
    int error = thread_init();
    if (error)
        return -error;
    recorder_support();
    return open_segment();
}

int own_segment_init(void)
{
    int error = demand_init();
    if (error < 0)
        return error; /* without it nothing at all may run: the caller fails the import */
    error = init();
    if (error < 0)
        recorder_refuse(error);
    return 0;
}

/* The file, when nothing is recorded into it any more. */
static void leave_segment(void)
{
    if (keeper_stays()) {
        header()->address = 0; /* readers see that it is nobody's any more */
        return;
    }
    segment_unlink(recorder_segment());
    if (session_has_subprocesses())
        kin_clear(recorder_segment());
}

void own_segment_give_up(void)
{
    if (!recorder_available())
        return;
    command_stop();
    arming_disarm();
    recorder_refuse(-ENOTCONN);
    demand_off();
    thread_await_exits();
    reading_await();
    leave_segment();
    forget_segment(lanes_delete);
    rundir_use(""); /* the next one may be the program's own, where that would have been */
    recorder_next_generation();
}

void own_segment_reopen(void)
{
    if (recorder_available() || !recorder_supported())
        return;
    lineage_now(segment_options.lineage); /* it may have been forked since */
    open_segment();
}

/* The parent's segment is not ours: forget it without a store. The hooks are memory of this process and still armed. */
int own_segment_begin_anew(void)
{
    uint64_t call_cost = atomic_load_explicit(&header()->call_cost, memory_order_relaxed);
    demand_forget();
    reading_forget();
    keeper_forget();
    arming_disarm();
    session_forget();
    forget_segment(lanes_abandon);
    lineage_descend(segment_options.lineage, recorder_segment()->pid, recorder_segment()->start_time);
    int error = open_segment();
    if (error == 0)
        atomic_store_explicit(&header()->call_cost, call_cost, memory_order_relaxed); /* of the same code on the same machine */
    return error;
}

void own_segment_close(void)
{
    if (!recorder_available() || settings_keep() || keeper_stays())
        return;
    atomic_store(&header()->closing, 1); /* before we look: see tenant_has_left() */
    if (keeper_lives(recorder_segment()->directory))
        return;
    bool recorded = atomic_load_explicit(&header()->session_started, memory_order_relaxed);
    bool kept = recorded && kin_keep(recorder_segment());
    if (kept || !segment_unlink(recorder_segment())) {
        thread_forget();
        lanes_trim(recorder_lanes());
    }
    if (!kept && session_has_subprocesses())
        kin_clear(recorder_segment());
}
