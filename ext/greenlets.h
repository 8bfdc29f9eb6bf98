/* Greenlets: which one runs, by greenlet's own C interface, once the program has it. */
#ifndef TSCAP_GREENLETS_H
#define TSCAP_GREENLETS_H

/* Has the program got greenlet by now? Then demand_many_stacks is true. With the interpreter's lock, like the next. */
void greenlets_look(void);

/* The greenlet that runs, NULL: none can be told. May run code of the program: greenlet ends greenlets that other threads
 * dropped. */
const void *greenlets_running(void);

#endif
