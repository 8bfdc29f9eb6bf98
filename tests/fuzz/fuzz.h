/* What libFuzzer, or replay.c in its place, calls. */
#ifndef TSCAP_TESTS_FUZZ_H
#define TSCAP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #condition), abort()))

#endif
