#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "process.h"

#include "../support/segments.h"
#include "support.h"

enum { MIB = 1 << 20, PAGES_OF_LEAST = MIB / SEGMENT_PAGE, RINGS = 2048 };

static struct segment segment;

TestSuite(segment_file, .init = own_directory_make, .fini = own_directory_remove);

static int create(struct segment *s, uint64_t capacity)
{
    struct segment_options o = {
        .capacity = capacity, .ring_slots = RINGS, .lineage = {{.pid = 77, .start_time = 7}, {.pid = 7}}, .python = "3.11.7", .version = "1.2"};
    clock_choose();
    return segment_create(s, &o);
}

static void begin(uint64_t capacity) { cr_assert_eq(create(&segment, capacity), 0); }

/* Names in a directory but "." and ".."; what /proc says of itself goes for open descriptors. */
static int entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static const char *file_path(void)
{
    static char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", own_directory(), segment.name);
    return path;
}

static uint64_t refused(void) { return segment.header->refused_growth; }

/* Single pages until one is refused. */
static uint32_t take_all(void)
{
    uint32_t n = 0;
    for (uint32_t page; (page = segment_pages(&segment, 1)); n++)
        memset(segment_page_at(segment.base, page), 0xff, SEGMENT_PAGE); /* each can be written */
    return n;
}

/* ---- making ---- */

Test(segment_file, has_the_name_and_the_rights_it_should)
{
    struct stat s;
    char expected[64];
    uint64_t start_time;
    umask(0);
    begin(4 * MIB);
    cr_assert_eq(process_start_time(getpid(), &start_time), 0);
    rundir_segment_name(getpid(), start_time, expected, sizeof expected);
    cr_expect_str_eq(segment.name, expected);
    cr_expect_str_eq(segment.directory, own_directory());
    cr_assert_eq(lstat(file_path(), &s), 0);
    cr_expect(S_ISREG(s.st_mode));
    cr_expect_eq(s.st_mode & 07777, 0600);
    cr_expect_eq(s.st_uid, geteuid());
    cr_expect_eq(s.st_nlink, 1);
    cr_expect_eq(s.st_size, SEGMENT_PAGE);
    cr_expect_eq(entries(own_directory()), 1);
}

static void check_identity(const struct segment_header *h)
{
    char boot_id[sizeof h->boot_id];
    process_boot_id(boot_id, sizeof boot_id);
    cr_expect_eq(h->magic, SEGMENT_MAGIC);
    cr_expect_eq(h->abi, SEGMENT_ABI);
    cr_expect_eq(h->page_size, SEGMENT_PAGE);
    cr_expect_eq(h->header_bytes, sizeof *h);
    cr_expect_eq(h->lane_bytes, sizeof(struct lane));
    cr_expect_eq(h->pid, getpid());
    cr_expect_eq(h->parent_pid, 77);
    cr_expect_eq(h->lineage[0].start_time, 7);
    cr_expect_eq(h->lineage[1].pid, 7);
    cr_expect_eq(h->start_time, segment.start_time);
    cr_expect_eq(h->capacity, segment.capacity);
    cr_expect_eq(h->default_ring_slots, RINGS);
    cr_expect_str_eq(h->boot_id, boot_id);
    cr_expect_str_eq(h->python, "3.11.7");
    cr_expect_str_eq(h->version, "1.2");
}

Test(segment_file, header)
{
    struct segment_header h;
    uint64_t before = clock_ns(CLOCK_MONOTONIC);
    begin(4 * MIB);
    uint64_t after = clock_ns(CLOCK_MONOTONIC);
    int fd = open(file_path(), O_RDONLY);
    cr_assert_eq(pread(fd, &h, sizeof h, 0), sizeof h);
    close(fd);
    check_identity(&h);
    cr_expect_eq(h.clock_source, clock_source_now);
    cr_expect(before <= h.anchor_monotonic && h.anchor_monotonic <= after);
    cr_expect_eq(h.pages_used, 1);
    cr_expect(!h.lane_first && !h.site_first && !h.site_count && !h.session_flags && !h.resets && !h.refused_growth);
    cr_expect_eq(memcmp(&h, segment.header, sizeof h), 0);
}

