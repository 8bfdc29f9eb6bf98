#include "chosen_format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "command.h"
#include "conversion.h"
#include "format.h"
#include "message.h"
#include "settings.h"

/* Those of profiles: all, or those that files are made of. */
static const char *list_names(bool files, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < format_count && used < size; i++)
        if (formats[i].of == FORMAT_PROFILE && formats[i].name && (formats[i].opens || !files))
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", formats[i].name);
    return buffer;
}

static int unknown_format(const struct settings *s, bool files)
{
    char names[256];
    return fail(EXIT_USAGE,
                "%s: '%s' is not a format\n"
                "there are: %s\n"
                "tscap help convert",
                s->command, s->format, list_names(files, names, sizeof names));
}

static int check_name(const struct settings *s)
{
    bool files = strcmp(s->command, "convert") == 0;
    const struct format *f = s->format ? format_named(FORMAT_PROFILE, s->format) : NULL;
    if (files && !s->format)
        return fail(EXIT_USAGE,
                    "convert: --format is missing\n"
                    "it says which program the file is for\n"
                    "tscap help convert");
    return s->format && (!f || (files && !f->opens)) ? unknown_format(s, files) : EXIT_OK;
}

static int wrong_metric(const struct format *f, const struct settings *s)
{
    const char *choice = f->accepts & FORMAT_CALLS ? "there are: wall, cpu, calls" : "it has the calls beside the time: wall or cpu";
    return fail(EXIT_USAGE,
                "%s: --metric %s is not for --format %s\n"
                "%s\n"
                "tscap help %s",
                s->command, s->metric, f->name, choice, s->command);
}

static int check_metric(const struct format *f, const struct settings *s)
{
    enum export_metric metric;
    bool known = conversion_metric(s->metric, &metric);
    return s->metric && (!known || (metric == EXPORT_CALLS && !(f->accepts & FORMAT_CALLS))) ? wrong_metric(f, s) : EXIT_OK;
}

const struct format *chosen_format_find(const struct settings *s)
{
    if (check_name(s) != EXIT_OK)
        return NULL;
    const struct format *f = format_check(FORMAT_PROFILE, s);
    return f && check_metric(f, s) == EXIT_OK ? f : NULL;
}

int chosen_format_check_capture(const struct capture *c, const struct settings *s)
{
    enum export_metric metric;
    conversion_metric(s->metric, &metric);
    if (metric != EXPORT_CPU || c->cpu)
        return EXIT_OK;
    return fail(EXIT_FAILED,
                "no CPU time was measured\n"
                "it was turned off where the program ran (TSCAP_CPU)\n"
                SAME_AGAIN " --metric wall");
}
