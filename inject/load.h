/* Loading a library into a process that runs: finds a thread at a safe point, makes it load the library and call a function
 * of it, with one argument, a text. The function returns a pointer, never NULL. */
#ifndef TSCAP_LOAD_H
#define TSCAP_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_TEXT 512

struct load {
    pid_t pid;
    const char *library, *function, *argument;
    int bundle; /* a descriptor: the library, which the process cannot see, to be copied into its memory; 0: it sees it */
    uint64_t timeout_us;      /* to find a safe point */
    uint64_t call_timeout_us; /* for the loader */
};

enum load_problem {
    LOAD_OK,
    LOAD_GONE,          /* no such process, or it has ended meanwhile */
    LOAD_NOT_PERMITTED, /* `error` */
    LOAD_PAUSED,        /* stopped by a signal */
    LOAD_NO_PYTHON,     /* no file of it defines the C API */
    LOAD_MACHINE,       /* it runs on another kind of machine */
    LOAD_NO_LOADER,     /* nothing defines `text`: linked statically */
    LOAD_NO_SAFE_POINT, /* `text`: what was in the way at last */
    LOAD_REFUSED,       /* the kernel does not let it: `text`, `error`, `signal` */
    LOAD_LIBRARY,       /* the loader says `text` */
    LOAD_FAULT,         /* it came by `signal` while loading */
    LOAD_LATE,          /* the library is still being loaded */
    LOAD_NO_INTERFACE,  /* this CPython cannot be asked to run a script, or there is no place for one */
    LOAD_DISABLED,      /* its administrator forbids that */
    LOAD_UNHEARD,       /* no thread came by to run it; `error`: or could be asked */
    LOAD_FAILED,        /* on our side: `error` */
};

struct load_report {
    enum load_problem problem;
    int error, signal;
    char text[LOAD_TEXT];
    uint64_t result;   /* of the function: an address in the process */
    uint64_t region, region_size; /* memory left behind in it, free to go; 0: none */
    unsigned attempts; /* threads stopped */
    uint64_t pause_us; /* the longest time one of them was stopped, or on our business */
    pid_t tid;         /* which thread it was */
    char returning;    /* 'R': would have survived our death; 'S': not */
    bool by_script;    /* see script_load.h */
};

void load_run(const struct load *l, struct load_report *r);

/* Only looks whether a thread is at a safe point, changes nothing. */
void load_rehearse(const struct load *l, struct load_report *r);

/* Runs `body` in a process of its own, which signals to us and our end do not reach: what it has begun it completes. */
void load_apart(void (*body)(const void *what, struct load_report *r), const void *what, struct load_report *r);

#endif
