#include "attachment.h"

#include <stdbool.h>
#include <string.h>

#include "builtins.h"
#include "control.h"
#include "entry.h"
#include "functions.h"
#include "hook.h"
#include "watch.h"

static bool began; /* the session that runs was begun by us */

/* The hook has other events, and looks at other code, while functions are watched. */
static int rearm(bool armed) { return armed ? hook_arm() : 0; }

static int take_rules(const char *rules)
{
    bool armed = hook_armed();
    if (armed)
        hook_disarm();
    int r = watch_begin(rules);
    functions_watch(r == 0);
    builtins_forget();
    return rearm(armed) < 0 ? -1 : r;
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (; *text; text += strcspn(text, "\n") + (strchr(text, '\n') != NULL))
        if (strncmp(text, line, length) == 0 && (text[length] == '\n' || text[length] == '\0'))
            return true;
    return false;
}

enum recorder_change attachment_begin(const char *rules)
{
    bool again = watch_active();
    if (!recorder_available())
        return recorder_start(false); /* says why not */
    if (again && has_line(rules, CONTROL_RULE_ALONE))
        return RECORDER_ALREADY;
    if (take_rules(rules) < 0)
        return RECORDER_FAILED;
    if (has_line(rules, CONTROL_RULE_START) && !recorder_running()) {
        if (recorder_start(false) == RECORDER_FAILED)
            return RECORDER_FAILED;
        began = true;
    }
    return again ? RECORDER_ALREADY : RECORDER_DONE;
}

/* Was all of it our doing, nothing is left; has the program decorated functions since, or entered a collector, they go on
 * as if it had imported the package by itself. */
static bool is_all_ours(void) { return entry_brought_us() && functions_decorated() == 0 && recorder_consumers() == 0; }

enum recorder_change attachment_end(void)
{
    bool was = watch_active();
    if (began || entry_brought_us())
        recorder_stop();
    began = false;
    bool armed = hook_armed();
    if (armed)
        hook_disarm();
    watch_end();
    functions_watch(false);
    builtins_forget();
    if (rearm(armed) < 0)
        return RECORDER_FAILED;
    if (is_all_ours())
        recorder_detach();
    return was ? RECORDER_DONE : RECORDER_ALREADY;
}

void attachment_forget(void)
{
    began = false;
    watch_end();
    functions_watch(false);
    builtins_forget();
}
