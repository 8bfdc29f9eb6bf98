#include "own_session.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "message.h"
#include "order.h"

#define ROUNDS_MAX 100
#define PAUSE_NS 5000000
#define BEGIN_TIMEOUT 500000000u /* ns; who watches a screen does not wait longer for one of many */
#define SETTLE_NS 1000000000u    /* to learn what became of an order that we no longer wait for */
#define ANSWER_MS 1000
#define LOOKS 5 /* at a header that is just being changed */
#define LOOK_NS 1000000

void own_session_open(struct own_session *s, const struct group *group)
{
    *s = (struct own_session){.group = group, .since = clock_ns(CLOCK_MONOTONIC), .asked = -1};
}

static void drop_tether(struct begun *b)
{
    if (b->tether >= 0)
        close(b->tether);
    b->tether = -1;
}

void own_session_free(struct own_session *s)
{
    for (size_t i = 0; i < s->count; i++)
        drop_tether(&s->begun[i]);
    free(s->begun);
    *s = (struct own_session){.asked = -1};
}

/* ---- those that were told ---- */

static struct begun *find_begun(const struct own_session *s, const struct subject *subject)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->begun[i].pid == subject->pid && s->begun[i].start_time == subject->start_time)
            return &s->begun[i];
    return NULL;
}

static bool add_begun(struct own_session *s, const struct subject *subject, uint32_t orders)
{
    struct begun *begun = array_room(s->begun, s->count, &s->room, sizeof *begun);
    if (!begun) {
        s->failure = OWN_SESSION_NO_MEMORY;
        return false;
    }
    s->begun = begun;
    s->begun[s->count++] = (struct begun){subject->pid, subject->start_time, subject->header.anchor_ticks, orders, false, -1};
    return true;
}

static void remove_begun(struct own_session *s, const struct subject *subject)
{
    struct begun *b = find_begun(s, subject);
    if (!b)
        return;
    drop_tether(b);
    *b = s->begun[--s->count];
}

/* The order that began it is still the last one. */
bool own_session_lasts(const struct own_session *s, const struct subject *subject)
{
    const struct begun *b = find_begun(s, subject);
    return b && subject_ready(subject) && subject->session.running && subject->session.orders == b->orders &&
           subject->header.anchor_ticks == b->anchor;
}

bool own_session_has_others(const struct own_session *s) { return s->count > (find_begun(s, &s->group->root) != NULL); }

/* ---- the beginning ---- */

static void refuse(struct own_session *s, int error)
{
    s->failure = OWN_SESSION_REFUSED;
    s->error = error;
}

/* It counts as told from now on: the answer may not come, and yet it may have obeyed. */
static void ask_root(struct own_session *s, const struct subject *root)
{
    if (!add_begun(s, root, root->session.orders + 1))
        return;
    s->patience = clock_ns(CLOCK_MONOTONIC) + ORDER_TIMEOUT;
    s->asked = order_send(root, CONTROL_START, CONTROL_TETHER | (s->group->whole_tree ? CONTROL_SUBPROCESSES : 0));
    if (s->asked < 0)
        refuse(s, s->asked);
}

void own_session_begin(struct own_session *s, const struct subject *root)
{
    s->wanted = s->group->whole_tree;
    if (!root->session.running)
        ask_root(s, root);
}

static void take_answer(struct own_session *s, const struct subject *root)
{
    int r = control_read_reply(s->asked, &s->reply, ANSWER_MS);
    bool done = r == 0 && s->reply.result == CONTROL_OK;
    struct begun *b = find_begun(s, root);
    if (b)
        b->tether = s->asked;
    else
        close(s->asked);
    s->asked = -1;
    if (!done)
        remove_begun(s, root);
    if (!done && (r < 0 || s->reply.result != CONTROL_ALREADY))
        refuse(s, r);
}

static bool begin_one(struct own_session *s, const struct subject *subject)
{
    struct control_reply reply;
    if (!subject_ready(subject) || subject->session.running || find_begun(s, subject))
        return true;
    int fd = order_ask_on(subject, CONTROL_START, CONTROL_SUBPROCESSES | CONTROL_TETHER, BEGIN_TIMEOUT, &reply);
    bool done = fd >= 0 && reply.result == CONTROL_OK;
    bool added = done && add_begun(s, subject, subject->session.orders + 1);
    if (added)
        find_begun(s, subject)->tether = fd;
    else if (fd >= 0)
        close(fd);
    return added || !done;
}

static void begin_others(struct own_session *s)
{
    struct subjects all;
    struct process_tree tree;
    s->wanted = false;
    bool whole = group_find(s->group, &all, &tree) != -ENOMEM;
    for (size_t i = 1; i < tree.count && whole; i++)
        whole = begin_one(s, tree.relative[i].subject);
    if (!whole)
        s->failure = OWN_SESSION_NO_MEMORY;
    process_tree_free(&tree);
    subjects_free(&all);
}

