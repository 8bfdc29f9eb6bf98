#include "command.h"
#include "ending.h"
#include "message.h"
#include "program.h"

int cmd_run(const struct settings *s)
{
    struct program p;
    int code = program_start(&p, s);
    if (code == EXIT_OK) {
        program_await(&p);
        ending_tell(&p);
        code = job_exit_code(&p.job);
    }
    program_free(&p);
    return code;
}
