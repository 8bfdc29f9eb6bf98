/* What tscap's exit status means: the one table that --help, the manual page and the tests go by. */
#ifndef TSCAP_EXIT_CODE_H
#define TSCAP_EXIT_CODE_H

#include <stddef.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_PROCESS = 3,
    EXIT_PERMISSION = 4,
    EXIT_UNSUPPORTED = 5,
    EXIT_LOSS = 6,
    EXIT_THRESHOLD = 7,
    EXIT_TIMEOUT = 124
};

struct exit_code_row {
    enum exit_code code;
    const char *meaning;
};
extern const struct exit_code_row exit_codes[];
extern const size_t exit_code_count;

/* The exit code that fits a negative errno of shared/ or of the system. */
enum exit_code exit_code_of_errno(int error);

#endif
