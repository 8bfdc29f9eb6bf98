#include "pace.h"

#define FLOOR_NS 250000000u /* between two looks, and before the first */
#define SHARE 20            /* of the time so far, and of a CPU */

void pace_begin(struct pace *p, uint64_t now) { *p = (struct pace){now, now + FLOOR_NS}; }

void pace_go_on(struct pace *p, uint64_t look_began, uint64_t now)
{
    uint64_t took = now - look_began, pause = (now - p->began) / SHARE;
    if (pause < SHARE * took)
        pause = SHARE * took;
    p->due = now + (pause > FLOOR_NS ? pause : FLOOR_NS);
}
