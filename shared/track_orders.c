#include "track_orders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON "enable="
#define OFF "disable="

/* A number from 1 on, and what follows it. False: there is none. */
static bool read_number(const char **text, char follows, uint32_t *number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(*text, &end, 10);
    if (errno || !n || n > UINT32_MAX || *end != follows)
        return false;
    *number = (uint32_t)n;
    *text = end + 1;
    return true;
}

static bool begins(const char **text, const char *with)
{
    size_t length = strlen(with);
    if (strncmp(*text, with, length) != 0)
        return false;
    *text += length;
    return true;
}

static bool read_line(const char **text, struct track_order *o)
{
    o->on = begins(text, ON);
    return (o->on || begins(text, OFF)) && read_number(text, ':', &o->profiler) && read_number(text, '\n', &o->row);
}

int track_orders_parse(struct track_orders *o, const char *text)
{
    o->count = 0;
    while (*text)
        if (o->count == TRACK_ORDERS_MAX || !read_line(&text, &o->order[o->count++]))
            return -EINVAL;
    return o->count ? 0 : -EINVAL;
}

void track_orders_write(const struct track_orders *o, char text[TRACK_ORDERS_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < o->count; i++)
        used += (size_t)snprintf(text + used, TRACK_ORDERS_TEXT - used, "%s%" PRIu32 ":%" PRIu32 "\n", o->order[i].on ? ON : OFF, o->order[i].profiler,
                                 o->order[i].row);
}
