/* A process and its descendants, looked at together: real processes with segments, which come, go, begin anew and lie. */
#include <criterion/criterion.h>

#include "exit_code.h"
#include "source.h"

#include "support.h"

#include "../support/actors.h"

static const char *const f_g[] = {"f", "g", NULL}, *const g_f[] = {"g", "f", NULL}, *const only_h[] = {"h", NULL};

static const struct choice own = {.of = CHOICE_DEFAULT};
static struct places places;
static struct source source;
static struct capture capture;
static bool captured;

/* 0: the root. 1, 2: its children; 3: a child of 1. */
static void begin(void)
{
    actors_make();
    for (int i = 0; i < 4; i++)
        actors[i].function = f_g;
    actors[1].parent = actors[2].parent = 0;
    actors[3].parent = 1;
    actors[1].function = g_f;
}

static void forget_capture(void)
{
    if (captured)
        capture_free(&capture);
    captured = false;
}

static void end(void)
{
    forget_capture();
    source_free(&source);
    places_close(&places);
    actors_end();
}
TestSuite(source, .init = begin, .fini = end);

static void open_tree_of(int number)
{
    const struct subject root = {.pid = actors[number].pid, .start_time = actors[number].start_time, .uid = geteuid()};
    cr_assert_eq(source_open(&source, &places, &root, true, &own), EXIT_OK);
}

static void open_alone(int number)
{
    struct subjects all;
    cr_assert_eq(places_open(&places), EXIT_OK);
    cr_assert_eq(subjects_find(&all, &places), 0);
    for (size_t i = 0; i < all.count; i++)
        if (all.subject[i].pid == actors[number].pid)
            cr_assert_eq(source_open(&source, &places, &all.subject[i], false, &own), EXIT_OK);
    cr_assert_eq(source.count, 1);
    subjects_free(&all);
}

static void begin_source(void)
{
    cr_assert_eq(places_open(&places), EXIT_OK);
    open_tree_of(0);
}

static int try_look(void)
{
    forget_capture();
    int r = source_look(&source, &capture);
    captured = r == 0;
    return r;
}

static void look_again(void) { cr_assert_eq(try_look(), 0); }

static void look_first(void)
{
    begin_source();
    look_again();
}

/* Calls of a function in all of them, and by how many it was called: "5/2"; "": nobody has it. */
static const char *calls(const char *name)
{
    static char text[64];
    text[0] = '\0';
    for (uint32_t i = 0; i < capture.profile.sites; i++)
        if (strcmp(capture.profile.site[i].name, name) == 0) {
            cr_expect_eq(text[0], '\0', "one row for %s", name);
            snprintf(text, sizeof text, "%lu/%u", capture.profile.site[i].t.calls, capture.profile.site[i].processes);
        }
    return text;
}

static const char *state(void)
{
    static char text[128];
    source_state(&source, text, sizeof text);
    return text;
}

static const char *counts(void)
{
    static char text[64];
    size_t alive, recording;
    source_count(&source, &alive, &recording);
    snprintf(text, sizeof text, "%zu %zu", alive, recording);
    return text;
}

/* ---- the sum ---- */

Test(source, the_same_function_is_one_row)
{
    actors_begin(4);
    actors_tell(0, "mAA");  /* f f */
    actors_tell(1, "mBBBA"); /* f f f g */
    actors_tell(3, "mB");   /* g */
    look_first();
    cr_expect_eq(source.count, 3);
    cr_expect_eq(source.member[0]->subject.pid, actors[0].pid);
    cr_expect_str_eq(calls("f"), "5/2");
    cr_expect_str_eq(calls("g"), "2/2");
    cr_expect_eq(capture.profile.lost_processes, 0);
    cr_expect(capture.profile.complete);
    actors_tell(3, "BA");
    look_again();
    cr_expect_str_eq(calls("f"), "6/3");
    cr_expect_str_eq(calls("g"), "3/2");
    cr_expect_eq(source.breaks, 0);
}

Test(source, threads_say_of_which_process_they_are)
{
    actors_begin(3);
    actors_tell(0, "mA");
    actors_tell(1, "mA");
    actors_tell(2, "mA");
    look_first();
    cr_assert_eq(capture.profile.threads, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_expect_eq(capture_process(&capture, capture.profile.thread[i].process)->pid, (pid_t)capture.profile.thread[i].tid);
}

/* A number that was given away again is another process, though both may be of the process tree. */
Test(source, who_has_the_number_at_another_time_is_somebody_else)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mB");
    actor_has_double(0, -5);
    actor_has_double(1, 5);
    look_first();
    cr_expect_eq(source.count, 3);
    cr_expect_eq(source.member[0]->subject.start_time, actors[0].start_time);
    cr_expect_str_eq(calls("f"), "3/3");
    actors_tell(1, "B");
    look_again();
    cr_expect_str_eq(calls("f"), "4/3");
}

