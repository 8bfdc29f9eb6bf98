#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "process.h"

#define MESSAGE_MAX 8192

static void print_line(const char *prefix, char *line)
{
    process_printable(line);
    fprintf(stderr, "%s%s\n", prefix, line);
}

/* The last of several lines is the remedy. */
static void print_lines(char *text)
{
    const char *prefix = "tscap: ";
    for (char *next; text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        else if (prefix[0] == ' ')
            prefix = "  try: ";
        print_line(prefix, text);
        prefix = "  ";
    }
}

static void print_message(const char *format, va_list arguments)
{
    char text[MESSAGE_MAX];
    vsnprintf(text, sizeof text, format, arguments);
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