Test(segment_file, long_versions_are_cut)
{
    struct segment_options o = {.capacity = MIB, .python = "a version of Python that is longer than the header has room for",
                                .version = "and one of the extension"};
    cr_assert_eq(segment_create(&segment, &o), 0);
    cr_expect_eq(strlen(segment.header->python), sizeof segment.header->python - 1);
    cr_expect_eq(strlen(segment.header->version), sizeof segment.header->version - 1);
}

static uint64_t capacity_for(uint64_t wanted)
{
    begin(wanted);
    cr_expect_eq(segment.header->capacity, segment.capacity);
    segment_unlink(&segment);
    return segment.capacity;
}

Test(segment_file, capacity_is_whole_pages_between_the_limits)
{
    cr_expect_eq(capacity_for(0), MIB);
    cr_expect_eq(capacity_for(MIB), MIB);
    cr_expect_eq(capacity_for(MIB + SEGMENT_PAGE - 1), MIB);
    cr_expect_eq(capacity_for(MIB + SEGMENT_PAGE), MIB + SEGMENT_PAGE);
    cr_expect_leq(capacity_for(UINT64_MAX), SEGMENT_MAX_BYTES);
}

/* ---- being seen ---- */

struct watcher {
    _Atomic bool stop;
    uint64_t seen, half_made, misnamed;
};

static bool is_whole(const char *name)
{
    struct view v;
    int dirfd = rundir_open(geteuid(), false), r = view_open(&v, dirfd, name, geteuid());
    if (r == 0)
        view_close(&v);
    close(dirfd);
    return r == 0 || r == -ENOENT; /* it may have been taken away since */
}

/* Looks at all names there are, as fast as it can. */
static void *watch(void *context)
{
    struct watcher *w = context;
    while (!w->stop) {
        DIR *dir = opendir(own_directory());
        for (struct dirent *e; (e = readdir(dir));) {
            pid_t pid;
            uint64_t start_time;
            if (e->d_name[0] == '.')
                continue;
            w->seen++;
            w->misnamed += !rundir_parse_name(e->d_name, &pid, &start_time);
            w->half_made += !is_whole(e->d_name);
        }
        closedir(dir);
    }
    return NULL;
}

static void check_nobody_sees_half_a_file(void)
{
    static struct watcher w;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, watch, &w), 0);
    for (int i = 0; i < 300 || (w.seen == 0 && i < 100000); i++) {
        begin(MIB);
        sched_yield();
        segment_unlink(&segment);
        munmap(segment.base, segment.capacity);
    }
    w.stop = true;
    pthread_join(thread, NULL);
    cr_expect_gt(w.seen, 0);
    cr_expect_eq(w.misnamed, 0);
    cr_expect_eq(w.half_made, 0, "%llu of %llu", (unsigned long long)w.half_made, (unsigned long long)w.seen);
}

Test(segment_file, nobody_sees_it_half_made) { check_nobody_sees_half_a_file(); }

/* As on a file system that has no files without a name. */
static void deny_unnamed_files(void)
{
    if (!refuse_syscall(SYS_openat, 2, O_TMPFILE, EOPNOTSUPP))
        cr_skip("system calls cannot be refused here");
}

Test(segment_file, nobody_sees_it_half_made_without_unnamed_files)
{
    deny_unnamed_files();
    check_nobody_sees_half_a_file();
}

Test(segment_file, what_an_earlier_attempt_left_is_replaced)
{
    char hidden[80];
    int dirfd = own_directory_fd();
    deny_unnamed_files();
    begin(MIB);
    snprintf(hidden, sizeof hidden, ".%s", segment.name);
    touch(dirfd, hidden);
    close(dirfd);
    begin(MIB);
    cr_expect_eq(entries(own_directory()), 1);
    cr_expect(is_whole(segment.name));
}

Test(segment_file, a_second_one_of_the_same_process_takes_its_place)
{
    struct segment first;
    begin(MIB);
    first = segment;
    begin(2 * MIB);
    cr_expect_eq(entries(own_directory()), 1);
    cr_expect_neq(first.inode, segment.inode);
    cr_expect_eq(segment_pages(&first, 1), 0, "the first has no name any more");
    segment_unlink(&first);
    cr_expect_eq(entries(own_directory()), 1, "and takes none away");
    cr_expect_neq(segment_pages(&segment, 1), 0);
}

