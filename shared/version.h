/* The project's version: the one place that says it; the packaging reads it from here too. */
#ifndef TSCAP_VERSION_H
#define TSCAP_VERSION_H

#define TSCAP_VERSION "0.1.0"

#endif
