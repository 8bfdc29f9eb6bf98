/* What a CPython 3.14 or later tells debuggers of its structures (_Py_DebugOffsets, at the beginning of _PyRuntime): as much
 * as it takes to ask its threads to run a script (PEP 768). The process may tell anything: all is checked to be possible. */
#ifndef TSCAP_DEBUG_OFFSETS_H
#define TSCAP_DEBUG_OFFSETS_H

#include <stdint.h>

#include "python_frames.h"

struct debug_offsets {
    uint64_t runtime_interpreters;
    uint64_t interpreter_id, interpreter_next, interpreter_threads, interpreter_main, interpreter_enabled;
    uint64_t thread_size, thread_next, thread_interpreter, thread_native;
    uint64_t thread_breaker, thread_pending, thread_path; /* in the thread's state */
    uint64_t path_size;
};

/* 0; -EPROTONOSUPPORT: a version that has none, or one we do not know, or a free-threaded build; -EBADMSG: it cannot be; or
 * as `read` says. `version`: what its file says, PY_VERSION_HEX. */
int debug_offsets_read(struct debug_offsets *o, const struct python_memory *m, uint64_t runtime, uint32_t version);

#endif
