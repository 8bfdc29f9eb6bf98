#include <criterion/criterion.h>

#include <sys/mman.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "clock.h"
#include "process.h"

#include "support.h"

/* ---- other processes ---- */

static int take_name(void *name) { return prctl(PR_SET_NAME, name) == 0 ? 0 : 1; }

static int run_program(void *arguments)
{
    char *const *argv = arguments;
    execv("/bin/sh", argv);
    return 127;
}

/* ---- when it began ---- */

static uint64_t start_time_of(pid_t pid)
{
    uint64_t t = 0;
    cr_expect_eq(process_start_time(pid, &t), 0);
    return t;
}

/* Field 22 of this process, whose name has no blanks. */
static uint64_t own_field_22(void)
{
    unsigned long long t = 0;
    FILE *f = fopen("/proc/self/stat", "r");
    cr_assert_not_null(f);
    for (int field = 1; field < 22; field++)
        cr_assert_eq(fscanf(f, "%*s"), 0);
    cr_assert_eq(fscanf(f, "%llu", &t), 1);
    fclose(f);
    return t;
}

Test(process, start_time_is_field_22)
{
    cr_expect_gt(own_field_22(), 0);
    cr_expect_eq(start_time_of(getpid()), own_field_22());
}

Test(process, a_name_with_blanks_and_brackets_moves_no_field)
{
    static const char *const names[] = {"a b c d", "a) Z 1 1", "((", "))", ") ", "Z"};
    uint64_t before = start_time_of(getpid());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pid_t parent = 0;
        prctl(PR_SET_NAME, names[i]);
        cr_expect_eq(start_time_of(getpid()), before, "named \"%s\"", names[i]);
        cr_expect_eq(process_parent(getpid(), &parent), 0);
        cr_expect_eq(parent, getppid(), "named \"%s\"", names[i]);
    }
}

Test(process, a_child_began_no_earlier)
{
    struct helper h = helper_start(NULL, NULL);
    pid_t parent = 0;
    cr_expect_geq(start_time_of(h.pid), start_time_of(getpid()));
    cr_expect_eq(process_parent(h.pid, &parent), 0);
    cr_expect_eq(parent, getpid());
    helper_end(&h);
}

Test(process, a_zombie_is_gone)
{
    struct helper h = helper_start(NULL, NULL);
    uint64_t t = 5;
    become_zombie(&h);
    cr_expect_eq(process_start_time(h.pid, &t), -ESRCH);
    cr_expect_eq(t, 5);
    helper_reap(&h);
}

Test(process, what_is_not_there_is_gone)
{
    char text[64];
    uint64_t t;
    pid_t parent;
    struct helper h = helper_start(NULL, NULL);
    helper_end(&h);
    cr_expect_eq(process_start_time(h.pid, &t), -ESRCH);
    cr_expect_eq(process_parent(h.pid, &parent), -ESRCH);
    cr_expect_eq(process_command(h.pid, text, sizeof text), -ESRCH);
    cr_expect_eq(process_thread_name(h.pid, h.pid, text, sizeof text), -ESRCH);
    cr_expect_not(process_thread_alive(h.pid, h.pid));
}

/* ---- who it is ---- */

static void check_command(char *const *argv, const char *expected)
{
    char text[256];
    struct helper h = helper_start(run_program, (void *)argv);
    cr_expect_eq(process_command(h.pid, text, sizeof text), 0);
    cr_expect_str_eq(text, expected);
    cr_expect_eq(process_command(h.pid, text, 6), 0);
    cr_expect_eq(strncmp(text, expected, 5), 0);
    cr_expect_eq(strlen(text), 5, "cut to what there is room for: \"%s\"", text);
    helper_end(&h);
}

/* The shell does nothing more, whatever else it was given. */
#define WAITING "kill -STOP $$"

Test(process, command_lines)
{
    check_command((char *[]){"sh", "-c", WAITING, "two words", NULL}, "sh -c " WAITING " two words");
    check_command((char *[]){"sh", "-c", WAITING, "", "", NULL}, "sh -c " WAITING);
}

