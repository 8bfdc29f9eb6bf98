/* What `dump` says beside a profile, for others that show one. */
#ifndef TSCAP_DUMP_H
#define TSCAP_DUMP_H

struct capture;

/* Where there is nothing to see, says what would change that. */
void dump_explain_emptiness(const struct capture *c);

#endif
