/* Copying the sites and their strings. For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_SITES_H
#define TSCAP_SNAPSHOT_SITES_H

#include "snapshot_copy.h"

int copier_sites(struct copier *c); /* -EBADMSG, -ENOMEM */
void copier_strings(struct copier *c);

#endif
