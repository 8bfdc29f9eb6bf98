/* The stacks of a child that runs what looks like the interpreter's main function, or code of no file. This program is
 * stripped (see Makefile): where the compiler has split that function, the rest has no name. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "native_frames.h"

#include "../support/split.h"
#include "support.h"

static int ready_end; /* of a pipe, closed as the last call is made */

static int at_end(void)
{
    close(ready_end);
    while (pause())
        ;
    return 0;
}

static pid_t start_in(int (*body)(const void *), const void *what)
{
    int ready[2];
    char byte;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        ready_end = ready[1];
        _exit(body(what) & 1);
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    return pid;
}

static int interpret(const void *plan) { return _PyEval_EvalFrameDefault(plan, at_end); }

static pid_t start(const char *plan) { return start_in(interpret, plan); }

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void nothing(void *unused) { (void)unused; }

static size_t calls_of_interpreter(const struct native_stacks *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->thread[0].frames; i++)
        count += s->thread[0].frame[i].python;
    return count;
}

static bool has_name(const struct native_stacks *s, const char *name)
{
    struct image *i;
    return images_symbol(&s->images, name, &i) != 0;
}

/* Each call is one, whichever part of the function it waits in. */
Test(native_frames, calls_of_a_split_function)
{
    static const char *const plans[] = {"!", "h!", "a!", "habcdef!", "hhhhaaaahhhhffffbchbchbchbch!"};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct native_stacks s;
        pid_t pid = start(plans[i]);
        int r = native_frames_read(&s, pid, nothing, NULL);
        end(pid);
        if (r == -EPERM)
            cr_skip("tracing is not allowed here");
        cr_assert_eq(r, 0);
        cr_assert_eq(s.threads, 1);
        cr_expect(s.thread[0].whole);
        cr_expect_eq(calls_of_interpreter(&s), strlen(plans[i]), "%s", plans[i]);
        cr_expect(has_name(&s, "_PyEval_EvalFrameDefault"));
        cr_expect_not(has_name(&s, "_PyEval_EvalFrameDefault.cold"), "it is stripped");
        native_frames_free(&s);
    }
}

static bool is_unnamed(const struct native_frame *f) { return f->python && !f->symbol; }

/* Nothing that has a name, and nothing beyond the part, is taken for it. */
Test(native_frames, what_is_not_of_it)
{
    struct native_stacks s;
    pid_t pid = start("hafbe!");
    int r = native_frames_read(&s, pid, nothing, NULL);
    end(pid);
    if (r == -EPERM)
        cr_skip("tracing is not allowed here");
    cr_assert_eq(r, 0);
    size_t unnamed = 0;
    for (size_t i = 0; i < s.thread[0].frames; i++) {
        const struct native_frame *f = &s.thread[0].frame[i];
        unnamed += is_unnamed(f);
        cr_expect(!is_unnamed(f) || (f->pc >= s.rest.begin && f->pc < s.rest.end));
        cr_expect(!f->python || !f->symbol || strcmp(f->symbol->name, "_PyEval_EvalFrameDefault") == 0);
    }
    cr_expect_eq(unnamed, s.rest.begin ? 4 : 0, "%zu", unnamed);
    native_frames_free(&s);
}

/* ---- code of no file ---- */

struct code {
    uint8_t bytes[24];
    bool known;
};

/* Each keeps its stack aligned, calls its fourth argument, and returns. */
#ifdef __x86_64__
static const struct code codes[] = {
    {{0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3}, true},                         /* CPython 3.12, 3.13 */
    {{0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3}, true}, /* with endbr64 */
    {{0x55, 0x48, 0x89, 0xe5, 0xff, 0xd1, 0x5d, 0xc3}, true},                                           /* push %rbp */
    {{0x48, 0x83, 0xec, 0x18, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x18, 0xc3}, false},
};
#else
static const struct code codes[] = {
    {{0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91, 0x60, 0x00, 0x3f, 0xd6, 0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6}, true},
    {{0xfd, 0x7b, 0xbe, 0xa9, 0xfd, 0x03, 0x00, 0x91, 0x60, 0x00, 0x3f, 0xd6, 0xfd, 0x7b, 0xc2, 0xa8, 0xc0, 0x03, 0x5f, 0xd6}, false},
};
#endif

typedef int (*trampoline)(int, int, int, int (*)(void));
static trampoline lead;

int between_trampolines(void); /* exported: it has a name */
int between_trampolines(void) { return lead(0, 0, 0, at_end) + 1; }

static int through_code(const void *code)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return close(ready_end);
    memcpy(memory, code, sizeof ((const struct code *)code)->bytes);
    __builtin___clear_cache(memory, (char *)memory + 64);
    *(void **)&lead = memory;
    return lead(0, 0, 0, between_trampolines) + 1;
}

static size_t frames_of(const struct native_thread *t, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < t->frames; i++)
        count += t->frame[i].symbol && strcmp(t->frame[i].symbol->name, name) == 0;
    return count;
}

static size_t frames_of_no_file(const struct native_thread *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->frames; i++)
        count += t->frame[i].image == NULL;
    return count;
}

/* CPython's trampolines are walked through; at what looks almost the same the walk ends. */
Test(native_frames, trampolines)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct native_stacks s;
        pid_t pid = start_in(through_code, &codes[i]);
        int r = native_frames_read(&s, pid, nothing, NULL);
        end(pid);
        if (r == -EPERM)
            cr_skip("tracing is not allowed here");
        cr_assert_eq(r, 0);
        cr_assert_eq(s.threads, 1);
        cr_expect_eq(s.thread[0].whole, codes[i].known, "%zu", i);
        cr_expect_eq(frames_of(&s.thread[0], "between_trampolines"), codes[i].known, "%zu", i);
        cr_expect_eq(frames_of_no_file(&s.thread[0]), codes[i].known ? 2 : 1, "%zu", i);
        native_frames_free(&s);
    }
}
