/* Clearing what crashed processes of this user left behind: not at once, their numbers may be wanted, but a day later;
 * and what those left that ended by themselves as another user, who may not remove it: at once. */
#ifndef TSCAP_SWEEP_H
#define TSCAP_SWEEP_H

#define SWEEP_AGE_SECONDS (24 * 60 * 60)

/* Looks once through the run directory. Never touches a file of a process that lives, answers, or died lately. */
void sweep_run_directory(const char *path);

#endif
