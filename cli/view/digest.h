/* The digest: what matters most of a profile as a JSON object of a bounded size, for scripts and assistants. */
#ifndef TSCAP_DIGEST_H
#define TSCAP_DIGEST_H

#include <stdbool.h>
#include <stdio.h>

#include "capture.h"

#define DIGEST_MAX 8192 /* bytes at most, whatever the profile holds */

/* `operand`: as the command has it, for what to type next. False: no memory. */
bool digest_write(const struct capture *c, const char *operand, FILE *out);

#endif