Test(process, control_characters_in_a_command_line)
{
    check_command((char *[]){"sh", "-c", WAITING, "a\nb\033[31m\177", "\xc2\x9b" "c", "\xff", "\xc3\xa9", NULL},
                  "sh -c " WAITING " a?b?[31m? ??c ? \xc3\xa9");
}

Test(process, without_a_command_line_its_name)
{
    char text[64];
    struct helper h = helper_start(take_name, "two\nlines");
    become_zombie(&h);
    cr_expect_eq(process_command(h.pid, text, sizeof text), 0);
    cr_expect_str_eq(text, "[two]", "comm ends at its first newline");
    helper_reap(&h);
    h = helper_start(take_name, "\033c \xc2\x9b");
    become_zombie(&h);
    cr_expect_eq(process_command(h.pid, text, sizeof text), 0);
    cr_expect_str_eq(text, "[?c ??]");
    helper_reap(&h);
}

Test(process, boot_id)
{
    char id[40], cut[9], line[64] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    cr_assert(f && fgets(line, sizeof line, f));
    fclose(f);
    line[strcspn(line, "\n")] = '\0';
    process_boot_id(id, sizeof id);
    cr_expect_str_eq(id, line);
    process_boot_id(cut, sizeof cut);
    cr_expect_eq(strlen(cut), sizeof cut - 1);
    cr_expect_eq(strncmp(cut, line, sizeof cut - 1), 0);
}

/* ---- threads ---- */

struct thread {
    pthread_t handle;
    pthread_barrier_t named, end;
    const char *name;
    pid_t tid;
};

static void *thread_main(void *context)
{
    struct thread *t = context;
    prctl(PR_SET_NAME, t->name);
    t->tid = (pid_t)syscall(SYS_gettid);
    pthread_barrier_wait(&t->named);
    pthread_barrier_wait(&t->end);
    return NULL;
}

static void thread_begin(struct thread *t, const char *name)
{
    t->name = name;
    pthread_barrier_init(&t->named, NULL, 2);
    pthread_barrier_init(&t->end, NULL, 2);
    cr_assert_eq(pthread_create(&t->handle, NULL, thread_main, t), 0);
    pthread_barrier_wait(&t->named);
}

static void thread_end(struct thread *t)
{
    pthread_barrier_wait(&t->end);
    pthread_join(t->handle, NULL);
}

/* pthread_join() returns a moment before the kernel has done away with the thread. */
static bool thread_goes(pid_t tid)
{
    for (int i = 0; i < 60000 && process_thread_alive(getpid(), tid); i++)
        usleep(1000);
    return !process_thread_alive(getpid(), tid);
}

static void check_thread_name(const char *name, const char *expected)
{
    char text[64];
    struct thread t;
    thread_begin(&t, name);
    cr_expect(process_thread_alive(getpid(), t.tid));
    cr_expect_eq(process_thread_name(getpid(), t.tid, text, sizeof text), 0);
    cr_expect_str_eq(text, expected);
    thread_end(&t);
    cr_expect(thread_goes(t.tid));
    cr_expect_eq(process_thread_name(getpid(), t.tid, text, sizeof text), -ESRCH);
}

Test(process, thread_names)
{
    check_thread_name("worker", "worker");
    check_thread_name("two words", "two words");
    check_thread_name("\033]0;x\007 \xc2\x85", "?]0;x? ??");
    check_thread_name("\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9");
    check_thread_name("", "");
}

Test(process, threads_of_others_are_not_ours)
{
    struct helper h = helper_start(NULL, NULL);
    cr_expect(process_thread_alive(h.pid, h.pid));
    cr_expect_not(process_thread_alive(getpid(), h.pid));
    helper_end(&h);
}

/* ---- mappings ---- */

Test(process, a_mapping_is_there_until_it_is_gone)
{
    enum { BYTES = 3 * 4096 };
    if (access("/proc/self/map_files", F_OK) != 0)
        cr_skip("this kernel does not tell");
    FILE *file = tmpfile();
    cr_assert(file && ftruncate(fileno(file), 4096) == 0);
    void *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    cr_assert_neq(p, MAP_FAILED);
    uint64_t address = (uintptr_t)p;
    cr_expect_not(process_lacks_mapping(getpid(), address, BYTES), "though longer than the file");
    cr_expect(process_lacks_mapping(getpid(), address, BYTES + 4096));
    cr_expect(process_lacks_mapping(getpid(), address + 4096, BYTES - 4096));
    munmap(p, BYTES);
    cr_expect(process_lacks_mapping(getpid(), address, BYTES));
    fclose(file);
}

