/* Attaching: timestamp_capture is brought into a process, if need be, and told which functions to record. For the commands
 * that do so. */
#ifndef TSCAP_ATTACHMENT_H
#define TSCAP_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "load.h"
#include "operand.h"
#include "plan.h"
#include "settings.h"
#include "subject.h"

struct attachment {
    const struct settings *settings; /* (borrowed) */
    uint64_t timeout;                /* ns */
    enum method method;
    bool tethered; /* it lasts as long as our connection, however that ends */
    bool alone;    /* only if nobody else is attached: what they asked for stays */
    bool keeps;    /* what it recorded stays when it ends, as long as we live */
    bool injected; /* it was brought just now */
    bool refused;  /* somebody else is attached, and `alone` */
    int tether;    /* the connection; -1: none */
    struct plan plan;
    struct load_report report;
    char rules[CONTROL_RULES_MAX + 1]; /* what it is told: lines, see control.h */
};

void attachment_init(struct attachment *a, const struct settings *s);

/* An exit code, after a message if it is not EXIT_OK; so all below. What stands in the way, found without touching it. */
int attachment_look(struct attachment *a, pid_t pid);

/* Brings it into a process in which nobody listens. */
int attachment_bring(struct attachment *a, pid_t pid);

/* Finds the process of the operand; brings it into one that does not have it. To be freed in any case. */
int attachment_find(struct attachment *a, struct operand *o);

/* Takes the settings and writes the rules: can they be sent? To be called first. */
int attachment_check(struct attachment *a);

/* Says what to record, and tells the user. */
int attachment_order(struct attachment *a, const struct subject *subject);

/* Was it told what to record, by us, or by others before? */
bool attachment_ordered(const struct attachment *a);

/* Is the process ours still: has it neither ended nor been detached from, or attached to anew, by others? */
bool attachment_lasts(const struct attachment *a);

/* Takes back what attachment_find() and attachment_order() did, the latter only as long as it lasts, and waits for it. */
int attachment_end(struct attachment *a, const struct subject *subject);

#endif
