/* A session that a viewer begins and ends, of real processes that obey, refuse, are told otherwise, or are made meanwhile. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "exit_code.h"
#include "operand.h"
#include "order.h"
#include "own_session.h"
#include "settings.h"

#include "support.h"

#include "../support/actors.h"

static struct operand operand;
static struct group group;
static struct own_session session;

/* 0: the root. 1, 2: its children. */
static void begin(void)
{
    cr_redirect_stderr();
    actors_make();
    actors[1].parent = actors[2].parent = 0;
}

static void end(void)
{
    own_session_free(&session);
    operand_free(&operand);
    actors_end();
}
TestSuite(own_session, .init = begin, .fini = end);

static void open_session(bool whole_tree)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)actors[0].pid);
    const struct settings s = {.command = "top", .operand = pid, .subprocesses = whole_tree};
    cr_assert_eq(operand_find(&operand, &s, OPERAND_LIVING), EXIT_OK);
    group = (struct group){.places = &operand.places, .root = *operand.subject, .whole_tree = whole_tree};
    own_session_open(&session, &group);
}

/* Until the root has answered. */
static void begin_session(void)
{
    own_session_begin(&session, operand.subject);
    while (session.asked >= 0) {
        struct pollfd p = {.fd = session.asked, .events = POLLIN};
        cr_assert_eq(poll(&p, 1, 10000), 1);
        own_session_go_on(&session, operand.subject, true);
    }
    own_session_go_on(&session, operand.subject, false);
    subject_refresh(operand.subject);
}

Test(own_session, of_one_process_begins_and_ends)
{
    actors_begin_stopped(2);
    open_session(false);
    begin_session();
    cr_expect_str_eq(actors_told(3), "100");
    cr_expect(actors[0].command == CONTROL_START && actors[0].argument == CONTROL_TETHER);
    cr_expect_not(own_session_has_others(&session));
    cr_expect_eq(session.failure, OWN_SESSION_WORKS);
    cr_expect(own_session_lasts(&session, operand.subject));
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "200");
    cr_expect_eq(actors[0].command, CONTROL_STOP);
}

Test(own_session, of_a_process_tree_begins_with_all)
{
    actors_begin_stopped(3);
    open_session(true);
    begin_session();
    cr_expect_str_eq(actors_told(3), "111");
    cr_expect(actors[2].command == CONTROL_START && actors[2].argument == (CONTROL_SUBPROCESSES | CONTROL_TETHER));
    cr_expect(own_session_has_others(&session));
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "222");
}

Test(own_session, who_got_it_from_us_is_stopped_too)
{
    actors_begin(3);
    actors_tell(0, "msl");
    open_session(true);
    begin_session();
    actors_tell(1, "mhl"); /* made since: it inherited */
    actors_tell(2, "ml");  /* the same, but it began by itself */
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "210");
}

Test(own_session, who_records_already_is_not_ours)
{
    actors_begin(3);
    actors_tell(0, "ml");
    actors_tell(1, "ml");
    actors_tell(2, "msl");
    open_session(true);
    begin_session();
    cr_expect_str_eq(actors_told(3), "001");
    cr_expect_not(own_session_lasts(&session, operand.subject));
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "002");
}

Test(own_session, a_root_that_refuses_is_said_and_its_children_are_left_alone)
{
    actors[0].says = (struct control_reply){.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .result = CONTROL_FAILED, .text = "no"};
    actors_begin_stopped(2);
    open_session(true);
    begin_session();
    cr_expect_eq(session.failure, OWN_SESSION_REFUSED);
    cr_expect_eq(own_session_explain(&session, operand.subject), EXIT_FAILED);
    cr_expect_str_eq(actors_told(3), "100");
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "100");
}

Test(own_session, what_somebody_else_ordered_stays)
{
    actors_begin_stopped(1);
    open_session(false);
    begin_session();
    struct control_reply reply;
    cr_assert_eq(order_ask(operand.subject, CONTROL_START, 0, ORDER_TIMEOUT, &reply), 0);
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "200", "it is recorded for somebody else, too");
}

Test(own_session, nothing_begun_nothing_ended)
{
    actors_begin_stopped(2);
    open_session(true);
    cr_expect_eq(own_session_end(&session, operand.subject), EXIT_OK);
    cr_expect_str_eq(actors_told(3), "000");
}
