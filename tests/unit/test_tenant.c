#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../support/segments.h"
#include "control.h"
#include "process.h"
#include "rundir.h"
#include "support.h"
#include "tenant.h"

static struct tenant here(void)
{
    struct tenant t = {.dirfd = rundir_open(geteuid(), true), .pid = getpid()};
    cr_assert_geq(t.dirfd, 0);
    cr_assert_eq(process_start_time(t.pid, &t.start_time), 0);
    return t;
}

/* Nobody has this number and this start time. */
static struct tenant nobody(void)
{
    struct tenant t = here();
    t.start_time++;
    return t;
}

static void make_file(const struct tenant *t, const char *name, const void *data, size_t size)
{
    int fd = openat(t->dirfd, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void make_segment(const struct tenant *t, struct segment_header *h)
{
    char name[64];
    *h = (struct segment_header){.magic = SEGMENT_MAGIC, .abi = SEGMENT_ABI, .header_bytes = sizeof *h, .pid = (uint32_t)t->pid, .start_time = t->start_time, .capacity = 1 << 20};
    h->address = 4096; /* nothing can lie there */
    process_boot_id(h->boot_id, sizeof h->boot_id);
    rundir_segment_name(t->pid, t->start_time, name, sizeof name);
    make_file(t, name, h, sizeof *h);
}

static bool is_there(const struct tenant *t, bool socket)
{
    char name[64];
    struct stat st;
    (socket ? rundir_socket_name : rundir_segment_name)(t->pid, t->start_time, name, sizeof name);
    return fstatat(t->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

TestSuite(tenant, .init = own_directory_make, .fini = own_directory_remove);

Test(tenant, its_header)
{
    struct segment_header made, read;
    struct tenant t = nobody();
    cr_expect_not(tenant_header(&t, &read), "there is none");
    make_segment(&t, &made);
    cr_assert(tenant_header(&t, &read));
    cr_expect_eq(read.capacity, made.capacity);
    made.abi++;
    char name[64];
    rundir_segment_name(t.pid, t.start_time, name, sizeof name);
    make_file(&t, name, &made, sizeof made);
    cr_expect_not(tenant_header(&t, &read), "another ABI");
    make_file(&t, name, &made, 100);
    cr_expect_not(tenant_header(&t, &read), "half of one");
}

Test(tenant, who_runs_may_live)
{
    struct tenant t = here(), gone = nobody();
    cr_expect(tenant_may_live(&t), "it runs, and no segment says otherwise");
    cr_expect_not(tenant_may_live(&gone));
}

/* The segment of the program before says where it was mapped, and nothing is there. */
Test(tenant, another_program_in_the_same_process)
{
    struct segment_header h;
    struct tenant t = here();
    make_segment(&t, &h);
    cr_expect_eq(tenant_may_live(&t), !tenant_is_replaced(&h, getpid()));
    h.address = 0;
    cr_expect(tenant_is_replaced(&h, getpid()), "no mapping at all");
    h.boot_id[0] = '?'; /* of another boot: nobody knows */
    char name[64];
    rundir_segment_name(t.pid, t.start_time, name, sizeof name);
    make_file(&t, name, &h, sizeof h);
    cr_expect(tenant_may_live(&t));
}

/* As one in a container that shares the directory. */
Test(tenant, who_answers_lives)
{
    char name[64];
    struct tenant t = nobody();
    rundir_socket_name(t.pid, t.start_time, name, sizeof name);
    int fd = control_listen(t.dirfd, name);
    cr_assert_geq(fd, 0);
    cr_expect(tenant_may_live(&t), "it listens, though it does not answer in time");
    close(fd);
    cr_expect_not(tenant_may_live(&t), "a socket that nobody listens at");
}

static void note_told(void *context, const char *name, int error)
{
    char *text = context;
    cr_expect_eq(error, 0);
    strcat(strcat(text, strrchr(name, '.')), " ");
}

Test(tenant, both_files_go)
{
    struct segment_header h;
    char name[64], told[64] = "";
    struct tenant t = nobody();
    make_segment(&t, &h);
    rundir_socket_name(t.pid, t.start_time, name, sizeof name);
    make_file(&t, name, "", 0);
    cr_expect_eq(tenant_remove(&t, note_told, told), 0);
    cr_expect_str_eq(told, ".tscap .sock ");
    cr_expect(!is_there(&t, false) && !is_there(&t, true));
    cr_expect_eq(tenant_remove(&t, note_told, told), 0, "what is gone is gone");
    cr_expect_str_eq(told, ".tscap .sock ");
    make_file(&t, name, "", 0);
    cr_expect_eq(tenant_remove(&t, NULL, NULL), 0, "a socket alone");
    cr_expect_not(is_there(&t, true));
}

Test(tenant, what_cannot_be_removed_stays_and_the_other_goes)
{
    char name[64];
    struct tenant t = nobody();
    rundir_segment_name(t.pid, t.start_time, name, sizeof name);
    cr_assert_eq(mkdirat(t.dirfd, name, 0700), 0);
    rundir_socket_name(t.pid, t.start_time, name, sizeof name);
    make_file(&t, name, "", 0);
    cr_expect_eq(tenant_remove(&t, NULL, NULL), -EISDIR);
    cr_expect(is_there(&t, false));
    cr_expect_not(is_there(&t, true));
}
