#include "exit_code.h"

#include <errno.h>

const struct exit_code_row exit_codes[] = {
    {EXIT_OK, "done"},
    {EXIT_FAILED, "failed while running"},
    {EXIT_USAGE, "wrong usage, or more than one process or consumer fits"},
    {EXIT_NO_PROCESS, "no such process, segment, file or consumer"},
    {EXIT_PERMISSION, "not permitted"},
    {EXIT_UNSUPPORTED, "the target cannot be recorded: not Python, without timestamp_capture, of another version"},
    {EXIT_LOSS, "more calls were lost than --max-loss allows, or the profile is incomplete"},
    {EXIT_THRESHOLD, "a threshold was exceeded"},
    {EXIT_TIMEOUT, "no answer in time"},
};
const size_t exit_code_count = sizeof exit_codes / sizeof *exit_codes;

enum exit_code exit_code_of_errno(int error)
{
    switch (-error) {
    case ENOENT:
    case ESRCH:
        return EXIT_NO_PROCESS;
    case EACCES:
    case EPERM:
        return EXIT_PERMISSION;
    case EPROTONOSUPPORT:
    case EPROTO:
        return EXIT_UNSUPPORTED;
    case ETIMEDOUT:
        return EXIT_TIMEOUT;
    default:
        return EXIT_FAILED;
    }
}
