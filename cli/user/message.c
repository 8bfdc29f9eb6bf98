#include "message.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

static bool in_progress; /* a line without its end */

static void clear_progress(void)
{
    if (in_progress)
        fputs("\r\033[K", stderr);
    in_progress = false;
}

static void print_line(const char *prefix, char *line)
{
    process_printable(line);
    fprintf(stderr, "%s%s\n", prefix, line);
}

/* ---- the command line, as a shell takes it ---- */

static char **words; /* ends with NULL; there are none in a unit test */

/* A copy of the list: getopt_long() puts it into another order. */
void message_invoked_as(int argc, char **argv)
{
    words = calloc((size_t)argc + 1, sizeof *words);
    if (words)
        memcpy(words, argv, (size_t)argc * sizeof *words);
}

static bool is_plain(const char *word)
{
    return *word && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")] == '\0';
}

static void print_quoted(const char *word)
{
    putc('\'', stderr);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", stderr);
        else
            putc((unsigned char)*word < ' ' || *word == 0x7f ? '?' : *word, stderr);
    putc('\'', stderr);
}

/* `more`: options, which "--" would end. */
static void print_words(const char *more)
{
    static char *none[] = {"tscap", NULL};
    for (char **word = words ? words : none; *word; word++) {
        if (strcmp(*word, "--") == 0) {
            fputs(more, stderr);
            more = "";
        }
        if (word != words && word != none)
            putc(' ', stderr);
        if (is_plain(*word))
            fputs(*word, stderr);
        else
            print_quoted(*word);
    }
    fputs(more, stderr);
}

static void print_remedy(char *line)
{
    fputs("  try: ", stderr);
    if (line[0] == SAME_AGAIN[0]) {
        process_printable(line + 1);
        print_words(line + 1);
        line[0] = '\0';
    }
    print_line("", line);
}

/* The last of several lines is the remedy. */
static void print_lines(char *text)
{
    const char *prefix = "tscap: ";
    for (char *next; text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        if (!next && prefix[0] == ' ')
            print_remedy(text);
        else
            print_line(prefix, text);
        prefix = "  ";
    }
}

static char *kept; /* NULL: they are printed */
static size_t room;

void message_keep(char *buffer, size_t size)
{
    kept = buffer;
    room = size;
}

static void print_message(const char *format, va_list arguments)
{
    char text[MESSAGE_MAX];
    if (kept) {
        vsnprintf(kept, room, format, arguments);
        return;
    }
    vsnprintf(text, sizeof text, format, arguments);
    clear_progress();
    fflush(stdout); /* on a terminal both streams meet: keep them in order */
    print_lines(text);
}

int fail(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    return code;
}

void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
}

void progress(const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;
    if (!isatty(STDERR_FILENO))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    process_printable(text);
    clear_progress();
    fprintf(stderr, "tscap: %s", text);
    in_progress = true;
}
