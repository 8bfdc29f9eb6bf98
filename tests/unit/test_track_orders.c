#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "track_orders.h"

static struct track_orders o;

Test(track_orders, lines)
{
    cr_assert_eq(track_orders_parse(&o, "enable=4:7\ndisable=4294967295:1\n"), 0);
    cr_assert_eq(o.count, 2);
    cr_expect(o.order[0].on && o.order[0].profiler == 4 && o.order[0].row == 7);
    cr_expect(!o.order[1].on && o.order[1].profiler == UINT32_MAX && o.order[1].row == 1);
}

Test(track_orders, what_is_none)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "enable",
                                        "enable=\n",
                                        "enable=1\n",
                                        "enable=1:2",
                                        "enable=1:2 \n",
                                        "enable= 1:2\n",
                                        "enable=+1:2\n",
                                        "enable=-1:2\n",
                                        "enable=1:-2\n",
                                        "enable=0:1\n",
                                        "enable=1:0\n",
                                        "enable=1:4294967296\n",
                                        "enable=99999999999999999999:1\n",
                                        "enabled=1:2\n",
                                        "enable=1:2\nx",
                                        "enable=1:2\n\n",
                                        "ENABLE=1:2\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_eq(track_orders_parse(&o, texts[i]), -EINVAL, "'%s'", texts[i]);
}

Test(track_orders, as_many_as_there_is_room_for)
{
    static struct track_orders many;
    char text[TRACK_ORDERS_TEXT + 32];
    for (size_t i = 0; i < TRACK_ORDERS_MAX; i++)
        many.order[i] = (struct track_order){UINT32_MAX, UINT32_MAX - (uint32_t)i, i % 2};
    many.count = TRACK_ORDERS_MAX;
    track_orders_write(&many, text);
    cr_assert_lt(strlen(text), TRACK_ORDERS_TEXT);
    cr_assert_eq(track_orders_parse(&o, text), 0);
    cr_expect_eq(o.count, many.count);
    cr_expect_eq(memcmp(o.order, many.order, sizeof o.order), 0);
    strcat(text, "enable=1:1\n");
    cr_expect_eq(track_orders_parse(&o, text), -EINVAL);
}
