#include "pids.h"

#include <stdio.h>

#define NAMED 8

void pids_write(const pid_t *pid, size_t count, char *buffer, size_t size)
{
    size_t named = count < NAMED ? count : NAMED;
    int length = snprintf(buffer, size, "process%s", count == 1 ? "" : "es");
    for (size_t i = 0; i < named && length >= 0 && (size_t)length < size; i++)
        length += snprintf(buffer + length, size - (size_t)length, "%s %d", i ? "," : "", (int)pid[i]);
    if (named < count && (size_t)length < size)
        snprintf(buffer + length, size - (size_t)length, " and %zu more", count - named);
}
