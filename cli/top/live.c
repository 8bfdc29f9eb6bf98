#include "live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "diagnosis.h"
#include "family_session.h"
#include "keys.h"
#include "message.h"
#include "order.h"
#include "page.h"
#include "picture.h"
#include "screen.h"
#include "signals.h"

#define MILLISECOND 1000000u
#define SETTLE_NS 1000000000u /* to learn what became of an order that we no longer wait for */

/* What we did to the process. */
enum session {
    SESSION_LEFT_ALONE,
    SESSION_ASKED, /* to start; the answer is outstanding, or did not come */
    SESSION_BEGUN, /* it did: it is ours to end, as long as nobody else says anything */
};

enum failure { FAILURE_NONE, FAILURE_START, FAILURE_MEMORY, FAILURE_TERMINAL };

struct live {
    struct subject *subject;
    const struct live_options *options;
    struct picture picture;
    uint64_t due; /* CLOCK_MONOTONIC: the next look */
    bool ended;   /* the process */

    enum session session;
    int asked;         /* descriptor; -1: nothing is outstanding */
    uint64_t patience; /* CLOCK_MONOTONIC: until when to wait for the answer */
    uint32_t orders;   /* of the session, once it is begun by us */
    uint64_t anchor;   /* of its segment */
    struct family_session family; /* the same for subprocesses */
    bool family_begun;

    enum failure failure; /* why it cannot go on: to be said once the screen is gone */
    int error;
    struct control_reply reply;
};

/* ---- failures ---- */

static int tell_failure(const struct live *l)
{
    switch (l->failure) {
    case FAILURE_START:
        return order_check(l->subject, CONTROL_START, ORDER_TIMEOUT, l->error, &l->reply);
    case FAILURE_MEMORY:
        return fail(EXIT_FAILED,
                    "cannot go on showing process %d\n"
                    "out of memory\n"
                    "the same again",
                    (int)l->subject->pid);
    case FAILURE_TERMINAL:
        return fail(EXIT_FAILED,
                    "cannot go on showing process %d\n"
                    "the terminal is gone\n"
                    "tscap top -b 10 %d",
                    (int)l->subject->pid, (int)l->subject->pid);
    default:
        return EXIT_OK;
    }
}

/* ---- the session ---- */

/* The order that began it is still the last one. A header that is just being changed is looked at again. */
static bool is_ours(const struct live *l)
{
    const struct subject *s = l->subject;
    return l->session != SESSION_LEFT_ALONE && subject_ready(s) && s->session.running &&
           s->session.orders == l->orders && s->header.anchor_ticks == l->anchor;
}

