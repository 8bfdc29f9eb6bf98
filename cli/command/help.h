/* Help, made from the tables of commands, options and exit codes. */
#ifndef TSCAP_HELP_H
#define TSCAP_HELP_H

#include "command.h"

void help_overview(void);
void help_command(const struct command *c);

/* For completion, a line each: "--name <tab> -letter <tab> ARGUMENT <tab> help". With `c` command_none, the commands
 * follow: "name <tab> summary". */
void help_list_options(const struct command *c);

#endif
