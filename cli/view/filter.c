#include "filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "settings.h"

int filter_open(struct filter *f, const struct settings *s)
{
    char why[256];
    *f = (struct filter){.given = false};
    int r = s->filter ? regcomp(&f->expression, s->filter, REG_EXTENDED | REG_NOSUB) : 0;
    f->given = s->filter && r == 0;
    if (r == 0)
        return EXIT_OK;
    regerror(r, &f->expression, why, sizeof why);
    return fail(EXIT_USAGE,
                "%s: --filter: '%s' is not a regular expression\n"
                "%s\n"
                "tscap %s --filter '^Class[.]' %s",
                s->command, s->filter, why, s->command, s->operand ? s->operand : "auto");
}

void filter_close(struct filter *f)
{
    if (f->given)
        regfree(&f->expression);
    f->given = false;
}

bool filter_fits(const struct filter *f, const char *name)
{
    return !f->given || regexec(&f->expression, name, 0, NULL, 0) == 0;
}

bool filter_fits_site(const struct filter *f, const struct profile_site *site, const char *label)
{
    char *full;
    if (filter_fits(f, label))
        return true;
    bool fits = asprintf(&full, "%s:%s", site->module, site->qualname) >= 0;
    if (!fits)
        return false;
    fits = filter_fits(f, full);
    free(full);
    return fits;
}
