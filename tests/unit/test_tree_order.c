/* Orders to a process tree of real processes, which obey, refuse, are deaf, are born meanwhile, or have ended. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "exit_code.h"
#include "tree_order.h"

#include "support.h"

#include "../support/actors.h"

static struct operand operand;

/* 0: the root. 1, 2: its children; 3: a child of 2. */
static void begin(void)
{
    cr_redirect_stderr();
    actors_make();
    actors[1].parent = actors[2].parent = 0;
    actors[3].parent = 2;
}

static void end(void)
{
    operand_free(&operand);
    actors_end();
}
TestSuite(tree_order, .init = begin, .fini = end);

static int order(enum control_command command)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)actors[0].pid);
    struct settings s = {.command = control_command_name(command), .operand = pid, .subprocesses = true};
    cr_assert_eq(operand_find(&operand, &s, OPERAND_PROCESS), EXIT_OK);
    return tree_order(&operand, command, 10000000000u, "Did it to", "was so");
}

/* What was said, with R, A, B, C for the numbers of the actors. */
static const char *said(void)
{
    static char text[4096];
    size_t used = 0;
    FILE *from = cr_get_redirected_stderr();
    fflush(stderr);
    for (int c; used < sizeof text - 1 && text[used ? used - 1 : 0] != '\n' && (c = getc(from)) != EOF;)
        text[used++] = (char)c;
    text[used] = '\0';
    for (int i = 0; i < 4 && actors[i].pid; i++) {
        char pid[16], *at;
        int n = snprintf(pid, sizeof pid, "%d", (int)actors[i].pid);
        while ((at = strstr(text, pid))) {
            *at = "RABC"[i];
            memmove(at + 1, at + n, strlen(at + n) + 1);
        }
    }
    return text;
}

/* ---- all obey ---- */

Test(tree_order, each_is_told_once)
{
    actors_begin_stopped(4);
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1111");
    for (int i = 0; i < 4; i++)
        cr_expect(actors[i].command == CONTROL_START && actors[i].argument == CONTROL_SUBPROCESSES, "%d", i);
    cr_expect_str_eq(said(), "tscap: Did it to process R and 3 subprocesses: 5 functions decorated\n");
}

Test(tree_order, without_children)
{
    actors_begin_stopped(1);
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(said(), "tscap: Did it to process R: 5 functions decorated\n");
}

