#include "wording.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "message.h"

#define VALUE 4096 /* of a field: a path, or what a linker says */

static const struct wording_field *find_field(const struct wording_field *fields, const char *name, size_t length)
{
    for (; fields->name; fields++)
        if (strncmp(fields->name, name, length) == 0 && fields->name[length] == '\0')
            return fields;
    return NULL;
}

/* What a field is filled with is not looked at again. */
static void fill(char *buffer, size_t size, const char *text, const struct wording_field *fields, const void *context)
{
    char value[VALUE];
    size_t used = 0;
    buffer[0] = '\0';
    while (*text && used < size) {
        size_t plain = strcspn(text, "{"), name = text[plain] ? strcspn(text + plain, "}") : 0;
        used += (size_t)snprintf(buffer + used, size - used, "%.*s", (int)plain, text);
        if (name && used < size) {
            const struct wording_field *f = find_field(fields, text + plain + 1, name - 1);
            assert(f);
            value[0] = '\0';
            f->write(context, value, sizeof value);
            used += (size_t)snprintf(buffer + used, size - used, "%s", value);
        }
        text += plain + (name ? name + 1 : 0);
    }
}

void wording_fill(struct wording_text *t, const struct wording *w, const struct wording_field *fields, const void *context)
{
    fill(t->what, sizeof t->what, w->what, fields, context);
    fill(t->why, sizeof t->why, w->why, fields, context);
    fill(t->remedy, sizeof t->remedy, w->remedy, fields, context);
}

int wording_fail(enum exit_code code, const struct wording *w, const struct wording_field *fields, const void *context)
{
    struct wording_text t;
    wording_fill(&t, w, fields, context);
    return fail(code, "%s\n%s\n%s", t.what, t.why, t.remedy);
}
