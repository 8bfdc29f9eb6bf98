#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "lifeline.h"
#include "support.h"

#define NAME "7-9.life"

static int dirfd, held;

static void init(void)
{
    own_directory_make();
    dirfd = open(own_directory(), O_RDONLY | O_DIRECTORY);
    held = lifeline_make(dirfd, NAME);
    cr_assert_geq(held, 0);
}

TestSuite(lifeline, .init = init, .fini = own_directory_remove);

static short events_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    cr_assert_geq(poll(&p, 1, 0), 0);
    return p.revents;
}

Test(lifeline, tells_all_of_its_readers_that_its_holder_was_killed)
{
    int a = lifeline_open(own_directory(), 7, 9), b = lifeline_open(own_directory(), 7, 9);
    cr_assert(a >= 0 && b >= 0);
    cr_expect_eq(events_of(a), 0);
    close(held);
    cr_expect_eq(events_of(a), POLLHUP);
    cr_expect_eq(events_of(b), POLLHUP);
}

Test(lifeline, that_is_let_go_is_another_end)
{
    int a = lifeline_open(own_directory(), 7, 9), b = lifeline_open(own_directory(), 7, 9);
    lifeline_let_go(held);
    close(held);
    cr_expect_eq(events_of(a), POLLIN | POLLHUP);
    cr_expect_eq(events_of(b), POLLIN | POLLHUP);
}

Test(lifeline, is_made_once_and_is_a_fifo)
{
    cr_expect_eq(lifeline_make(dirfd, NAME), -EEXIST);
    cr_expect_eq(lifeline_open(own_directory(), 8, 9), -ENOENT);
    unlinkat(dirfd, NAME, 0);
    close(openat(dirfd, NAME, O_RDWR | O_CREAT, 0600));
    cr_expect_eq(lifeline_open(own_directory(), 7, 9), -EPERM);
    unlinkat(dirfd, NAME, 0);
    symlinkat("elsewhere", dirfd, NAME);
    cr_expect_eq(lifeline_open(own_directory(), 7, 9), -ELOOP);
}
