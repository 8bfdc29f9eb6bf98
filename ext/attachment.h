/* What `tscap attach` asks for and `tscap detach` takes back. */
#ifndef TSCAP_ATTACHMENT_H
#define TSCAP_ATTACHMENT_H

#include <stdbool.h>

#include "recorder.h"

/* The interpreter's lock is held. FAILED: an exception is set. */
enum recorder_change attachment_begin(const char *rules); /* as shared/control.h lists them */
enum recorder_change attachment_end(void);

/* In the child after fork(2): it is not attached to. */
void attachment_forget(void);

#endif
