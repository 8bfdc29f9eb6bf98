/* The stacks of a child that runs what looks like the interpreter's main function. This program is stripped (see Makefile):
 * where the compiler has split that function, the rest has no name. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

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

static pid_t start(const char *plan)
{
    int ready[2];
    char byte;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        ready_end = ready[1];
        _exit(_PyEval_EvalFrameDefault(plan, at_end) & 1);
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    return pid;
}

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
