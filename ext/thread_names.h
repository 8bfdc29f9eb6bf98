/* What the calling thread is called, by the module `threading`, and what its class is called. No code of the program runs. With the
 * interpreter's lock. */
#ifndef TSCAP_THREAD_NAMES_H
#define TSCAP_THREAD_NAMES_H

#include "python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: `threading` does not know the thread, or not yet; then as the kernel calls it. */
bool thread_names_find(char *buffer, size_t size);

/* `threading` knows the calling thread, or never will: one that begins is neither, nor one that ends. Who asks in between makes up a
 * thread. `called`: what it is about to run, or NULL. */
bool thread_names_is_settled(const PyCodeObject *called);

/* The class of the thread that last had this number and was asked for its name, "" if nobody knows any more. */
const char *thread_names_class(uint32_t tid);

#endif
