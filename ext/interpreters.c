#include "interpreters.h"

#include <sched.h>
#include <stdatomic.h>

#include "python.h"
#include "recorder.h"
#include "wakeup.h"

#define Py_BUILD_CORE
#undef _PyGC_FINALIZED /* 3.12: two headers disagree about it */
#include <internal/pycore_runtime.h>
#undef Py_BUILD_CORE

#define LOOK_MS 1000
#define ATTEMPTS 100 /* at a lock that is held for a moment at a time */

static _Atomic bool looking;
static _Atomic int64_t counted; /* all with smaller ids have been, or were there when nothing was recorded */

/* ---- what the interpreter knows ---- */

/* Ids are given in a row, the main one's is 0. Read without a lock: what is made meanwhile is found at the next look. */
static int64_t next_id(void) { return *(volatile int64_t *)&_PyRuntime.interpreters.next_id; }

/* The lock of the list, since interpreters with a lock of their own may end at any time. Never waited for in the kernel. */
static bool try_lock(void)
{
#if PY_VERSION_HEX < 0x030d0000
    return PyThread_acquire_lock(_PyRuntime.interpreters.mutex, NOWAIT_LOCK);
#else
    uint8_t free = 0;
    return __atomic_compare_exchange_n(&_PyRuntime.interpreters.mutex._bits, &free, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
}

static void unlock(void)
{
#if PY_VERSION_HEX < 0x030d0000
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#else
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
#endif
}

/* How many are there with this id or a later one? If the list is not to be had: one at least. */
static int64_t count_alive(int64_t first)
{
    int64_t alive = 0;
    bool locked = false;
    if (PyInterpreterState_Head() == PyInterpreterState_Main()) /* the newest is the main one */
        return 0;
    for (int i = 0; i < ATTEMPTS && !(locked = try_lock()); i++)
        sched_yield();
    if (!locked)
        return 1;
    for (PyInterpreterState *p = PyInterpreterState_Head(); p; p = PyInterpreterState_Next(p))
        alive += p != PyInterpreterState_Main() && PyInterpreterState_GetID(p) >= first;
    unlock();
    return alive;
}

/* ---- counting ---- */

static void add(int64_t more)
{
    if (more > 0 && recorder_available())
        atomic_fetch_add_explicit(&recorder_segment()->header->interpreters, (uint64_t)more, memory_order_relaxed);
}

static void count_new(void)
{
    int64_t now = next_id(), before = atomic_load_explicit(&counted, memory_order_relaxed);
    if (!atomic_load_explicit(&looking, memory_order_relaxed) || now <= before)
        return;
    add(now - before);
    atomic_store_explicit(&counted, now, memory_order_relaxed);
}

void interpreters_begin(void)
{
    int64_t now = next_id();
    add(count_alive(atomic_load_explicit(&counted, memory_order_relaxed)));
    atomic_store_explicit(&counted, now, memory_order_relaxed);
    atomic_store_explicit(&looking, true, memory_order_release);
    wakeup_send(); /* its timeout is another now */
}

void interpreters_end(void)
{
    count_new();
    atomic_store_explicit(&looking, false, memory_order_release);
}

void interpreters_forget(void)
{
    atomic_store_explicit(&looking, false, memory_order_release);
    atomic_store_explicit(&counted, 0, memory_order_relaxed);
}

int interpreters_timeout(void) { return atomic_load_explicit(&looking, memory_order_acquire) ? LOOK_MS : -1; }

void interpreters_look(void)
{
    if (interpreters_timeout() < 0 || next_id() <= atomic_load_explicit(&counted, memory_order_relaxed))
        return;
    PyGILState_STATE state = PyGILState_Ensure();
    count_new();
    PyGILState_Release(state);
}
