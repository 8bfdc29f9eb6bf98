#include "lineage.h"

#include <string.h>
#include <unistd.h>

#include "process.h"

void lineage_now(struct ancestor lineage[SEGMENT_LINEAGE])
{
    pid_t pid = getppid();
    memset(lineage, 0, SEGMENT_LINEAGE * sizeof *lineage);
    for (unsigned i = 0; i < SEGMENT_LINEAGE && pid > 0; i++) {
        uint64_t start_time;
        if (process_start_time(pid, &start_time) < 0)
            return;
        lineage[i] = (struct ancestor){.pid = (uint32_t)pid, .start_time = start_time};
        if (process_parent(pid, &pid) < 0)
            return;
    }
}

void lineage_descend(struct ancestor lineage[SEGMENT_LINEAGE], pid_t pid, uint64_t start_time)
{
    memmove(lineage + 1, lineage, (SEGMENT_LINEAGE - 1) * sizeof *lineage);
    lineage[0] = (struct ancestor){.pid = (uint32_t)pid, .start_time = start_time};
}

bool lineage_has(const struct ancestor lineage[SEGMENT_LINEAGE], pid_t pid, uint64_t start_time)
{
    for (unsigned i = 0; i < SEGMENT_LINEAGE; i++)
        if (ancestor_is(&lineage[i], pid, start_time))
            return true;
    return false;
}
