#include "identities.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A byte that no name has stands between them: utf8.h. NULL: no memory. */
static char *join(const struct snapshot *s, const struct site_record *r)
{
    char *part[] = {snapshot_text(s, r->name), snapshot_text(s, r->qualname), snapshot_text(s, r->module), snapshot_text(s, r->file)};
    char *text = NULL;
    if (part[0] && part[1] && part[2] && part[3] &&
        asprintf(&text, "%s\xff%s\xff%s\xff%s\xff%" PRIu32 "\xff%" PRIu32, part[0], part[1], part[2], part[3], r->line, r->kind) < 0)
        text = NULL;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        free(part[i]);
    return text;
}

/* False: no memory. */
static bool give_number(struct identities *x, const struct snapshot *s, const struct site_record *r, uint32_t *number, uint64_t *refused)
{
    bool fresh;
    char *text = join(s, r);
    uint32_t given = text ? interning_number(&x->known, text, &fresh) : 0;
    free(text);
    *number = given <= IDENTITIES_MAX ? given : 0;
    *refused += given > IDENTITIES_MAX;
    return given;
}

uint32_t *identities_of(struct identities *x, const struct snapshot *s, uint64_t *refused)
{
    uint32_t *numbers = calloc((size_t)s->sites + 1, sizeof *numbers);
    bool whole = numbers != NULL;
    for (uint32_t id = 1; whole && id <= s->sites; id++)
        if (s->site[id].kind != SITE_OWN)
            whole = give_number(x, s, &s->site[id], &numbers[id], refused);
    if (!whole) {
        free(numbers);
        numbers = NULL;
    }
    return numbers;
}

void identities_free(struct identities *x) { interning_free(&x->known); }
