/* The ending of a run: what was recorded is shown on stderr, what was not is named, and what lies in the run directory goes. */
#ifndef TSCAP_ENDING_H
#define TSCAP_ENDING_H

struct program;

void ending_tell(struct program *p);

#endif
