#include "command.h"

#include <limits.h>
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
    {COMMAND_STATUS, "status", "tscap status", cmd_status, "PID|FILE", 1, 1, "say what a process does",
     "Shows the state of recording, its clocks, what it costs and what it lost. Reads memory; only the number of armed\n"
     "functions is asked for. Of a capture: as it was when that was made."},
    {COMMAND_DUMP, "dump", "tscap dump", cmd_dump, "PID|FILE", 1, 1, "show what was recorded so far",
     "Prints the profile of a process that runs, is stopped or has died, or of a capture or segment file, as a table, as\n"
     "call trees or as JSON. The process is not stopped or slowed for it. `tscap report` is the same."},
    {COMMAND_DUMP, "report", "tscap report", cmd_dump, "PID|FILE", 1, 1, "the same as dump",
     "Another name of `tscap dump`: prints the profile of a process, or of a capture or segment file."},
    {COMMAND_CONVERT, "convert", "tscap convert", cmd_convert, "PID|FILE", 1, 1, "make a file for another program of it",
     "Writes the profile of a process that runs, is stopped or has died, or of a segment file, as other programs read it.\n"
     "The process is not stopped or slowed for it."},
    {COMMAND_DIFF, "diff", "tscap diff", cmd_diff, "A B", 2, UINT_MAX, "compare what was recorded before and after a change",
     "Compares two captures, processes or segment files, A before and B after, or several a side: tscap diff A1 A2 A3 -- B1 B2 B3.\n"
     "Says of each function what became of its calls and times, what is slower first; with some captures a side also what of that\n"
     "is more than chance, and a verdict: PASS, FAIL, or INCONCLUSIVE with the number of captures that it takes."},
    {COMMAND_TOP, "top", "tscap top", cmd_top, "PID", 1, 1, "show what is being recorded, at intervals",
     "Shows on a full screen, again and again, what happened since the look before; with -b prints tables of it. The\n"
     "full screen begins recording, if need be, and ends what it began; with --attach it need not be prepared."},
    {COMMAND_RUN, "run", "tscap run", cmd_run, "COMMAND", 1, UINT_MAX, "start a program and record it from its first line",
     "Starts a command and records the first Python process that it begins, from the first line of the program: functions of\n"
     "its own, or those that --match. Scripts, modules, launchers and shell scripts may be run so; nothing in them changes. At the\n"
     "end what cost most is shown on stderr. Exit status is the command's; 126, 127: it cannot be executed, is not there."},
    {COMMAND_RECORD, "record", "tscap record", cmd_record, "PID", 1, 1, "record a process into a file",
     "Writes what happens from now on to a capture file, until --duration is over, the process ends, or this command is told to\n"
     "(^C). Begins recording, attaching first if need be, and ends what it began. All that read a process read the file, too."},
    {COMMAND_SAVE, "save", "tscap save", cmd_save, "PID|FILE", 0, 1, "save what was recorded so far into a file",
     "Writes what a process, or a segment file, has recorded so far to a capture file, which can be read on any machine. What is\n"
     "recorded stays as it is."},
    {COMMAND_TRACKS, "tracks", "tscap tracks", cmd_tracks, "PID", 1, 1, "show or switch the tracks of its Profilers",
     "Lists the Profilers of a program (timestamp_capture.stichotrope), their tracks and what is in these, with the switches and how\n"
     "often each was hit. --enable and --disable set the switch of a track, for all threads at once."},
    {COMMAND_STACK, "stack", "tscap stack", cmd_stack, "PID", 1, 1, "show where all threads are",
     "Shows once what each thread of a Python process is doing, whether it carries timestamp_capture or not. The process is\n"
     "not stopped for it, unless --native is given."},
    {COMMAND_ATTACH, "attach", "tscap attach", cmd_attach, "PID", 1, 1, "record a process that was not prepared",
     "Brings timestamp_capture into a running Python and begins to record functions that are not decorated: its own ones, or\n"
     "those that --match. A function is named module:qualname. After that all other commands work as on a prepared process."},
    {COMMAND_DETACH, "detach", "tscap detach", cmd_detach, "PID", 1, 1, "undo what attach did",
     "Ends recording, takes the hooks out and removes the segment, with what was recorded unless `attach --keep` was said.\n"
     "What the program itself has decorated stays as it is."},
    {COMMAND_DOCTOR, "doctor", "tscap doctor", cmd_doctor, "PID", 0, 1, "say what stands in the way of attaching",
     "Looks at the machine and at a process and names each obstacle with what removes it. Touches nothing. Exit status as\n"
     "`tscap attach` would have."},
    {COMMAND_GC, "gc", "tscap gc", cmd_gc, NULL, 0, 0, "remove what dead processes left",
     "Removes segments and sockets of your processes that have ended or were detached from, and what a killed `tscap run` left.\n"
     "Never what a process that lives still uses."},
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
