#include "command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "message.h"

const struct command commands[] = {
    {COMMAND_PS, "ps", "tscap ps", cmd_ps, NULL, 0, 0, "list the processes that can be recorded",
     "Lists your processes that carry timestamp_capture (as root: everybody's)."},
    {COMMAND_START, "start", "tscap start", cmd_start, "PID", 1, 1, "begin to record",
     "Turns the decorated functions of a process on. Times of an earlier recording stay; `tscap reset` forgets them."},
    {COMMAND_STOP, "stop", "tscap stop", cmd_stop, "PID", 1, 1, "end recording",
     "Turns recording off: the functions cost nothing again. What was recorded stays to be read."},
    {COMMAND_RESET, "reset", "tscap reset", cmd_reset, "PID", 1, 1, "forget what was recorded",
     "Sets all counts and times to zero."},
    {COMMAND_STATUS, "status", "tscap status", cmd_status, "PID", 1, 1, "say what a process does",
     "Shows the state of recording, its clocks, what it costs and what it lost. Reads memory; only the number of armed\n"
     "functions is asked for."},
    {COMMAND_DUMP, "dump", "tscap dump", cmd_dump, "PID|FILE", 1, 1, "show what was recorded so far",
     "Prints the profile of a process that runs, is stopped or has died, or of a segment file, as a table, as call trees\n"
     "or as JSON. The process is not stopped or slowed for it."},
    {COMMAND_TOP, "top", "tscap top", cmd_top, "PID", 1, 1, "show what is being recorded, at intervals",
     "Shows on a full screen, again and again, what happened since the look before; with -b prints tables of it. The\n"
     "full screen begins recording, if need be, and ends what it began; with --attach it need not be prepared."},
    {COMMAND_STACK, "stack", "tscap stack", cmd_stack, "PID", 1, 1, "show where all threads are",
     "Shows once what each thread of a Python process is doing, whether it carries timestamp_capture or not. The process is\n"
     "not stopped for it, unless --native is given."},
    {COMMAND_ATTACH, "attach", "tscap attach", cmd_attach, "PID", 1, 1, "record a process that was not prepared",
     "Brings timestamp_capture into a running Python and begins to record functions that are not decorated: its own ones, or\n"
     "those that --match. A function is named module:qualname. After that all other commands work as on a prepared process."},
    {COMMAND_DETACH, "detach", "tscap detach", cmd_detach, "PID", 1, 1, "undo what attach did",
     "Ends recording, takes the hooks out and removes the segment, with what was recorded. What the program itself has\n"
     "decorated stays as it is."},
    {COMMAND_DOCTOR, "doctor", "tscap doctor", cmd_doctor, "PID", 0, 1, "say what stands in the way of attaching",
     "Looks at the machine and at a process and names each obstacle with what removes it. Touches nothing. Exit status as\n"
     "`tscap attach` would have."},
    {COMMAND_GC, "gc", "tscap gc", cmd_gc, NULL, 0, 0, "remove what dead processes left",
     "Removes segments and sockets of your processes that have ended. Never those of a process that lives."},
    {COMMAND_HELP, "help", "tscap help", NULL, "COMMAND", 0, 1, "explain a command", "The same as `tscap COMMAND --help`."},
};
const size_t command_count = sizeof commands / sizeof *commands;

const struct command command_none = {
    .id = COMMAND_NONE, .name = "tscap", .invocation = "tscap", .operand = "COMMAND", .operands_most = 1};

static bool begins(const struct command *c, const char *name) { return strncmp(c->name, name, strlen(name)) == 0; }

/* "start, stop, status": the commands that begin so; all for "". */
static const char *list_names(const char *name, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < command_count && used < size; i++)
        if (begins(&commands[i], name))
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", commands[i].name);
    return buffer;
}

const struct command *command_find(const char *name)
{
    char names[256];
    const struct command *found = NULL;
    unsigned fitting = 0;
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        if (begins(&commands[i], name)) {
            found = &commands[i];
            fitting++;
        }
    }
    if (fitting == 1)
        return found;
    if (fitting && *name)
        fail(EXIT_USAGE,
             "'%s' is ambiguous\n"
             "it may mean: %s\n"
             "tscap help",
             name, list_names(name, names, sizeof names));
    else
        fail(EXIT_USAGE,
             "'%s' is not a command\n"
             "there are: %s\n"
             "tscap help",
             name, list_names("", names, sizeof names));
    return NULL;
}