Test(tree_order, only_a_start_is_handed_on)
{
    actors_begin(2);
    actors_tell(0, "ml");
    actors_tell(1, "ml");
    cr_expect_eq(order(CONTROL_STOP), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1100");
    cr_expect(actors[0].argument == 0 && actors[1].argument == 0);
    cr_expect_str_eq(said(), "tscap: Did it to process R and 1 subprocess: 5 functions decorated\n");
}

/* ---- nothing to do ---- */

Test(tree_order, who_has_inherited_it_is_not_bothered)
{
    actors_begin_stopped(3);
    actors_tell(1, "w");  /* as last begun; it does not run */
    actors_tell(2, "umw"); /* it does */
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1100");
    cr_expect_str_eq(said(), "tscap: Did it to process R and 2 subprocesses (1 of them already): 5 functions decorated\n");
}

/* One that records, but does not hand it on, is told. */
Test(tree_order, recording_alone_is_not_enough)
{
    actors_begin(2);
    actors_tell(0, "msl");
    actors_tell(1, "ml");
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1100");
    cr_expect_str_eq(said(), "tscap: Did it to process R and 1 subprocess: 5 functions decorated\n");
}

Test(tree_order, who_does_not_record_is_not_stopped)
{
    actors_begin(3);
    actors_tell(0, "ml");
    actors_tell(1, "msl");
    actors_tell(2, "ml");
    cr_expect_eq(order(CONTROL_STOP), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1010");
    cr_expect_str_eq(said(), "tscap: Did it to process R and 2 subprocesses (1 of them already): 5 functions decorated\n");
}

Test(tree_order, where_all_was_so_it_says_so)
{
    actors_begin_stopped(2);
    cr_expect_eq(order(CONTROL_STOP), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1000", "the root is always asked");
    cr_expect_str_eq(said(), "tscap: process R was so; the same with 1 subprocess\n");
}

Test(tree_order, where_it_was_so_alone)
{
    actors_begin_stopped(1);
    cr_expect_eq(order(CONTROL_STOP), EXIT_OK);
    cr_expect_str_eq(said(), "tscap: process R was so\n");
}

/* ---- born meanwhile ---- */

Test(tree_order, a_child_that_is_made_meanwhile_is_told)
{
    actors[1].wakes = 2;
    actors[2].parent = 1;
    actors_begin(3);
    actors_tell(0, "msl");
    actors_tell(1, "msl");
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1110");
    cr_expect_str_eq(said(), "tscap: Did it to process R and 2 subprocesses: 5 functions decorated\n");
}

/* One that has a segment, but does not listen yet. */
Test(tree_order, who_is_deaf_is_told_when_it_listens)
{
    actors[2].parent = 1; /* told after it */
    actors[2].wakes = 1;
    actors_begin(3);
    actors_tell(0, "msl");
    actors_tell(1, "ms");
    actors_tell(2, "msl");
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1110");
    cr_expect_str_eq(said(), "tscap: Did it to process R and 2 subprocesses: 5 functions decorated\n");
}

/* ---- what fails ---- */

Test(tree_order, who_never_listens_is_said)
{
    actors_begin_stopped(2);
    cr_assert_eq(unlink(actor_file(1, "sock", 0)), 0);
    cr_expect_eq(order(CONTROL_START), EXIT_FAILED);
    cr_expect_str_eq(actors_told(4), "1000");
    cr_expect_str_eq(said(), "tscap: cannot start A\n");
}

Test(tree_order, a_deaf_root_is_not_waited_for)
{
    actors[1].wakes = 0; /* then it would listen */
    actors_begin(2);
    actors_tell(0, "ms");
    actors_tell(1, "msl");
    cr_expect_eq(order(CONTROL_START), EXIT_FAILED);
    cr_expect_str_eq(actors_told(4), "0100", "the others are told all the same");
    cr_expect_str_eq(said(), "tscap: cannot start R\n");
}

Test(tree_order, the_first_failure_is_the_exit_code)
{
    actors[1].says = (struct control_reply){.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .result = CONTROL_UNKNOWN};
    actors[2].says = (struct control_reply){.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .result = CONTROL_FAILED, .text = "no"};
    actors_begin_stopped(4);
    bool first = actors[1].pid < actors[2].pid; /* siblings are told in order of their numbers */
    cr_expect_eq(order(CONTROL_START), first ? EXIT_UNSUPPORTED : EXIT_FAILED);
    cr_expect_str_eq(actors_told(4), "1111", "the others are told all the same");
    cr_expect_str_eq(said(), first ? "tscap: cannot start A\n" : "tscap: cannot start B\n");
}

Test(tree_order, what_is_no_answer_is_none)
{
    actors[1].says = (struct control_reply){.magic = CONTROL_MAGIC, .version = CONTROL_VERSION + 1};
    actors_begin_stopped(2);
    cr_expect_eq(order(CONTROL_START), EXIT_UNSUPPORTED);
}

/* ---- who has ended ---- */

Test(tree_order, a_reset_takes_away_what_the_ended_left)
{
    actors_begin_stopped(4);
    actor_end(1);
    actor_end(2);
    cr_assert(actor_has_file(1, "tscap") && actor_has_file(1, "sock"));
    cr_expect_eq(order(CONTROL_RESET), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1001", "a child of one that has ended is told");
    for (int i = 0; i < 4; i++) {
        bool ended = i == 1 || i == 2;
        cr_expect_eq(actor_has_file(i, "tscap"), !ended, "%d", i);
        cr_expect_eq(actor_has_file(i, "sock"), !ended, "%d", i);
    }
    cr_expect_str_eq(said(), "tscap: Did it to process R and 1 subprocess: 5 functions decorated\n");
}

Test(tree_order, other_orders_leave_it)
{
    actors_begin_stopped(2);
    actor_end(1);
    cr_expect_eq(order(CONTROL_START), EXIT_OK);
    cr_expect(actor_has_file(1, "tscap") && actor_has_file(1, "sock"));
    cr_expect_str_eq(actors_told(4), "1000");
    cr_expect_str_eq(said(), "tscap: Did it to process R: 5 functions decorated\n");
}

/* A stranger's process stays as it is, and so does what strangers left. */
Test(tree_order, strangers_are_not_told)
{
    actors[1].parent = ACTOR_NOBODY;
    actors[2].parent = ACTOR_NOBODY;
    actors[3].parent = 0;
    actors_begin_stopped(4);
    actor_end(2);
    cr_expect_eq(order(CONTROL_RESET), EXIT_OK);
    cr_expect_str_eq(actors_told(4), "1001");
    cr_expect(actor_has_file(2, "tscap"));
}
