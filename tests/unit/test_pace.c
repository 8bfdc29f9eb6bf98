#include <criterion/criterion.h>

#include "pace.h"

#define SECOND 1000000000u

/* Looks until then, each of which takes so long. */
static unsigned looks_in(uint64_t span, uint64_t takes, uint64_t *spent)
{
    struct pace p;
    unsigned looks = 0;
    *spent = 0;
    pace_begin(&p, 7);
    for (uint64_t now = 7; now < 7 + span; now = p.due) {
        if (now < p.due)
            continue;
        looks++;
        *spent += takes;
        pace_go_on(&p, now, now + takes);
    }
    return looks;
}

Test(pace, grows_as_the_logarithm_of_the_time)
{
    uint64_t spent;
    unsigned hour = looks_in(3600ull * SECOND, 1000, &spent), day = looks_in(86400ull * SECOND, 1000, &spent);
    cr_expect(hour > 140 && hour < 170, "%u", hour);
    cr_expect(day > 200 && day < 240, "%u", day);
}

Test(pace, takes_a_twentieth_of_a_cpu_at_most)
{
    uint64_t spent;
    cr_expect(looks_in(3600ull * SECOND, 3ull * SECOND, &spent) > 10);
    cr_expect_leq(spent, 3600ull * SECOND / 20);
}
