#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <signal.h>

#include "exit_code.h"
#include "failure.h"

TestSuite(failure, .init = cr_redirect_stderr);

Test(failure, each_is_told_with_its_code)
{
    static const struct {
        struct load_report report;
        int code;
    } cases[] = {
        {{.problem = LOAD_OK}, EXIT_OK},
        {{.problem = LOAD_GONE}, EXIT_NO_PROCESS},
        {{.problem = LOAD_PAUSED}, EXIT_FAILED},
        {{.problem = LOAD_NO_PYTHON}, EXIT_UNSUPPORTED},
        {{.problem = LOAD_MACHINE}, EXIT_UNSUPPORTED},
        {{.problem = LOAD_NO_LOADER, .text = "dlopen"}, EXIT_UNSUPPORTED},
        {{.problem = LOAD_NO_SAFE_POINT, .text = "malloc", .attempts = 7}, EXIT_TIMEOUT},
        {{.problem = LOAD_REFUSED, .text = "mmap", .signal = SIGSYS}, EXIT_PERMISSION},
        {{.problem = LOAD_REFUSED, .text = "mmap", .error = -EPERM}, EXIT_PERMISSION},
        {{.problem = LOAD_REFUSED, .text = "mmap", .error = -ENOMEM}, EXIT_FAILED},
        {{.problem = LOAD_LIBRARY, .text = "no such file"}, EXIT_UNSUPPORTED},
        {{.problem = LOAD_FAULT, .signal = SIGSEGV}, EXIT_FAILED},
        {{.problem = LOAD_LATE}, EXIT_TIMEOUT},
        {{.problem = LOAD_NO_INTERFACE}, EXIT_UNSUPPORTED},
        {{.problem = LOAD_UNHEARD, .error = -EAGAIN}, EXIT_TIMEOUT},
        {{.problem = LOAD_FAILED, .text = "x"}, EXIT_FAILED},
    };
    const struct plan p = {.pid = 42};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(failure_tell(&p, &cases[i].report), cases[i].code, "%d", (int)cases[i].report.problem);
}

Test(failure, in_words)
{
    const struct load_report r = {.problem = LOAD_NO_SAFE_POINT, .text = "malloc", .attempts = 7};
    failure_tell(&(struct plan){.pid = 42}, &r);
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: cannot attach to process 42\n"
                            "  7 times no thread of it was where it may be interrupted (last: malloc); the process is as before\n"
                            "  try: tscap attach 42 --timeout 60\n");
}