/* ---- where it cannot be made ---- */

Test(segment_file, a_directory_that_is_not_private)
{
    cr_assert_eq(chmod(own_directory(), 0750), 0);
    cr_expect_eq(create(&segment, MIB), -EPERM);
    cr_expect_null(segment.base);
    cr_expect_eq(entries(own_directory()), 0);
}

Test(segment_file, a_directory_that_cannot_be)
{
    setenv("TSCAP_DIR", "/proc/no/such", 1);
    cr_expect_eq(create(&segment, MIB), -ENOENT);
    cr_expect_null(segment.base);
}

Test(segment_file, a_name_that_cannot_be_given)
{
    if (!refuse_syscall(SYS_linkat, 0, 0, EXDEV))
        cr_skip("system calls cannot be refused here");
    cr_expect_eq(create(&segment, MIB), -EXDEV);
    cr_expect_null(segment.base, "nothing is mapped");
    cr_expect_eq(entries(own_directory()), 0);
}

static int create_without_file_size(void *unused)
{
    (void)unused;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){SEGMENT_PAGE - 1, SEGMENT_PAGE - 1});
    return -create(&segment, MIB);
}

Test(segment_file, no_room_for_the_first_page)
{
    cr_expect_eq(run_in_child(create_without_file_size, NULL), EFBIG);
    cr_expect_eq(entries(own_directory()), 0);
    deny_unnamed_files();
    cr_expect_eq(run_in_child(create_without_file_size, NULL), EFBIG);
    cr_expect_eq(entries(own_directory()), 0, "nothing is left behind, not even with a name of its own");
}

/* Leaves room for half of it only. */
static int create_in_little_address_space(void *capacity)
{
    uint64_t wanted = *(uint64_t *)capacity;
    unsigned long pages = 0;
    struct view v;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu", &pages) != 1)
        return 1;
    fclose(f);
    rlim_t limit = pages * (rlim_t)sysconf(_SC_PAGESIZE) + wanted * 3 / 4;
    setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
    if (create(&segment, wanted) != 0 || segment.capacity >= wanted)
        return 2;
    return -view_of_memory(&v, segment.base, SEGMENT_PAGE);
}

Test(segment_file, little_address_space_gives_a_smaller_one_that_readers_take)
{
    uint64_t even = 64 * MIB, odd = 64 * MIB + SEGMENT_PAGE;
    cr_expect_eq(run_in_child(create_in_little_address_space, &even), 0);
    cr_expect_eq(run_in_child(create_in_little_address_space, &odd), 0);
}

/* ---- growing ---- */

