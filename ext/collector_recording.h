/* What a collector has, as a recording: for captures and conversions of it. */
#ifndef TSCAP_COLLECTOR_RECORDING_H
#define TSCAP_COLLECTOR_RECORDING_H

#include "output.h"

/* An output_source, of a struct collector. In a forked child its parent's has no calls. */
output_source collector_recording_take;

#endif
