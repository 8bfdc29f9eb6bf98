#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decimals that leave three significant digits. Rounding happens at 9.995 and 99.95, so that 9.996 is not "10.00". */
static int decimals_for(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

void units_write_time(char *buffer, size_t size, uint64_t ns)
{
    static const char *const names[] = {"us", "ms", "s"};
    if (ns < 1000) {
        snprintf(buffer, size, "%u ns", (unsigned)ns);
        return;
    }
    double value = (double)ns / 1000;
    size_t unit = 0;
    for (; unit < 2 && value >= 999.5; unit++)
        value /= 1000;
    snprintf(buffer, size, "%.*f %s", decimals_for(value), value, names[unit]);
}

void units_write_number(char *buffer, size_t size, double value)
{
    snprintf(buffer, size, "%.*f", value < 0.9995 && value > 0 ? 3 : decimals_for(value), value);
}

void units_write_bytes(char *buffer, size_t size, uint64_t bytes)
{
    if (bytes < 1u << 20)
        snprintf(buffer, size, "%u KiB", (unsigned)(bytes >> 10));
    else
        snprintf(buffer, size, "%.1f MiB", (double)bytes / (1 << 20));
}

/* Nanoseconds per unit; 0: no such unit. */
static double scale_of(const char *unit)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}, {"h", 3600e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ns;
    return 0;
}

bool units_read_time(const char *text, uint64_t *ns)
{
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;
    if (text[strspn(text, "0123456789.")] == 'x') /* no hexadecimal */
        return false;
    double value = strtod(text, &end);
    double scale = end == text ? 0 : scale_of(end);
    value *= scale;
    if (scale == 0 || !isfinite(value) || value > 1e18)
        return false;
    *ns = (uint64_t)(value + 0.5);
    return true;
}

bool units_read_percent(const char *text, uint64_t *millionths)
{
    char *end;
    if (!isdigit((unsigned char)*text) || text[strspn(text, "0123456789.")] == 'x')
        return false;
    double value = strtod(text, &end);
    if (*end && strcmp(end, "%") != 0)
        return false;
    value *= 10000;
    if (!isfinite(value) || value > 1e18)
        return false;
    *millionths = (uint64_t)(value + 0.5);
    return true;
}

bool units_read_count(const char *text, uint64_t *count)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *count = value;
    return true;
}

void units_write_user(char *buffer, size_t size, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(buffer, size, "%s", user->pw_name);
    else
        snprintf(buffer, size, "%lu", (unsigned long)uid);
}