static bool is_zero(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

Test(segment_file, pages_are_zeroed_and_in_a_row)
{
    uint32_t next = 1;
    struct stat s;
    begin(4 * MIB);
    for (uint32_t count = 1; count < 20; count++) {
        cr_assert_eq(segment_pages(&segment, count), next);
        unsigned char *p = segment_page_at(segment.base, next);
        cr_assert(is_zero(p, count * SEGMENT_PAGE));
        memset(p, 0xff, count * SEGMENT_PAGE);
        next += count;
        cr_assert_eq(segment.header->pages_used, next);
        cr_assert_eq(stat(file_path(), &s), 0);
        cr_assert_eq(s.st_size, (off_t)next * SEGMENT_PAGE);
    }
    cr_expect_eq(refused(), 0);
}

Test(segment_file, not_beyond_its_capacity)
{
    begin(MIB);
    cr_expect_eq(segment_pages(&segment, PAGES_OF_LEAST), 0, "one too many");
    cr_expect_eq(refused(), 1);
    cr_expect_eq(take_all(), PAGES_OF_LEAST - 1);
    cr_expect_eq(refused(), 2);
    cr_expect_eq(segment.header->pages_used, PAGES_OF_LEAST);
    cr_expect_eq(segment_pages(&segment, 1), 0);
    cr_expect_eq(refused(), 3);
}

struct taker {
    pthread_t thread;
    _Atomic uint32_t *owners; /* of each page */
};

static void *take_in_thread(void *context)
{
    const struct taker *t = context;
    for (int refusals = 0; refusals < 100;) {
        uint32_t page = segment_pages(&segment, 2);
        refusals += !page;
        if (page)
            for (uint32_t i = page; i < page + 2; i++)
                atomic_fetch_add(&t->owners[i], 1);
    }
    return NULL;
}

Test(segment_file, threads_get_pages_of_their_own)
{
    enum { THREADS = 4 };
    static _Atomic uint32_t owners[PAGES_OF_LEAST];
    struct taker t[THREADS];
    uint32_t taken = 0;
    begin(MIB);
    for (int i = 0; i < THREADS; i++) {
        t[i].owners = owners;
        cr_assert_eq(pthread_create(&t[i].thread, NULL, take_in_thread, &t[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i].thread, NULL);
    for (uint32_t i = 0; i < PAGES_OF_LEAST; i++) {
        cr_expect_leq(owners[i], 1, "page %u belongs to %u", i, owners[i]);
        taken += owners[i];
    }
    cr_expect_eq(owners[0], 0);
    cr_expect_gt(taken, PAGES_OF_LEAST / 2);
    cr_expect_eq(refused(), 100 * THREADS);
}

static void *ask_for_too_many(void *unused)
{
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(segment_pages(&segment, 2), 0);
    return unused;
}

/* However many ask at once, what is refused leaves no trace: pages_used is what there is. */
Test(segment_file, what_is_refused_is_not_counted_as_used)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    uint32_t most = 0;
    begin(MIB);
    cr_assert_neq(segment_pages(&segment, PAGES_OF_LEAST - 2), 0);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, ask_for_too_many, NULL), 0);
    while (refused() < 2000 * THREADS) {
        uint32_t used = segment.header->pages_used;
        most = used > most ? used : most;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    cr_expect_leq(most, PAGES_OF_LEAST - 1); /* none seen: they were done before we had a CPU */
    cr_expect_eq(segment.header->pages_used, PAGES_OF_LEAST - 1);
    cr_expect_eq(segment_pages(&segment, 1), PAGES_OF_LEAST - 1, "the last one is still to be had");
}

static int grow_to_the_file_size(void *pages)
{
    rlim_t limit = *(uint32_t *)pages * SEGMENT_PAGE + 100;
    if (create(&segment, MIB) != 0)
        return 1;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
    return take_all() == *(uint32_t *)pages - 1 && refused() == 1 ? 0 : 2;
}

Test(segment_file, the_file_size_limit_refuses_and_does_not_kill)
{
    uint32_t pages = 5;
    cr_expect_eq(run_in_child(grow_to_the_file_size, &pages), 0);
}

/* ---- limits that take a mount of our own ---- */

static void mount_or_skip(const char *path, const char *options)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", path, "tmpfs", 0, options) != 0)
        cr_skip("nothing can be mounted: %s", strerror(errno));
}

static void fill_file_system(void)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/filler", own_directory());
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, path, SEGMENT_PAGE / 4) > 0)
        ;
    close(fd);
}

Test(segment_file, a_full_file_system_refuses_and_does_not_kill)
{
    enum { PAGES = 16 };
    mount_or_skip(own_directory(), "size=64k,mode=0700");
    begin(MIB);
    cr_expect_eq(segment_pages(&segment, PAGES), 0, "one too many");
    uint32_t taken = take_all();
    cr_expect(taken > 0 && taken < PAGES, "%u", taken);
    cr_expect_eq(refused(), 2);
    cr_expect_eq(segment.header->pages_used, taken + 1, "the numbers of refused pages are free again");
    segment_unlink(&segment);
    munmap(segment.base, segment.capacity);
    fill_file_system();
    cr_expect_eq(create(&segment, MIB), -ENOSPC);
    cr_expect_eq(entries(own_directory()), 1, "only what filled it");
    umount2(own_directory(), MNT_DETACH); /* so that the directory can be removed */
}

