/* Copying the tracks of Profilers. For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_TRACKS_H
#define TSCAP_SNAPSHOT_TRACKS_H

#include "snapshot_copy.h"

/* Before the sites: so those that they speak of are copied. -EBADMSG, -ENOMEM. */
int copier_tracks(struct copier *c);

#endif
