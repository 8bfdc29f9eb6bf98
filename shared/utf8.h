/* UTF-8 (RFC 3629): what is a character. */
#ifndef TSCAP_UTF8_H
#define TSCAP_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence at `p`, a text that ends with 0; 0: not one (cut short, overlong, a surrogate, out of range). */
size_t utf8_sequence(const char *p);

/* Names are kept as Python has them, in texts that end with 0: UTF-8; lone surrogates as three bytes each, the `surrogatepass` of
 * Python; the character NUL as C0 80. The character at `p`, which is not at the end of the text; a byte that begins none is a
 * surrogate, U+DC80 to U+DCFF, as file names have them (`surrogateescape`). Returns how many bytes it takes. */
size_t utf8_character(const char *p, uint32_t *code);

#endif
