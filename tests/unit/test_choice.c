/* Whose calls are shown: by number, name and kind; and when that begins anew. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <string.h>

#include "choice.h"
#include "exit_code.h"
#include "settings.h"

static struct snapshot s;

static void seat(unsigned slot, uint32_t number, enum consumer_kind kind, const char *name, uint32_t flags)
{
    struct consumer *c = &s.audiences.consumer[slot];
    *c = (struct consumer){.number = number, .kind = kind, .flags = flags};
    strcpy(c->name, name);
}

static void init(void)
{
    s = (struct snapshot){.header.consumer_turn = 1};
    seat(0, 1, CONSUMER_SESSION, "tscap", 0);
    seat(3, 7, CONSUMER_PROFILER, "shop", 0);
    seat(5, 9, CONSUMER_PROFILER, "7", CONSUMER_RUNNING);
    seat(6, 7, CONSUMER_PROFILER, "", CONSUMER_FORMER);
}
TestSuite(choice, .init = init);

static int find(const char *text, uint32_t *number)
{
    const struct choice c = choice_make(&(struct settings){.command = "dump", .consumer = text});
    cr_assert_eq(c.of, CHOICE_CONSUMER);
    return choice_find(&c, &s.audiences, number);
}

static uint32_t found(const char *text)
{
    uint32_t number = 0;
    cr_expect_eq(find(text, &number), 0, "%s", text);
    return number;
}

static int refused(const char *text)
{
    uint32_t number = 0;
    return find(text, &number);
}

Test(choice, it_is_named_by_number_name_or_kind)
{
    cr_expect_eq(found("7"), 7, "a number, not a name");
    cr_expect_eq(found("shop"), 7);
    cr_expect_eq(found("session"), 1);
    cr_expect_eq(refused("profiler"), -ENOTUNIQ);
    cr_expect_eq(refused("8"), -ENODATA);
    cr_expect_eq(refused("yappi"), -ENODATA);
    cr_expect_eq(refused(""), -ENODATA, "former ones have no name, and are none");
}

Test(choice, once_found_it_stays_while_it_is_there)
{
    uint32_t number = found("shop");
    seat(8, 12, CONSUMER_YAPPI, "shop", 0);
    cr_expect_eq(find("shop", &number), 0);
    cr_expect_eq(number, 7, "though two fit now");
    s.audiences.consumer[3].number = s.audiences.consumer[6].number = 0;
    cr_expect_eq(find("shop", &number), 0);
    cr_expect_eq(number, 12);
    s.audiences.consumer[8].number = 0;
    cr_expect_eq(find("shop", &number), -ENODATA);
    cr_expect_eq(number, 12, "still, and it is gone");
}

Test(choice, without_an_option_it_is_the_commands_own_and_all_is_everybody)
{
    cr_expect_eq(choice_make(&(struct settings){.command = "dump"}).of, CHOICE_DEFAULT);
    cr_expect_eq(choice_make(&(struct settings){.consumer = "all"}).of, CHOICE_EVERYTHING);
    cr_expect_eq(choice_view(CHOICE_DEFAULT, &s, 0).slots, 1);
    cr_expect_eq(choice_view(CHOICE_CONSUMER, &s, 7).slots, 1 << 3 | 1 << 6, "with what it was before");
    cr_expect_eq(choice_view(CHOICE_EVERYTHING, &s, 0).slots, 1 | 1 << 3 | 1 << 5 | 1 << 6);
    s.header.consumer_turn = 0;
    cr_expect_null(choice_view(CHOICE_EVERYTHING, &s, 0).audiences, "nobody ever was on the roster");
}

Test(choice, a_number_is_of_one_process)
{
    cr_redirect_stderr();
    cr_expect_eq(choice_check(&(struct settings){.command = "dump", .consumer = "7", .subprocesses = true}), EXIT_USAGE);
    cr_expect_eq(choice_check(&(struct settings){.command = "dump", .consumer = "7"}), EXIT_OK);
    cr_expect_eq(choice_check(&(struct settings){.command = "dump", .consumer = "shop", .subprocesses = true}), EXIT_OK);
    cr_expect_eq(choice_check(&(struct settings){.command = "dump", .subprocesses = true}), EXIT_OK);
}

Test(choice, it_begins_anew_where_one_of_them_is_cleared_or_others_are_shown)
{
    struct snapshot before = s;
    struct audience_view was = choice_view(CHOICE_DEFAULT, &before, 0), everybody = choice_view(CHOICE_EVERYTHING, &before, 0);
    seat(4, 10, CONSUMER_ATTACHED, "attach", 0);
    struct audience_view now = choice_view(CHOICE_DEFAULT, &s, 0);
    cr_expect_not(choice_breaks(&now, &was), "one that comes sees what begins from then on");
    cr_expect_not(choice_breaks(&was, &now), "one that goes leaves less");
    s.audiences.consumer[3].zero = 5;
    cr_expect_not(choice_breaks(&now, &was), "another's");
    now = choice_view(CHOICE_EVERYTHING, &s, 0);
    cr_expect(choice_breaks(&now, &everybody));
    now = choice_view(CHOICE_DEFAULT, &s, 0);
    s.audiences.consumer[0].zero = 6;
    cr_expect(choice_breaks(&now, &was));
    struct audience_view one = choice_view(CHOICE_CONSUMER, &s, 9);
    cr_expect(choice_breaks(&one, &now), "another one's");
    cr_expect(choice_breaks(&one, &(struct audience_view){.audiences = NULL}));
}

Test(choice, a_session_is_since_it_was_cleared)
{
    const struct session_state session = {.running = true, .started = 100};
    struct consumer *shop = &s.audiences.consumer[3];
    shop->began = 300;
    shop->ended = 900;
    struct audience_view own = choice_view(CHOICE_DEFAULT, &s, 0), one = choice_view(CHOICE_CONSUMER, &s, 7);
    cr_expect_eq(choice_session(CHOICE_DEFAULT, &own, &session).started, 100);
    cr_expect_eq(choice_session(CHOICE_CONSUMER, &one, &session).started, 300);
    cr_expect_eq(choice_session(CHOICE_CONSUMER, &one, &session).stopped, 900);
    cr_expect_not(choice_session(CHOICE_CONSUMER, &one, &session).running);
    s.audiences.consumer[0].began = 100;
    s.audiences.consumer[0].zero = 200;
    shop->zero = 400;
    cr_expect_eq(choice_session(CHOICE_DEFAULT, &own, &session).started, 200);
    cr_expect_eq(choice_session(CHOICE_CONSUMER, &one, &session).started, 400);
    shop->zero = 1000;
    cr_expect_eq(choice_session(CHOICE_CONSUMER, &one, &session).started, 0, "it has not begun since");
    shop->began = 1100;
    shop->ended = 0;
    cr_expect_eq(choice_session(CHOICE_CONSUMER, &one, &session).started, 1100);
}

Test(choice, with_several_it_is_since_the_first_of_them)
{
    const struct session_state session = {.running = true, .started = 100};
    s.audiences.consumer[0].began = 100;
    s.audiences.consumer[0].zero = 500;
    seat(4, 10, CONSUMER_ATTACHED, "attach", CONSUMER_RUNNING);
    s.audiences.consumer[4].began = 700;
    struct audience_view own = choice_view(CHOICE_DEFAULT, &s, 0);
    cr_expect_eq(choice_session(CHOICE_DEFAULT, &own, &session).started, 500, "what attach selected began later");
    s.audiences.consumer[4].began = 300;
    cr_expect_eq(choice_session(CHOICE_DEFAULT, &own, &session).started, 300);
    own = (struct audience_view){.audiences = NULL};
    cr_expect_eq(choice_session(CHOICE_EVERYTHING, &own, &session).started, 100, "nobody was ever on the roster");
}

Test(choice, without_a_session_it_goes_on_while_one_of_them_does)
{
    struct session_state none = {0}, seen;
    s = (struct snapshot){.header.consumer_turn = 1};
    seat(3, 7, CONSUMER_PROFILER, "shop", 0);
    seat(5, 9, CONSUMER_COLLECTORS, "collectors", CONSUMER_RUNNING);
    struct consumer *c = s.audiences.consumer;
    c[3].began = 100, c[3].ended = 400, c[5].began = 200;
    const struct audience_view v = {.slots = 1u << 3 | 1u << 5, .audiences = &s.audiences};
    seen = choice_session(CHOICE_EVERYTHING, &v, &none);
    cr_expect(seen.running && seen.started == 100 && seen.stopped == 0);
    c[5].flags = 0, c[5].ended = 300;
    seen = choice_session(CHOICE_DEFAULT, &v, &none);
    cr_expect(!seen.running && seen.started == 100 && seen.stopped == 400);
    const struct session_state session = {.started = 50, .stopped = 250};
    seen = choice_session(CHOICE_DEFAULT, &v, &session);
    cr_expect(!seen.running && seen.stopped == 250, "a session says itself when it ended");
}

Test(choice, it_is_named)
{
    char text[CHOICE_TEXT];
    struct audience_view v = choice_view(CHOICE_CONSUMER, &s, 7);
    choice_name(&v, 7, text, sizeof text);
    cr_expect_str_eq(text, "7 profiler shop");
    v = choice_view(CHOICE_EVERYTHING, &s, 0);
    choice_name(&v, 0, text, sizeof text);
    cr_expect_str_eq(text, "1 session tscap, 7 profiler shop, 9 profiler 7");
    seat(0, 1, CONSUMER_SESSION, "session", 0);
    v = choice_view(CHOICE_DEFAULT, &s, 0);
    choice_name(&v, 0, text, sizeof text);
    cr_expect_str_eq(text, "1 session");
    v = choice_view(CHOICE_CONSUMER, &s, 77);
    choice_name(&v, 77, text, sizeof text);
    cr_expect_str_eq(text, "77, which is gone");
    v = choice_view(CHOICE_EVERYTHING, &s, 0);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        seat(i, i + 1, CONSUMER_PROFILER, "a name that is long enough to fill it all with a few of them", 0);
    v = choice_view(CHOICE_EVERYTHING, &s, 0);
    choice_name(&v, 0, text, sizeof text);
    cr_expect_eq(strlen(text), sizeof text - 1, "cut");
}
