#include "attachment.h"

#include <stdbool.h>
#include <string.h>

#include "builtins.h"
#include "consumers.h"
#include "control.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "own_segment.h"
#include "recorder.h"
#include "session.h"
#include "watch.h"

static bool began;   /* the session that runs was begun by us */
static bool brought; /* so was the recorder, and the program has not imported it since */

void attachment_bring(void) { brought = true; }
void attachment_hand_over(void) { brought = false; }

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

enum consumers_change attachment_begin(const char *rules)
{
    bool again = watch_active();
    if (!recorder_available())
        return consumers_start(false); /* says why not */
    if (again && has_line(rules, CONTROL_RULE_ALONE))
        return CONSUMERS_ALREADY;
    if (take_rules(rules) < 0)
        return CONSUMERS_FAILED;
    if (has_line(rules, CONTROL_RULE_START) && !session_running()) {
        if (consumers_start(false) == CONSUMERS_FAILED)
            return CONSUMERS_FAILED;
        began = true;
    }
    return again ? CONSUMERS_ALREADY : CONSUMERS_DONE;
}

/* Was all of it our doing, nothing is left; has the program decorated functions since, or entered a collector, they go on
 * as if it had imported the package by itself. */
static bool is_all_ours(void) { return brought && functions_decorated() == 0 && demand_consumers() == 0; }

enum consumers_change attachment_end(void)
{
    bool was = watch_active();
    if (began || brought)
        consumers_stop();
    began = false;
    bool armed = hook_armed();
    if (armed)
        hook_disarm();
    watch_end();
    functions_watch(false);
    builtins_forget();
    if (rearm(armed) < 0)
        return CONSUMERS_FAILED;
    if (is_all_ours())
        own_segment_give_up();
    return was ? CONSUMERS_DONE : CONSUMERS_ALREADY;
}

void attachment_forget(void)
{
    began = false;
    watch_end();
    functions_watch(false);
    builtins_forget();
}
