#include "stray_start.h"

#include "attachment.h"
#include "message.h"
#include "order.h"
#include "pids.h"
#include "process_tree.h"
#include "stray.h"

/* Brought in just now, so it has a segment, and somebody who listens. */
static int start_one(struct operand *root, pid_t pid, uint64_t timeout)
{
    struct control_reply reply;
    const struct subject *found = NULL;
    if (!root->subject || !operand_refresh(root))
        return EXIT_OK; /* with the root nothing is left to be told */
    for (size_t i = 0; i < root->all.count; i++)
        if (root->all.subject[i].pid == pid && subject_ready(&root->all.subject[i]))
            found = &root->all.subject[i];
    if (!found)
        return EXIT_OK; /* it has ended since */
    int r = order_ask(found, CONTROL_START, CONTROL_SUBPROCESSES, timeout, &reply);
    return order_check(found, CONTROL_START, timeout, r, &reply);
}

/* 0 in place of those that record now. */
static int start_each(struct strays *s, struct operand *root, struct attachment *a)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < s->count; i++) {
        pid_t pid = s->pid[i];
        plan_make(&a->plan, pid, a->method);
        if (plan_forbidden_by(&a->plan))
            continue;
        int r = attachment_bring(a, pid);
        if (r == EXIT_OK)
            r = start_one(root, pid, a->timeout);
        if (r == EXIT_OK)
            note("recording process %d: attached to, since it was " STRAY_CAUSE, (int)pid);
        code = code == EXIT_OK ? r : code;
        s->pid[i] = 0;
    }
    return code;
}

/* The first of them is in the remedy: each has to be attached to. */
static void tell_left(struct strays *s)
{
    char names[PIDS_TEXT];
    size_t left = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->pid[i])
            s->pid[left++] = s->pid[i];
    s->count = left;
    if (left == 0)
        return;
    pids_write(s->pid, s->count, names, sizeof names);
    note("%s cannot be told to record: " STRAY_CAUSE "; tscap attach %d", names, (int)s->pid[0]);
}

int stray_start(struct operand *root, const struct settings *settings)
{
    struct attachment a;
    struct process_tree tree = {0};
    struct strays s = {0};
    int code = EXIT_OK;
    attachment_init(&a, settings);
    bool found = root->subject && operand_refresh(root) && process_tree_of(&tree, &root->all, root->subject) == 0;
    if (found && strays_find(&s, &tree, &root->all) == 0) {
        code = start_each(&s, root, &a);
        tell_left(&s);
    }
    strays_free(&s);
    process_tree_free(&tree);
    return code;
}