static void write_limit(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

/* One that says so for both hierarchies, at their roots. */
static void set_memory_limit(const char *text)
{
    mkdir("/sys/fs/cgroup/memory", 0755);
    write_limit("/sys/fs/cgroup/memory.max", text);
    write_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes", text);
}

Test(segment_file, capacity_is_an_eighth_of_the_memory_limit)
{
    if (access("/proc/self/cgroup", R_OK) != 0 || access("/sys/fs/cgroup", F_OK) != 0)
        cr_skip("no control groups here");
    mount_or_skip("/sys/fs/cgroup", "size=64k");
    set_memory_limit("max\n");
    cr_expect_eq(capacity_for(32 * MIB), 32 * MIB);
    set_memory_limit("134217728\n");
    cr_expect_eq(capacity_for(32 * MIB), 16 * MIB);
    cr_expect_eq(capacity_for(8 * MIB), 8 * MIB);
    set_memory_limit("4096\n");
    cr_expect_eq(capacity_for(32 * MIB), MIB);
}

/* ---- taking it away ---- */

Test(segment_file, after_unlink_it_grows_no_more)
{
    begin(MIB);
    uint32_t page = segment_pages(&segment, 1);
    segment_unlink(&segment);
    cr_expect_eq(entries(own_directory()), 0);
    cr_expect_eq(segment_pages(&segment, 1), 0);
    cr_expect_eq(refused(), 1);
    memset(segment_page_at(segment.base, page), 1, SEGMENT_PAGE); /* what there is stays */
    segment_unlink(&segment);
}

static uint32_t ask_where_none_may_grow(uint32_t count)
{
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){SEGMENT_PAGE, before.rlim_max});
    uint32_t page = segment_pages(&segment, count);
    setrlimit(RLIMIT_FSIZE, &before);
    return page;
}

/* Who asks at each call is not to pay for it at each call; a machine that stops us in between makes us try again. */
Test(segment_file, what_was_refused_is_not_asked_for_at_once)
{
    uint32_t page = 1, tries = 0;
    begin(64 * MIB);
    while (page && tries++ < 100) {
        cr_assert_eq(ask_where_none_may_grow(4), 0);
        page = segment_pages(&segment, 4);
    }
    cr_expect_eq(page, 0);
    cr_expect_geq(refused(), 2, "each time is counted");
    cr_expect_neq(segment_pages(&segment, 1), 0, "fewer may be had");
    while (!segment_pages(&segment, 4)) /* and as many again, soon */
        ;
    segment_unlink(&segment);
}

Test(segment_file, another_file_of_its_name_is_left_alone)
{
    struct stat s;
    int dirfd = own_directory_fd();
    begin(MIB);
    cr_assert_eq(unlink(file_path()), 0);
    touch(dirfd, segment.name);
    close(dirfd);
    cr_expect_eq(segment_pages(&segment, 1), 0);
    cr_expect_eq(refused(), 1);
    segment_unlink(&segment);
    cr_assert_eq(lstat(file_path(), &s), 0, "it is still there");
    cr_expect_eq(s.st_size, 0, "and has not grown");
}

Test(segment_file, a_link_in_its_place_is_not_followed)
{
    struct stat s;
    begin(MIB);
    char moved[PATH_MAX + 64];
    snprintf(moved, sizeof moved, "%s/moved", own_directory());
    cr_assert_eq(rename(file_path(), moved), 0);
    cr_assert_eq(symlink("moved", file_path()), 0);
    cr_expect_eq(segment_pages(&segment, 1), 0);
    segment_unlink(&segment);
    cr_expect_eq(lstat(file_path(), &s), 0);
    cr_expect_eq(entries(own_directory()), 2);
}

Test(segment_file, it_is_found_again_from_another_directory)
{
    cr_assert_eq(chdir(own_directory()), 0);
    setenv("TSCAP_DIR", "relative", 1);
    begin(MIB);
    cr_assert_eq(chdir("/"), 0);
    cr_expect_neq(segment_pages(&segment, 1), 0);
    segment_unlink(&segment);
    setenv("TSCAP_DIR", own_directory(), 1);
    cr_expect_eq(entries(segment.directory), 0);
}