static bool is_ours_still(struct live *l)
{
    struct timespec pause = {.tv_nsec = MILLISECOND};
    for (int i = 0; i < 5; i++) {
        subject_refresh(l->subject);
        if (is_ours(l))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void fail_to_start(struct live *l, int error)
{
    l->failure = FAILURE_START;
    l->error = error;
}

static void ask_to_start(struct live *l)
{
    l->orders = l->subject->session.orders + 1;
    l->anchor = l->subject->header.anchor_ticks;
    l->patience = clock_ns(CLOCK_MONOTONIC) + ORDER_TIMEOUT;
    l->session = SESSION_ASKED;
    l->asked = order_send(l->subject, CONTROL_START, l->options->members ? CONTROL_SUBPROCESSES : 0);
    if (l->asked < 0)
        fail_to_start(l, l->asked);
}

static void take_answer(struct live *l)
{
    int r = control_take_reply(l->asked, &l->reply, 1000);
    bool done = r == 0 && l->reply.result == CONTROL_OK;
    l->asked = -1;
    l->session = done ? SESSION_BEGUN : SESSION_LEFT_ALONE;
    if (!done && (r < 0 || l->reply.result != CONTROL_ALREADY))
        fail_to_start(l, r);
}

/* Subprocesses follow once the process itself records. */
static void begin_family_session(struct live *l)
{
    const struct members *m = l->options->members;
    if (!m || !l->options->start || l->asked >= 0 || l->failure || l->family_begun)
        return;
    l->family_begun = true;
    if (!family_session_begin(&l->family, m))
        l->failure = FAILURE_MEMORY;
}

static void await_answer(struct live *l, const struct pollfd *p)
{
    if (l->asked < 0)
        return;
    if (p->revents) {
        take_answer(l);
        subject_refresh(l->subject);
    } else if (clock_ns(CLOCK_MONOTONIC) >= l->patience)
        fail_to_start(l, -ETIMEDOUT);
}

/* Whoever closes the connection is not obeyed any more, but it may just have happened. The listener answers one after
 * another: when it answers this, it is through with that. */
static void withdraw(struct live *l)
{
    struct control_reply reply;
    if (l->asked < 0)
        return;
    close(l->asked);
    l->asked = -1;
    order_ask(l->subject, CONTROL_STATUS, 0, SETTLE_NS, &reply);
}

static int end_family_session(struct live *l, bool ours)
{
    if (ours && !family_session_add(&l->family, l->subject, l->orders))
        return tell_failure(&(struct live){.subject = l->subject, .failure = FAILURE_MEMORY});
    return family_session_end(&l->family, l->options->members);
}

static int end_session(struct live *l)
{
    withdraw(l);
    bool ours = l->session != SESSION_LEFT_ALONE && is_ours_still(l);
    if (l->options->members)
        return end_family_session(l, ours);
    if (!ours)
        return EXIT_OK;
    return order_give(l->subject, CONTROL_STOP, ORDER_TIMEOUT, "stopped recording", "does not record");
}

/* ---- looks ---- */

static void set_state(struct live *l)
{
    char family[64];
    const char *state = subject_state(l->subject);
    if (l->options->members) {
        members_state(l->options->members, family, sizeof family);
        state = family;
    }
    bool ours = is_ours(l) || (l->family.count && strstr(state, "recording"));
    const char *by = attachment_lasts(l->options->attachment) ? " (attached here)" : ours ? " (begun here)" : "";
    state = l->ended ? "ended" : l->asked >= 0 ? "starting" : state;
    snprintf(l->picture.state, sizeof l->picture.state, "%s%s", state, l->ended || l->asked >= 0 ? "" : by);
}

static void freeze(struct live *l)
{
    const char *how = l->subject->replaced ? "become another program" : "ended";
    l->ended = true;
    l->picture.rebase = false;
    snprintf(l->picture.notice, sizeof l->picture.notice, "process %d has %s; this was the last picture (q leaves)",
             (int)l->subject->pid, how);
}

/* It may be better with the next look. */
static void tell_unreadable(struct live *l, int error)
{
    snprintf(l->picture.notice, sizeof l->picture.notice, "its segment cannot be read now: %s", strerror(-error));
}

static int take_look(const struct live *l, struct capture *c)
{
    return l->options->members ? members_look(l->options->members, c) : capture_try(c, l->subject);
}

/* Of a family as long as one of them does. */
static bool lives(const struct live *l)
{
    size_t alive = l->subject->alive, recording;
    if (!alive && l->options->members && l->subject->error != -ENOENT)
        members_count(l->options->members, &alive, &recording);
    return alive > 0;
}

static void look(struct live *l)
{
    struct capture c;
    int r = take_look(l, &c);
    if (r == 0)
        r = picture_add(&l->picture, &c);
    if (r == -ENOMEM)
        l->failure = FAILURE_MEMORY;
    else if (r < 0)
        tell_unreadable(l, r);
}

/* The process is looked after in any case; its data, unless the picture is paused. */
static void look_again(struct live *l)
{
    if (l->ended)
        return;
    subject_refresh(l->subject);
    if (!lives(l)) {
        freeze(l);
        return;
    }
    l->picture.notice[0] = '\0';
    if (!l->picture.paused)
        look(l);
}

/* ---- the terminal ---- */

static void draw(struct live *l)
{
    struct page page;
    size_t height, width;
    set_state(l);
    screen_size(&height, &width);
    if (page_make(&page, &l->picture, height, width) < 0)
        l->failure = FAILURE_MEMORY;
    signals_let(true);
    screen_draw(&page);
    signals_let(false);
    page_free(&page);
}

static void press_keys(struct live *l)
{
    bool paused = l->picture.paused;
    for (uint32_t key; (key = screen_key());)
        keys_press(&l->picture, key);
    l->picture.rebase &= !l->ended;
    if (l->picture.rebase || (paused && !l->picture.paused))
        l->due = 0; /* now */
}

static void read_terminal(struct live *l, const struct pollfd *p)
{
    if (p->revents & POLLIN)
        press_keys(l);
    if (p->revents & (POLLHUP | POLLERR | POLLNVAL) || (p->revents && !isatty(STDIN_FILENO)))
        l->failure = FAILURE_TERMINAL;
}

static void heed_signals(void)
{
    if (signals_came(SIGTSTP)) {
        screen_leave();
        signals_stop();
        screen_enter();
    }
    if (signals_came(SIGCONT))
        screen_enter();
    if (signals_came(SIGWINCH))
        screen_resize();
}

/* ---- the loop ---- */

/* Looks keep their beat; those that were missed are left out. */
static void look_in_time(struct live *l)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now < l->due)
        return;
    look_again(l);
    l->due += l->options->delay;
    if (l->due <= now)
        l->due = now + l->options->delay;
}