/* Neither a stranger nor an ancestor belongs to it. */
Test(source, only_descendants)
{
    actors_begin(4);
    for (int i = 0; i < 4; i++)
        actors_tell(i, "mA");
    cr_assert_eq(places_open(&places), EXIT_OK);
    open_tree_of(1);
    look_again();
    cr_expect_eq(source.count, 2);
    cr_expect_str_eq(calls("g"), "1/1");
    cr_expect_str_eq(calls("f"), "1/1");
}

/* From the first that began to the last that ended. */
Test(source, the_session_spans_all)
{
    actors_begin(3);
    actors_tell(1, "mA");
    actors_tell(0, "mA");
    actors_tell(2, "mA");
    look_first();
    const struct session_state *s = &capture.snapshot.session;
    cr_expect(s->running);
    cr_expect_eq(s->started, source.member[1]->snapshot.session.started);
    for (int i = 0; i < 3; i++)
        actors_tell(i, "s");
    look_again();
    cr_expect_not(s->running);
    cr_expect_eq(s->stopped, source.member[2]->snapshot.session.stopped);
}

/* ---- what they do ---- */

Test(source, in_words)
{
    actors_begin(2);
    actors_tell(0, "m");
    actors_tell(1, "m");
    look_first();
    cr_expect_str_eq(counts(), "2 2");
    cr_expect_str_eq(state(), "recording");
    actors_tell(1, "s");
    look_again();
    cr_expect_str_eq(counts(), "2 1");
    cr_expect_str_eq(state(), "recording in 1 of 2 processes");
    actors_tell(0, "s");
    look_again();
    cr_expect_str_eq(counts(), "2 0");
    cr_expect_str_eq(state(), "stopped");
}

Test(source, in_words_when_the_root_has_ended)
{
    actors_begin(2);
    actors_tell(0, "m");
    actors_tell(1, "m");
    actor_end(0);
    look_first();
    cr_expect_str_eq(counts(), "1 1");
    cr_expect_str_eq(state(), "recording in 1 of 1 processes");
    cr_expect(capture.snapshot.session.running);
    actor_end(1);
    look_again();
    cr_expect_not(capture.snapshot.session.running, "both say that they record");
    cr_expect_str_eq(counts(), "0 0");
    cr_expect_str_eq(state(), "dead");
}

/* ---- who goes ---- */

Test(source, what_the_ended_left_stays)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mBB");
    look_first();
    actors_tell(1, "B");
    actor_end(1);
    look_again();
    cr_expect_str_eq(calls("f"), "4/2", "what it left is looked at once more");
    cr_expect(source.member[1]->settled);
    cr_expect_str_eq(counts(), "1 1");
    uint32_t nowhere = UINT32_MAX;
    int fd = open(actor_file(1, "tscap", 0), O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, &nowhere, sizeof nowhere, offsetof(struct segment_header, lane_first)), sizeof nowhere);
    close(fd);
    look_again();
    cr_expect_str_eq(calls("f"), "4/2", "once is enough");
}

Test(source, of_what_is_gone_the_last_look_stays)
{
    actors_begin(2);
    actors_tell(0, "moA");
    actors_tell(1, "mhBB");
    look_first();
    actors_tell(1, "Bu");
    actor_end(1);
    look_again();
    cr_expect_str_eq(calls("f"), "3/2");
    cr_expect_eq(source.count, 2);
    cr_expect_not(source.member[1]->subject.alive);
    cr_expect_not(source.member[1]->present);
    cr_expect_eq(capture.profile.lost_processes, 0, "it was seen");
}

Test(source, without_the_root_there_is_nothing)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mA");
    begin_source();
    actors_tell(0, "u");
    cr_expect_eq(try_look(), -ENOENT);
}

Test(source, once_seen_the_root_may_not_go_either)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mA");
    look_first();
    actors_tell(0, "u");
    cr_expect_eq(try_look(), -ENOENT);
}

/* ---- who is missing ---- */

Test(source, heirs_of_which_nothing_is_there_are_missing)
{
    actors_begin(3);
    actors_tell(0, "mooo");
    actors_tell(1, "mh");
    actors_tell(2, "m"); /* its session is its own */
    look_first();
    cr_expect_eq(capture.profile.lost_processes, 2);
    cr_expect_eq(source.missing, 2);
    actors_tell(2, "h");
    look_again();
    cr_expect_eq(capture.profile.lost_processes, 1);
}

Test(source, more_heirs_than_it_knows_of_are_none_missing)
{
    actors_begin(3);
    actors_tell(0, "mo");
    actors_tell(1, "mh");
    actors_tell(2, "mh");
    look_first();
    cr_expect_eq(capture.profile.lost_processes, 0);
}

/* ---- who begins anew ---- */