Test(process, cpu_time_of_a_thread)
{
    uint64_t cpu = 0;
    clockid_t clock;
    struct thread t;
    thread_begin(&t, "one");
    int r = process_thread_cpu(getpid(), t.tid, &cpu);
    cr_assert_eq(pthread_getcpuclockid(t.handle, &clock), 0);
    cr_expect(r < 0 || (cpu > 0 && cpu <= clock_ns(clock)), "%lu", cpu);
    cr_expect(r == 0 || access("/proc/thread-self/schedstat", R_OK) != 0 || r == -ENOTSUP, "%s", strerror(-r));
    thread_end(&t);
    cr_expect(thread_goes(t.tid));
    cr_expect_eq(process_thread_cpu(getpid(), t.tid, &cpu), -ESRCH);
}

Test(process, of_one_that_is_not_there_no_mapping_is_denied) { cr_expect_not(process_lacks_mapping(INT32_MAX, 4096, 4096)); }

/* ---- what a terminal may see ---- */

static void check_printable(const char *before, const char *after)
{
    char text[64];
    snprintf(text, sizeof text, "%s", before);
    process_printable(text);
    cr_expect_str_eq(text, after);
}

Test(process, text_stays_as_it_is)
{
    check_printable("", "");
    check_printable(" !~", " !~");
    check_printable("\xc2\xa0\xdf\xbf", "\xc2\xa0\xdf\xbf");                                 /* U+00A0, U+07FF */
    check_printable("\xe0\xa0\x80\xed\x9f\xbf", "\xe0\xa0\x80\xed\x9f\xbf");                 /* U+0800, U+D7FF */
    check_printable("\xee\x80\x80\xef\xbf\xbf", "\xee\x80\x80\xef\xbf\xbf");                 /* U+E000, U+FFFF */
    check_printable("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"); /* U+10000, U+10FFFF */
}

Test(process, what_turns_the_direction_of_text_is_replaced)
{
    check_printable("a\xe2\x80\xae" "b", "a???b"); /* U+202E */
    check_printable("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\xaa", "?????????");
    check_printable("\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", "\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"); /* beside them */
}

Test(process, control_characters_are_replaced)
{
    for (char c = 1; c < 0x20; c++)
        check_printable((char[]){'a', c, 'b', '\0'}, "a?b");
    check_printable("a\177b", "a?b");
    for (int c = 0x80; c < 0xa0; c++)
        check_printable((char[]){'a', (char)0xc2, (char)c, 'b', '\0'}, "a??b"); /* C1 */
}

Test(process, broken_utf8_is_replaced)
{
    check_printable("a\x80" "b", "a?b");           /* the middle of a sequence */
    check_printable("\xc3", "?");                  /* cut */
    check_printable("\xe6\x97", "??");             /* cut */
    check_printable("\xf0\x9f\x98", "???");        /* cut */
    check_printable("\xc3(", "?(");                /* what follows is kept */
    check_printable("\xe6\x97\xc3\xa9", "??\xc3\xa9");
    check_printable("\xf5\x80\x80\x80", "????");   /* no such beginning */
    check_printable("\xff\xfe", "??");
}

Test(process, overlong_forms_are_broken_too)
{
    check_printable("\xc0\x9b\xc1\xbf", "????");   /* ESC and DEL in two bytes */
    check_printable("\xe0\x80\x9b", "???");        /* ESC in three */
    check_printable("\xe0\x9f\xbf", "???");        /* U+07FF in three */
    check_printable("\xf0\x80\x80\x9b", "????");   /* ESC in four */
    check_printable("\xf0\x8f\xbf\xbf", "????");   /* U+FFFF in four */
}

Test(process, what_is_no_character_is_broken_too)
{
    check_printable("\xed\xa0\x80", "???");        /* surrogates */
    check_printable("\xed\xbf\xbf", "???");
    check_printable("\xf4\x90\x80\x80", "????");   /* above U+10FFFF */
}