static void wait_for_anything(struct live *l)
{
    struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = l->asked, .events = POLLIN}};
    uint64_t now = clock_ns(CLOCK_MONOTONIC), until = l->ended ? UINT64_MAX : l->due;
    if (l->asked >= 0 && l->patience < until)
        until = l->patience;
    if (signals_poll(p, 2, until == UINT64_MAX ? until : until > now ? until - now : 0) < 0)
        p[0].revents = p[1].revents = 0;
    await_answer(l, &p[1]);
    read_terminal(l, &p[0]);
}

static void watch(struct live *l)
{
    family_session_open(&l->family);
    if (l->options->start && !l->subject->session.running)
        ask_to_start(l);
    draw(l);
    while (!l->failure && !l->picture.leaving && !signals_leave()) {
        wait_for_anything(l);
        heed_signals();
        begin_family_session(l);
        look_in_time(l);
        draw(l);
    }
}

/* ---- the whole ---- */

static int run_on_screen(struct live *l)
{
    signals_begin();
    if (!screen_open()) {
        signals_end();
        return fail(EXIT_FAILED,
                    "top: cannot use this terminal\n"
                    "%s\n"
                    "tscap top -b 10 %d",
                    strerror(errno), (int)l->subject->pid);
    }
    watch(l);
    screen_close();
    signals_end();
    int code = tell_failure(l), ended = end_session(l);
    return code == EXIT_OK ? ended : code;
}

int live_run(struct subject *subject, const struct live_options *o)
{
    struct live l = {.subject = subject, .options = o, .asked = -1};
    struct capture first;
    int code = EXIT_OK, r = o->members ? members_look(o->members, &first) : 0;
    if (r < 0)
        return diagnose_segment(subject->where, r);
    if (!o->members)
        code = capture_take(&first, subject);
    if (code != EXIT_OK)
        return code;
    l.due = first.taken + o->delay;
    picture_init(&l.picture, o->sort);
    l.picture.family = o->members;
    if (picture_add(&l.picture, &first) < 0)
        l.failure = FAILURE_MEMORY;
    code = l.failure ? tell_failure(&l) : run_on_screen(&l);
    if (code == EXIT_OK)
        code = capture_check_loss(&l.picture.now->capture, o->max_loss);
    picture_free(&l.picture);
    family_session_free(&l.family);
    signals_pass_on();
    return code;
}
