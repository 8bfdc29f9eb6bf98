#include "following.h"

#include <stdio.h>

#include "clock.h"
#include "message.h"

static void stop_looking(struct following *f) { f->due = UINT64_MAX; }

/* By its number: the operand may be a part of a command line, which fits others in a moment. */
static bool find_root(struct following *f, const struct attachment *a, const struct subject *root)
{
    f->settings = *a->settings;
    snprintf(f->number, sizeof f->number, "%ld", (long)root->pid);
    f->settings.operand = f->number;
    return operand_look(&f->operand, &f->settings) == EXIT_OK && f->operand.subject && f->operand.subject->start_time == root->start_time;
}

void following_begin(struct following *f, const struct attachment *a, const struct subject *root)
{
    *f = (struct following){.due = UINT64_MAX};
    if (!a->settings->subprocesses)
        return;
    if (!find_root(f, a, root)) { /* it ends, or was detached from */
        operand_free(&f->operand);
        return;
    }
    f->active = true;
    tree_attachment_begin(&f->tree, a, &f->operand);
    f->tree.silent = true;
    f->due = 0;
}

void following_look(struct following *f)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now < f->due)
        return;
    uint64_t pause = tree_attachment_look(&f->tree);
    f->due = clock_ns(CLOCK_MONOTONIC) + pause;
    if (!f->operand.subject)
        stop_looking(f);
}

int following_end(struct following *f)
{
    if (!f->active)
        return EXIT_OK;
    int code = f->tree.code;
    if (f->tree.untold)
        note("not all that began below process %s could be attached to: tscap attach -s %s says why", f->number, f->number);
    tree_attachment_end(&f->tree);
    operand_free(&f->operand);
    f->active = false;
    return code;
}
