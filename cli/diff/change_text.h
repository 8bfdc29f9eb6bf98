/* A change in words and numbers, as the forms for people have it. */
#ifndef TSCAP_CHANGE_TEXT_H
#define TSCAP_CHANGE_TEXT_H

#include <stddef.h>

#include "comparison.h"

#define CHANGE_TEXT 64 /* room for any of these */

void change_write_outcome(const struct change *f, char *buffer, size_t size);        /* "slower !", "too few" */
void change_write_relative(double relative, char *buffer, size_t size);              /* "+20.3 %"; "-": unknown */
void change_write_per_call(const struct change *f, enum side side, char *buffer, size_t size); /* "13.8 us" */
void change_write_count(uint64_t count, char *buffer, size_t size);                  /* "-": TALLY_UNKNOWN */
void change_write_time(uint64_t ns, char *buffer, size_t size);                      /* "-": TALLY_UNKNOWN */
void change_write_probability(const struct change *f, double p, char *buffer, size_t size); /* "0.0084"; "-": not tested */

void change_write_name(const struct change *f, char *buffer, size_t size); /* "f (app.py:12)", of any length */

#endif
