/* What came between two looks at the same recording, by function and by thread; without an earlier look, all there is. */
#ifndef TSCAP_DIFFERENCE_H
#define TSCAP_DIFFERENCE_H

#include "profile.h"

/* A row for each of `now`, to be freed; NULL: no memory. `before`: NULL, or of the same recording. */
struct profile_times *difference_sites(const struct profile *now, const struct profile *before);

/* Sums over all paths, of what is summed of each activation. What threads did that have since been merged into one does not
 * count as that one's. */
struct profile_times *difference_threads(const struct profile *now, const struct profile *before);

#endif
