/* Quantities for people: written with three significant digits, read with or without a unit. */
#ifndef TSCAP_UNITS_H
#define TSCAP_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UNITS_TEXT 32 /* room for any of the texts below */

/* "0 ns", "123 ns", "1.23 us", "12.3 ms", "123 s", "12345 s". */
void units_write_time(char *buffer, size_t size, uint64_t ns);

/* "0.250", "12.3", "4567": a number that may be a fraction. */
void units_write_number(char *buffer, size_t size, double value);

/* "64 KiB", "1.5 MiB". */
void units_write_bytes(char *buffer, size_t size, uint64_t bytes);

/* "10", "0.5", "10s", "500ms", "1m" to nanoseconds; false: not a time. A bare number means seconds. */
bool units_read_time(const char *text, uint64_t *ns);

/* "10%", "2.5%", "10": 100,000, 25,000 and 100,000 millionths; false: not a share. */
bool units_read_percent(const char *text, uint64_t *millionths);

/* A whole number in decimal, without sign or blanks. */
bool units_read_count(const char *text, uint64_t *count);

/* A user's name, or the number where there is none. */
void units_write_user(char *buffer, size_t size, uid_t uid);

#endif