Test(source, a_reset_of_one_is_a_break)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mB");
    look_first();
    cr_expect_eq(capture.snapshot.session.resets, 0);
    actors_tell(1, "r");
    look_again();
    cr_expect_eq(source.breaks, 1);
    cr_expect_eq(capture.snapshot.session.resets, 1);
    cr_expect_str_eq(calls("f"), "1/1");
    look_again();
    cr_expect_eq(source.breaks, 1, "once");
}

/* By exec: the same process, another segment. */
Test(source, another_segment_is_a_break)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mB");
    look_first();
    actors_tell(1, "um");
    look_again();
    cr_expect_eq(source.breaks, 1);
    cr_expect_eq(source.count, 2);
}

Test(source, with_the_roots_reset_the_gone_are_forgotten)
{
    actors_begin(3);
    actors_tell(0, "mA");
    actors_tell(1, "mB");
    actors_tell(2, "mA");
    look_first();
    actors_tell(1, "u");
    actor_end(1);
    look_again();
    cr_expect_eq(source.count, 3);
    actors_tell(2, "r");
    look_again();
    cr_expect_eq(source.count, 3, "another's reset forgets nobody");
    actors_tell(0, "r");
    look_again();
    cr_expect_eq(source.count, 2);
    cr_expect_eq(source.member[1]->subject.pid, actors[2].pid);
    cr_expect_eq(source.breaks, 2);
    cr_expect_str_eq(calls("f"), "0/0");
}

/* ---- what cannot be read, or does not fit ---- */

Test(source, a_damaged_one_makes_it_incomplete)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mBB");
    look_first();
    cr_expect(capture.profile.complete);
    actors_tell(1, "y");
    look_again();
    cr_expect_not(capture.profile.complete);
    cr_expect_str_eq(calls("f"), "1/1");
}

/* What it says of its ancestors is not believed either: as if it were gone. */
Test(source, of_one_that_is_no_segment_any_more_the_last_look_stays)
{
    actors_begin(3);
    actors_tell(0, "moA");
    actors_tell(1, "mBB");
    look_first();
    actors_tell(1, "Bx");
    actors_tell(2, "mhx");
    look_again();
    cr_expect_str_eq(calls("f"), "3/2");
    cr_expect_not(source.member[1]->present);
    cr_expect_eq(source.count, 2, "one that was never seen is not met");
    cr_expect_eq(capture.profile.lost_processes, 1, "but missed");
}

Test(source, of_one_that_cannot_be_copied_the_last_look_stays)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mBB");
    look_first();
    actors_tell(1, "Bv");
    look_again();
    cr_expect_str_eq(calls("f"), "3/2");
    cr_expect_eq(source.member[1]->error, -EBADMSG);
    cr_expect_not(capture.profile.complete);
}

Test(source, a_root_that_cannot_be_read_is_said)
{
    actors_begin(1);
    actors_tell(0, "mAx");
    begin_source();
    cr_expect_eq(try_look(), -EBADMSG);
}

Test(source, another_clock_is_counted_and_left_out)
{
    actors[1].other_clock = true;
    actors_begin(3);
    if (clock_choose() == CLOCK_SOURCE_MONOTONIC)
        cr_skip("there is one clock only");
    actors_tell(0, "mA");
    actors_tell(1, "mBB");
    actors_tell(2, "mA");
    look_first();
    cr_expect_eq(capture.profile.other_clock, 1);
    cr_expect_str_eq(calls("f"), "2/2");
}

Test(source, functions_beyond_the_most_are_counted)
{
    actors[1].function = only_h;
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mA");
    begin_source();
    look_again();
    cr_expect_eq(capture.profile.lost_sites, 0);
    source_free(&source);
    open_tree_of(0);
    source.identities.known.count = IDENTITIES_MAX - 2;
    look_again();
    cr_expect_eq(capture.profile.lost_sites, 1, "h");
    cr_expect_str_eq(calls("f"), "1/1");
}

/* ---- one process alone ---- */

Test(source, alone_it_is_without_its_descendants)
{
    actors_begin(2);
    actors_tell(0, "mA");
    actors_tell(1, "mB");
    open_alone(0);
    look_again();
    cr_expect_str_eq(calls("f"), "1/1");
    cr_expect_not(capture.whole_tree);
    cr_expect_eq(capture_process(&capture, capture.profile.thread[0].process)->pid, actors[0].pid);
    actors_tell(0, "rr");
    look_again();
    cr_expect_eq(capture.snapshot.session.resets, 2, "as its segment says");
    cr_expect_str_eq(calls("f"), "0/0");
}

Test(source, alone_what_cannot_be_read_is_said)
{
    actors_begin(1);
    actors_tell(0, "mA");
    open_alone(0);
    look_again();
    actors_tell(0, "v");
    cr_expect_eq(try_look(), -EBADMSG);
    actors_tell(0, "u");
    cr_expect_eq(try_look(), -ENOENT);
}
