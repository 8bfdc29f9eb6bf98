/* The Python package in one file: the extension module, which the dynamic linker loads, with an archive of the Python modules
 * behind it, which zipimport reads. */
#ifndef TSCAP_BUNDLE_H
#define TSCAP_BUNDLE_H

/* A descriptor of a file in memory, or -errno. */
int bundle_make(const char *package, const char *library);

#endif
