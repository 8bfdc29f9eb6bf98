/* Namespaces: does a process live in another one than we do? */
#ifndef TSCAP_NAMESPACE_H
#define TSCAP_NAMESPACE_H

/* `proc`: its folder below /proc; `kind`: "mnt", "pid" ... 1: another; 0: the same; or -errno, -ESRCH: it has ended. Where the
 * kernel has no such namespaces, all are in the same. */
int namespace_differs(int proc, const char *kind);

#endif
