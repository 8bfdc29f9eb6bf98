/* Files that are not what they seem. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "../support/segments.h"
#include "support.h"
#include "view.h"

static struct test_segment s;
static int dirfd;

static void begin(void)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    cr_assert_eq(segment_begin(&s, 8 << 20, &o), 0);
    open_lane(&s, "main"); /* so that there is more than the header's page */
    dirfd = own_directory_fd();
}
static void end(void)
{
    segment_end(&s);
    own_directory_remove();
}
TestSuite(view, .init = begin, .fini = end);

static int opened_as(const char *name, long owner)
{
    struct view v;
    int r = view_open(&v, dirfd, name, owner);
    if (r == 0)
        view_close(&v);
    return r;
}

static void make_file(const char *name, const void *bytes, size_t size)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

Test(view, only_regular_files_are_opened)
{
    mkdirat(dirfd, "directory", 0700);
    mkfifoat(dirfd, "fifo", 0600);
    cr_assert_eq(symlinkat(s.segment.name, dirfd, "link"), 0);
    cr_expect_eq(opened_as("nothing", -1), -ENOENT);
    cr_expect_eq(opened_as("directory", -1), -EPERM);
    cr_expect_eq(opened_as("fifo", -1), -EPERM);
    cr_expect_eq(opened_as("link", -1), -EPERM);
    cr_expect_eq(opened_as(s.segment.name, -1), 0);
}

Test(view, only_the_owners_file_is_opened)
{
    cr_expect_eq(opened_as(s.segment.name, geteuid()), 0);
    cr_expect_eq(opened_as(s.segment.name, SOMEBODY_ELSE), -EPERM);
}

Test(view, files_too_short_for_a_header)
{
    for (size_t size = 0; size < SEGMENT_PAGE; size += 1 + size / 2) {
        make_file("short", s.segment.base, size);
        cr_expect_eq(opened_as("short", -1), -EBADMSG, "%zu bytes", size);
    }
    make_file("whole", s.segment.base, SEGMENT_PAGE);
    cr_expect_eq(opened_as("whole", -1), 0);
}

static int opened_with(void (*change)(struct segment_header *))
{
    static union {
        struct segment_header header;
        char page[2 * SEGMENT_PAGE];
    } file;
    memcpy(&file, s.segment.base, sizeof file);
    change(&file.header);
    make_file("changed", &file, sizeof file);
    return opened_as("changed", -1);
}

static void magic(struct segment_header *h) { h->magic++; }
static void another_abi(struct segment_header *h) { h->abi++; }
static void page_size(struct segment_header *h) { h->page_size = 65536; }
static void header_bytes(struct segment_header *h) { h->header_bytes--; }
static void lane_bytes(struct segment_header *h) { h->lane_bytes *= 2; }
static void no_capacity(struct segment_header *h) { h->capacity = 0; }
static void odd_capacity(struct segment_header *h) { h->capacity++; }
static void vast_capacity(struct segment_header *h) { h->capacity = 1ull << 62; }
static void capacity_below_size(struct segment_header *h) { h->capacity = SEGMENT_PAGE; }
static void clock_source(struct segment_header *h) { h->clock_source = 77; }
static void most_capacity(struct segment_header *h) { h->capacity = SEGMENT_MAX_BYTES; }
static void endless_names(struct segment_header *h)
{
    memset(h->boot_id, 0x1b, sizeof h->boot_id);
    memset(h->python, 'p', sizeof h->python);
}

Test(view, headers_that_lie_are_refused)
{
    static void (*const bad[])(struct segment_header *) = {
        magic, page_size, header_bytes, lane_bytes, no_capacity, odd_capacity, vast_capacity, capacity_below_size, clock_source};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(opened_with(bad[i]), -EBADMSG, "change %zu", i);
    cr_expect_eq(opened_with(another_abi), -EPROTONOSUPPORT);
    cr_expect_eq(opened_with(most_capacity), 0);
    cr_expect_eq(opened_with(endless_names), 0);
}

Test(view, texts_of_the_header_are_fit_for_a_terminal)
{
    struct view v;
    cr_assert_eq(opened_with(endless_names), 0);
    cr_assert_eq(view_open(&v, dirfd, "changed", -1), 0);
    cr_expect_eq(strlen(v.identity.boot_id), sizeof v.identity.boot_id - 1);
    cr_expect_eq(v.identity.boot_id[0], '?');
    cr_expect_eq(strlen(v.identity.python), sizeof v.identity.python - 1);
    view_close(&v);
}

static bool version_of(const char *name, char version[VIEW_VERSION])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    return view_version(path, version);
}

static void odd_version(struct segment_header *h)
{
    h->abi = 1;
    memset(h->version, '\033', sizeof h->version);
}

Test(view, whoever_wrote_it_is_known_in_any_abi)
{
    char version[VIEW_VERSION];
    cr_expect_eq(opened_with(another_abi), -EPROTONOSUPPORT);
    cr_expect(version_of("changed", version));
    cr_expect_str_eq(version, "test");
    cr_expect_eq(opened_with(odd_version), -EPROTONOSUPPORT);
    cr_expect(version_of("changed", version));
    cr_expect_eq(strlen(version), sizeof version - 1);
    cr_expect_null(strchr(version, '\033'));
    cr_expect_eq(opened_with(magic), -EBADMSG);
    cr_expect_not(version_of("changed", version));
    cr_expect_not(version_of("nothing", version));
}
