#include "live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "keys.h"
#include "message.h"
#include "own_session.h"
#include "page.h"
#include "picture.h"
#include "screen.h"
#include "signals.h"

enum failure { FAILURE_NONE, FAILURE_START, FAILURE_MEMORY, FAILURE_TERMINAL };

struct live {
    struct source *source;
    struct subject *subject; /* its root */
    const struct live_options *options;
    struct picture picture;
    uint64_t due; /* CLOCK_MONOTONIC: the next look */
    uint64_t due_attendance; /* the same: who has started it wants to be called; UINT64_MAX: never */
    bool ended;   /* the process */

    struct own_session session;
    enum failure failure; /* why it cannot go on: to be said once the screen is gone */
};

/* ---- failures ---- */

static int tell_failure(const struct live *l)
{
    switch (l->failure) {
    case FAILURE_START:
        return own_session_explain(&l->session, l->subject);
    case FAILURE_MEMORY:
        return fail(EXIT_FAILED,
                    "cannot go on showing process %d\n"
                    "out of memory\n"
                    SAME_AGAIN,
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

static void heed_session(struct live *l)
{
    if (l->session.failure == OWN_SESSION_REFUSED)
        l->failure = FAILURE_START;
    else if (l->session.failure == OWN_SESSION_NO_MEMORY)
        l->failure = FAILURE_MEMORY;
}

static void begin_session(struct live *l)
{
    if (l->options->start)
        own_session_begin(&l->session, l->subject);
    heed_session(l);
}

static void go_on_with_session(struct live *l, const struct pollfd *p)
{
    if (own_session_go_on(&l->session, l->subject, p->revents))
        subject_refresh(l->subject);
    heed_session(l);
}

/* ---- looks ---- */

static void set_state(struct live *l)
{
    char state[64];
    bool starting = l->session.asked >= 0;
    source_state(l->source, state, sizeof state);
    bool ours = own_session_lasts(&l->session, l->subject) || (own_session_has_others(&l->session) && strstr(state, "recording"));
    const char *by = attachment_lasts(l->options->attachment) ? " (attached here)" : ours ? " (begun here)" : "";
    snprintf(l->picture.state, sizeof l->picture.state, "%s%s", l->ended ? "ended" : starting ? "starting" : state, l->ended || starting ? "" : by);
}

static void freeze(struct live *l)
{
    const char *how = l->subject->replaced ? "become another program, or was detached from" : "ended";
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

/* Of a process tree as long as one of them does. */
static bool lives(const struct live *l)
{
    size_t alive, recording;
    if (l->subject->alive || l->subject->error == -ENOENT)
        return l->subject->alive;
    source_count(l->source, &alive, &recording);
    return alive > 0;
}

/* Once it has ended, the picture before is the last one. */
static void take_in(struct live *l, int r, struct capture *c)
{
    bool over = !lives(l), left = l->options->attend; /* what it recorded until its end is there still */
    if (over)
        freeze(l);
    if (over && !left) {
        if (r == 0)
            capture_free(c);
        return;
    }
    if (r == 0)
        r = picture_add(&l->picture, c);
    if (r == -ENOMEM)
        l->failure = FAILURE_MEMORY;
    else if (r < 0 && !over)
        tell_unreadable(l, r);
}

/* The process is looked after in any case; its data, unless the picture is paused. */
static void look_again(struct live *l)
{
    struct capture c;
    if (l->ended)
        return;
    l->picture.notice[0] = '\0';
    if (!l->picture.paused) {
        int r = source_look(l->source, &c);
        take_in(l, r, &c);
        return;
    }
    subject_refresh(l->subject);
    if (!lives(l))
        freeze(l);
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

static bool follows(const struct live *l) { return !l->ended && l->options->following; }

static void attend(struct live *l)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now < l->due_attendance)
        return;
    uint64_t pause = l->options->attend(l->options->context);
    l->due_attendance = pause == UINT64_MAX ? UINT64_MAX : clock_ns(CLOCK_MONOTONIC) + pause;
}

static void wait_for_anything(struct live *l)
{
    struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = l->session.asked, .events = POLLIN}};
    uint64_t now = clock_ns(CLOCK_MONOTONIC), until = l->ended ? UINT64_MAX : l->due;
    if (follows(l) && l->options->following->due < until)
        until = l->options->following->due;
    if (l->session.asked >= 0 && l->session.patience < until)
        until = l->session.patience;
    if (l->due_attendance < until)
        until = l->due_attendance;
    if (signals_poll(p, 2, until == UINT64_MAX ? until : until > now ? until - now : 0) < 0)
        p[0].revents = p[1].revents = 0;
    go_on_with_session(l, &p[1]);
    read_terminal(l, &p[0]);
}

static void watch(struct live *l)
{
    begin_session(l);
    draw(l);
    while (!l->failure && !l->picture.leaving && !signals_leave()) {
        wait_for_anything(l);
        heed_signals();
        if (follows(l))
            following_look(l->options->following);
        attend(l);
        look_in_time(l);
        if (!l->failure)
            draw(l);
    }
}

/* ---- the whole ---- */

static int run_on_screen(struct live *l)
{
    signals_begin(l->options->signals);
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
    int code = tell_failure(l), ended = own_session_end(&l->session, l->subject);
    return code == EXIT_OK ? ended : code;
}

int live_run(struct source *source, const struct live_options *o)
{
    struct live l = {.source = source, .subject = source_root(source), .options = o};
    struct capture first;
    int code = source_take(source, &first);
    if (code != EXIT_OK)
        return code;
    l.due = first.taken + o->delay;
    l.due_attendance = o->attend ? 0 : UINT64_MAX;
    own_session_open(&l.session, &source->group);
    picture_init(&l.picture, o->sort);
    l.picture.whole_tree = first.whole_tree;
    if (picture_add(&l.picture, &first) < 0)
        l.failure = FAILURE_MEMORY;
    code = l.failure ? tell_failure(&l) : run_on_screen(&l);
    if (code == EXIT_OK)
        code = capture_check_loss(&l.picture.now->capture, o->max_loss);
    picture_free(&l.picture);
    own_session_free(&l.session);
    if (!o->attend)
        signals_pass_on();
    return code;
}
