/* The offer to attach to a process that was not prepared, where somebody is there to take it. */
#ifndef TSCAP_OFFER_H
#define TSCAP_OFFER_H

#include <stdbool.h>

#include "plan.h"

/* Asks once, on a terminal. False: "no", or there is nobody to ask. */
bool offer_to_attach(const struct plan *p);

#endif
