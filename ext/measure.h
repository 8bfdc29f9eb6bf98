/* What a recorded call adds, measured once in the process itself: the same empty function with and without the hook. */
#ifndef TSCAP_MEASURE_H
#define TSCAP_MEASURE_H

void measure_call_cost(void); /* and notes it in the segment, if nobody has and nobody records */

#endif
