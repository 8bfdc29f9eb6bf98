/* Python's marshal format, version 2, which every Python 3 loads: no references, so each value stands by itself. */
#ifndef TSCAP_MARSHAL_H
#define TSCAP_MARSHAL_H

#include <stdint.h>
#include <stdio.h>

void marshal_dict(FILE *out);     /* begins one: key, value, key, value ... */
void marshal_dict_end(FILE *out);
void marshal_tuple(FILE *out, uint32_t count); /* `count` values follow */
void marshal_int(FILE *out, uint64_t value);   /* of any size */
void marshal_float(FILE *out, double value);
int marshal_text(FILE *out, const char *text); /* what is no UTF-8 in it as U+FFFD; 0, -ENOMEM */

#endif
