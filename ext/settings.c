#include "settings.h"

#include "python.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "version.h"

static bool is_set(const char *name)
{
    const char *text = getenv(name);
    return text && *text && strcmp(text, "0") != 0;
}

bool settings_disabled(void) { return is_set("TSCAP_DISABLE"); }
bool settings_keep(void) { return is_set("TSCAP_KEEP"); }

static uint64_t setting(const char *name, uint64_t least, uint64_t most, uint64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return otherwise;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    return errno || *end || n < least || n > most ? otherwise : n;
}

static uint32_t power_of_two(uint64_t n)
{
    uint32_t p = SEGMENT_MIN_RING_SLOTS;
    while (p < n)
        p *= 2;
    return p;
}

void settings_read(struct segment_options *segment, struct lanes_options *lanes)
{
    static char python[32];
    const char *mode = getenv("TSCAP_CPU");
    snprintf(python, sizeof python, "%s", Py_GetVersion());
    python[strcspn(python, " ")] = '\0';
    uint32_t slots = power_of_two(setting("TSCAP_RING", SEGMENT_MIN_RING_SLOTS, SEGMENT_MAX_RING_SLOTS, SEGMENT_DEFAULT_RING_SLOTS));
    *segment = (struct segment_options){
        .capacity = setting("TSCAP_MEMORY", 1, SEGMENT_MAX_BYTES >> 20, SEGMENT_DEFAULT_CAPACITY >> 20) << 20,
        .ring_slots = slots,
        .python = python,
        .version = TSCAP_VERSION,
    };
    *lanes = (struct lanes_options){
        .ring_slots = slots,
        .keep_exited = LANES_KEEP_EXITED,
        .cpu_mode = mode ? cputime_mode_of(mode) : CPUTIME_NONE_YET,
        .limits = folder_default_limits,
    };
    lanes->limits.nodes = (uint32_t)setting("TSCAP_NODES", 1, 1u << 24, folder_default_limits.nodes);
}
