#include <criterion/criterion.h>

#include "units.h"

static void check_time(uint64_t ns, const char *expected)
{
    char text[UNITS_TEXT];
    units_write_time(text, sizeof text, ns);
    cr_expect_str_eq(text, expected, "%llu ns is \"%s\", expected \"%s\"", (unsigned long long)ns, text, expected);
}

Test(units, times_have_three_digits)
{
    check_time(0, "0 ns");
    check_time(999, "999 ns");
    check_time(1000, "1.00 us");
    check_time(9994, "9.99 us");
    check_time(9996, "10.0 us");
    check_time(99940, "99.9 us");
    check_time(99960, "100 us");
    check_time(999499, "999 us");
    check_time(999500, "1.00 ms");
    check_time(12345678, "12.3 ms");
    check_time(999499999, "999 ms");
    check_time(999500000, "1.00 s");
    check_time(61000000000, "61.0 s");
    check_time(12345000000000, "12345 s");
    check_time(UINT64_MAX, "18446744074 s");
}

static void check_number(double value, const char *expected)
{
    char text[UNITS_TEXT];
    units_write_number(text, sizeof text, value);
    cr_expect_str_eq(text, expected);
}

Test(units, numbers)
{
    check_number(0, "0.00");
    check_number(0.0314, "0.031");
    check_number(1, "1.00");
    check_number(12.34, "12.3");
    check_number(123456.7, "123457");
}

Test(units, bytes)
{
    char text[UNITS_TEXT];
    units_write_bytes(text, sizeof text, 4096);
    cr_expect_str_eq(text, "4 KiB");
    units_write_bytes(text, sizeof text, 3 << 19);
    cr_expect_str_eq(text, "1.5 MiB");
}

static void check_reads(const char *text, uint64_t expected)
{
    uint64_t ns = 0;
    cr_expect(units_read_time(text, &ns), "\"%s\" is a time", text);
    cr_expect_eq(ns, expected, "\"%s\" is %llu ns, read as %llu", text, (unsigned long long)expected, (unsigned long long)ns);
}

Test(units, times_are_read_with_and_without_unit)
{
    check_reads("0", 0);
    check_reads("1", 1000000000);
    check_reads("0.5", 500000000);
    check_reads(".25", 250000000);
    check_reads("10s", 10000000000);
    check_reads("500ms", 500000000);
    check_reads("3us", 3000);
    check_reads("7ns", 7);
    check_reads("2m", 120000000000);
    check_reads("1h", 3600000000000);
}

Test(units, what_is_no_time_is_refused)
{
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 s", "s", "1x", "nan", "inf", "0x10", "1e400", "1,5", "1ss"};
    uint64_t ns;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(units_read_time(wrong[i], &ns), "\"%s\" is not a time", wrong[i]);
}

Test(units, counts)
{
    uint64_t n = 0;
    cr_expect(units_read_count("18446744073709551615", &n));
    cr_expect_eq(n, UINT64_MAX);
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1.0", "18446744073709551616"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(units_read_count(wrong[i], &n), "\"%s\" is not a count", wrong[i]);
}

Test(units, reads_shares)
{
    uint64_t value = 7;
    cr_expect(units_read_percent("10%", &value) && value == 100000);
    cr_expect(units_read_percent("10", &value) && value == 100000);
    cr_expect(units_read_percent("2.5%", &value) && value == 25000);
    cr_expect(units_read_percent("0%", &value) && value == 0);
    static const char *const wrong[] = {"", "%", "-1%", "+1%", " 1%", "1 %", "1%%", "0x10%", "nan", "inf%", "1e300%", "ten"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(units_read_percent(wrong[i], &value), "'%s'", wrong[i]);
}
