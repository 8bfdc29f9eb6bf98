/* What this process has recorded by now, as a recording: for captures and conversions that are made in it. */
#ifndef TSCAP_OWN_RECORDING_H
#define TSCAP_OWN_RECORDING_H

#include "python.h"

#include <stddef.h>
#include <stdint.h>

#include "output.h"

struct own_recording_choice {
    uint32_t consumer;   /* its number in the roster: what it sees; 0: what `tscap save` shows unasked */
    const uint32_t *tid; /* (borrowed) of these threads only; NULL: of all */
    size_t tids;
};

/* An output_source, of a choice. */
output_source own_recording_take;

#endif
