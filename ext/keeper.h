/* Does what this process recorded outlive it? For a keeper, who wants to read it then, and removes it: `tscap run`. It counts as
 * long as its file (run_file.h) is in the run directory and locked. Or for whoever looks: `tscap attach --keep`. */
#ifndef TSCAP_KEEPER_H
#define TSCAP_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

void keeper_set(pid_t pid, uint64_t start_time);
void keeper_forget(void); /* in a forked child: it is the parent's */
bool keeper_lives(const char *directory);
int keeper_lifeline(const char *directory); /* lifeline.h; -errno also if there is no keeper */

void keeper_set_stays(bool stays);
bool keeper_stays(void);

#endif
