/* What a recorded call adds, measured once in the process itself: the same empty function with and without the hook. */
#ifndef TSCAP_MEASURE_H
#define TSCAP_MEASURE_H

int measure_prepare(void); /* when the module is imported: 0, or -1 with an exception */
void measure_call_cost(void); /* and notes it in the segment, if nobody has and nobody records */

#endif
