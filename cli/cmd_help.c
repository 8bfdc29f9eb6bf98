#include "command.h"
#include "exit_code.h"
#include "help.h"
#include "option.h"

int cmd_help(const struct settings *s)
{
    const struct command *c = s->operand ? command_find(s->operand) : NULL;
    if (s->operand && !c)
        return EXIT_USAGE;
    if (c)
        help_command(c);
    else
        help_overview();
    return EXIT_OK;
}