bool own_session_go_on(struct own_session *s, const struct subject *root, bool readable)
{
    bool answered = s->asked >= 0 && readable;
    if (answered)
        take_answer(s, root);
    else if (s->asked >= 0 && clock_ns(CLOCK_MONOTONIC) >= s->patience)
        refuse(s, -ETIMEDOUT);
    if (s->wanted && s->asked < 0 && !s->failure)
        begin_others(s);
    return answered;
}

int own_session_explain(const struct own_session *s, const struct subject *root)
{
    return order_check(root, CONTROL_START, ORDER_TIMEOUT, s->error, &s->reply);
}

/* ---- the end ---- */

/* Whoever closes the connection is not obeyed any more, but it may just have happened. The listener answers one after
 * another: when it answers this, it is through with that. */
static void withdraw(struct own_session *s, const struct subject *root)
{
    struct control_reply reply;
    if (s->asked < 0)
        return;
    close(s->asked);
    s->asked = -1;
    order_ask(root, CONTROL_STATUS, 0, SETTLE_NS, &reply);
}

static bool lasts_still(const struct own_session *s, struct subject *root)
{
    struct timespec pause = {.tv_nsec = LOOK_NS};
    for (int i = 0; i < LOOKS && find_begun(s, root); i++) {
        subject_refresh(root);
        if (own_session_lasts(s, root))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Made since, and it got the recording from its parent, which is ours; one that was told anything else is not. */
static bool got_it_from_us(const struct own_session *s, const struct process_tree *tree, size_t i)
{
    const struct relative *r = &tree->relative[i];
    const struct segment_header *h = &r->subject->header;
    bool heir = h->session_flags & SESSION_INHERITED && r->subject->session.orders == 1 && h->anchor_monotonic >= s->since;
    return heir && r->parent != PROCESS_TREE_NONE && find_begun(s, tree->relative[r->parent].subject);
}

static int stop_one(struct own_session *s, const struct subject *subject, size_t *stopped, bool *deaf)
{
    struct begun *b = find_begun(s, subject);
    struct control_reply reply;
    if (b->over || !own_session_lasts(s, subject))
        return EXIT_OK;
    int r = order_ask(subject, CONTROL_STOP, 0, ORDER_TIMEOUT, &reply);
    if (order_may_come_round(subject, r)) {
        *deaf = true; /* it has just begun, or ends */
        return EXIT_OK;
    }
    b->over = true;
    int code = order_check(subject, CONTROL_STOP, ORDER_TIMEOUT, r, &reply);
    *stopped += code == EXIT_OK;
    return code;
}

/* `news`: how many were not known before, or are to be told again. */
static int stop_all(struct own_session *s, const struct process_tree *tree, size_t *stopped, size_t *news)
{
    int code = EXIT_OK;
    *news = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct subject *subject = tree->relative[i].subject;
        bool new = !find_begun(s, subject) && got_it_from_us(s, tree, i) && add_begun(s, subject, subject->session.orders);
        *news += new;
        if (find_begun(s, subject)) {
            bool deaf = false;
            int r = stop_one(s, subject, stopped, &deaf);
            code = code == EXIT_OK ? r : code;
            *news += deaf;
        }
    }
    return code;
}

static int stop_round(struct own_session *s, size_t *stopped, size_t *news)
{
    struct subjects all;
    struct process_tree tree;
    int code = EXIT_OK;
    *news = 0;
    if (group_find(s->group, &all, &tree) == 0)
        code = stop_all(s, &tree, stopped, news);
    process_tree_free(&tree);
    subjects_free(&all);
    return code;
}

static int end_tree(struct own_session *s)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    size_t stopped = 0, news = 1;
    int code = EXIT_OK;
    for (unsigned i = 0; i < ROUNDS_MAX && news && s->count; i++) {
        int r = stop_round(s, &stopped, &news);
        code = code == EXIT_OK ? r : code;
        if (news)
            nanosleep(&pause, NULL);
    }
    if (stopped)
        note("stopped recording %zu process%s of the process tree of %d", stopped, stopped == 1 ? "" : "es", (int)s->group->root.pid);
    return code;
}

int own_session_end(struct own_session *s, struct subject *root)
{
    withdraw(s, root);
    if (!lasts_still(s, root))
        remove_begun(s, root);
    if (s->group->whole_tree)
        return end_tree(s);
    return s->count ? order_give(root, CONTROL_STOP, ORDER_TIMEOUT, "stopped recording", "does not record") : EXIT_OK;
}
