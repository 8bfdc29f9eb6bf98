/* Recording from the beginning: what `tscap run` wants of an interpreter that has just begun. */
#ifndef TSCAP_EXT_RUN_H
#define TSCAP_EXT_RUN_H

/* `path`: of the file of the run, shared/run_file.h. Says that we are there, and begins to record if that is wanted of us. 0, or
 * -1 with an exception; 0 also if nobody waits any more. The interpreter's lock is held. */
int run_begin(const char *path);

#endif
