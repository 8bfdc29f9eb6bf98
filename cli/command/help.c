#include "help.h"

#include <stdio.h>

#include "exit_code.h"
#include "format.h"
#include "keys.h"
#include "option.h"

static void print_option(const struct option_row *o)
{
    char text[64];
    char letter[] = {o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', '\0'};
    snprintf(text, sizeof text, "%s --%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    printf("  %-22s %s\n", text, o->help);
}

static void print_options(const struct command *c)
{
    puts("\nOptions:");
    for (size_t i = 0; i < option_count; i++)
        if (option_fits(&options[i], c->id) && !options[i].hidden)
            print_option(&options[i]);
}

static void print_keys(void)
{
    puts("\nKeys:");
    for (size_t i = 0; i < key_count; i++)
        printf("  %-22s %s\n", keys[i].name, keys[i].help);
}

static void print_formats(void)
{
    puts("\nFormats, and what opens them:");
    for (size_t i = 0; i < format_count; i++)
        if (formats[i].opens)
            printf("  %-22s %s\n", formats[i].name, formats[i].opens);
}

static void print_exit_codes(void)
{
    puts("\nExit codes:");
    for (size_t i = 0; i < exit_code_count; i++)
        printf("  %3d  %s\n", exit_codes[i].code, exit_codes[i].meaning);
}

static void print_operand(const struct command *c)
{
    if (!c->operand)
        return;
    const char *opening = c->operands_least ? "" : "[", *closing = c->operands_least ? "" : "]";
    printf(" %s%s%s", opening, c->operand, closing);
}

void help_overview(void)
{
    puts("Usage: tscap COMMAND [OPTION]...\n\n"
         "Profiles running Python programs: exact calls, wall and CPU time of decorated functions,\n"
         "which cost nothing while nobody looks.\n\nCommands:");
    for (size_t i = 0; i < command_count; i++)
        printf("  %-8s %-9s %s\n", commands[i].name, commands[i].operand ? commands[i].operand : "", commands[i].summary);
    puts("\nPID is a number, 'auto' if exactly one process can be recorded, or a part of its command line.\n"
         "`tscap COMMAND --help` explains a command; any beginning of a command's name will do if only one has it.");
    print_options(&command_none);
    print_exit_codes();
}

void help_command(const struct command *c)
{
    printf("Usage: %s", c->invocation);
    print_operand(c);
    printf(" [OPTION]...\n\n%s\n", c->details);
    print_options(c);
    if (c->id == COMMAND_TOP)
        print_keys();
    if (c->id == COMMAND_CONVERT)
        print_formats();
    print_exit_codes();
}

static void list_option(const struct option_row *o)
{
    char letter[] = {o->letter ? '-' : '\0', o->letter, '\0'};
    printf("--%s\t%s\t%s\t%s\n", o->name, letter, o->argument ? o->argument : "", o->help);
}

void help_list_options(const struct command *c)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_fits(&options[i], c->id) && !options[i].hidden)
            list_option(&options[i]);
    for (size_t i = 0; c->id == COMMAND_NONE && i < command_count; i++)
        printf("%s\t%s\n", commands[i].name, commands[i].summary);
}
