/* UTF-8 (RFC 3629): what is a character. */
#ifndef TSCAP_UTF8_H
#define TSCAP_UTF8_H

#include <stddef.h>

/* Bytes of the sequence at `p`, a text that ends with 0; 0: not one (cut short, overlong, a surrogate, out of range). */
size_t utf8_sequence(const char *p);

#endif