/* ---- by one who may not get at its file any more ---- */

static bool lose_the_way(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root, to become somebody else");
    return seteuid(SOMEBODY_ELSE) == 0;
}

static int descriptor(void) { return atomic_load(&segment.kept); }

Test(segment_file, it_grows_without_a_way_to_it)
{
    begin(MIB);
    cr_assert(lose_the_way());
    cr_expect_eq(open(file_path(), O_RDONLY), -1);
    cr_expect_eq(segment_check(&segment), 0);
    cr_expect_eq(take_all(), PAGES_OF_LEAST - 1);
    cr_expect_not(segment_unlink(&segment));
    cr_expect_eq(segment.header->ended, 1);
    cr_expect_eq(descriptor(), -1);
    cr_assert_eq(seteuid(0), 0);
    cr_expect_eq(entries(own_directory()), 1);
    cr_expect(segment_unlink(&segment));
    cr_expect_eq(entries(own_directory()), 0);
}

Test(segment_file, below_another_root_it_grows)
{
    begin(MIB);
    if (geteuid() != 0)
        cr_skip_test("needs root, to change it");
    cr_assert_eq(chroot("/proc"), 0);
    cr_expect_eq(take_all(), PAGES_OF_LEAST - 1);
}

Test(segment_file, a_file_that_was_removed_grows_no_more)
{
    begin(MIB);
    cr_assert_eq(unlink(file_path()), 0);
    cr_expect_eq(segment_check(&segment), -ENOENT);
    cr_expect_eq(segment_pages(&segment, 1), 0);
}

/* The program closed it, and has one of its own by that number. */
Test(segment_file, the_number_of_its_descriptor_is_anothers)
{
    struct stat before, after;
    begin(MIB);
    int number = descriptor(), theirs = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    if (geteuid() == 0)
        cr_assert_eq(dup2(theirs, number), number);
    cr_assert_eq(fstat(theirs, &before), 0);
    cr_expect_neq(segment_pages(&segment, 1), 0, "by its name");
    cr_assert(lose_the_way());
    cr_expect_eq(segment_check(&segment), -EACCES);
    cr_expect_eq(segment_pages(&segment, 1), 0);
    segment_unlink(&segment);
    cr_assert_eq(fstat(number, &after), 0, "it is not closed");
    cr_expect_eq(after.st_ino, before.st_ino);
    cr_expect_eq(after.st_size, 0);
    cr_assert_eq(seteuid(0), 0);
}

/* Root may come to have no way to the file; nobody else does. A directory that this user can reach from outside. */
Test(segment_file, who_is_not_root_keeps_no_descriptor)
{
    char directory[] = "/dev/shm/tscap-unit.XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    setenv("TSCAP_DIR", directory, 1);
    bool changed = geteuid() != 0 || (chown(directory, SOMEBODY_ELSE, (gid_t)-1) == 0 && seteuid(SOMEBODY_ELSE) == 0);
    int before = entries("/proc/self/fd"), r = changed ? create(&segment, MIB) : -EPERM;
    int open_now = entries("/proc/self/fd");
    bool gone = r == 0 && segment_unlink(&segment);
    cr_expect_eq(rmdir(directory) == 0 || (seteuid(0) == 0 && rmdir(directory) == 0), 1);
    cr_assert_eq(r, 0);
    cr_expect(gone);
    cr_expect_eq(descriptor(), -1);
    cr_expect_eq(open_now, before);
}

Test(segment_file, closing_it_leaves_the_file)
{
    int before = entries("/proc/self/fd");
    begin(MIB);
    segment_close(&segment);
    cr_expect_eq(entries("/proc/self/fd"), before);
    cr_expect_eq(entries(own_directory()), 1);
}

Test(segment_file, no_descriptor_stays_open)
{
    int before = entries("/proc/self/fd");
    begin(MIB);
    take_all();
    segment_unlink(&segment);
    segment_pages(&segment, 1);
    cr_expect_eq(entries("/proc/self/fd"), before);
    chmod(own_directory(), 0755);
    cr_expect_eq(create(&segment, MIB), -EPERM);
    cr_expect_eq(entries("/proc/self/fd"), before);
}
