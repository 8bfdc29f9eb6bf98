#include "consumers.h"

#include "python.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "arming.h"
#include "block.h"
#include "builtins.h"
#include "clock.h"
#include "demand.h"
#include "functions.h"
#include "recorder.h"
#include "selection.h"

static struct consumer_handle *all[MEMBERS_MAX]; /* by member: those that consumers_new() made */
static member_set everywhere; /* of those that run: who wants all threads */

bool consumers_refuse(void)
{
    if (recorder_available())
        return false;
    PyErr_Format(PyExc_RuntimeError, "timestamp_capture cannot record: %s", recorder_problem());
    return true;
}

int consumers_raise(int error, const char *what)
{
    if (error == -ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_Format(PyExc_RuntimeError, "timestamp_capture cannot %s: there are too many consumers with different beginnings and selections; "
                                         "end and remove some", what);
    return -1;
}

/* Everything may have changed since it was made: another thread, a fork, `tscap detach`. */
bool consumers_refuse_gone(const struct consumer_handle *c)
{
    if (c->gone)
        PyErr_SetString(PyExc_RuntimeError, "this consumer was removed, or is of a process or a recording that is gone: make another one");
    return c->gone;
}

/* ---- making and removing ---- */

struct consumer_handle *consumers_new(enum consumer_kind kind, const char *name, bool everything)
{
    int member = consumers_refuse() ? -1 : membership_take();
    struct consumer_handle *c = member < 0 ? NULL : calloc(1, sizeof *c);
    int error = member < 0 ? -ENOSPC : !c ? -ENOMEM : membership_enter((unsigned)member, kind, name, everything ? NULL : "");
    if (error < 0) {
        if (member >= 0)
            membership_give((unsigned)member);
        free(c);
        if (!PyErr_Occurred())
            consumers_raise(error, "take another consumer");
        return NULL;
    }
    *c = (struct consumer_handle){.member = (unsigned)member, .kind = kind};
    snprintf(c->name, sizeof c->name, "%s", name);
    if (everything) {
        membership_everything |= MEMBER_BIT(member);
        membership_decorated |= MEMBER_BIT(member);
    }
    all[member] = c;
    return c;
}

void consumers_free(struct consumer_handle *c) { free(c); }

bool consumers_have_records(void)
{
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        if (all[i] && all[i]->has_records)
            return true;
    return false;
}

int consumers_unselect(const struct consumer_handle *c)
{
    if (!selection_has(c->member))
        return 0;
    bool were = arming_suspend();
    selection_drop(c->member);
    functions_reselect(c->member);
    builtins_forget();
    return arming_resume(were);
}

static void give_up(struct consumer_handle *c)
{
    membership_give(c->member);
    all[c->member] = NULL;
    c->running = false;
    c->gone = true;
}

void consumers_remove(struct consumer_handle *c)
{
    if (c->gone)
        return;
    consumers_end(c);
    membership_leave(c->member, clock_ticks());
    if (consumers_unselect(c) < 0)
        PyErr_Clear(); /* the hooks find no room to come back: status() tells */
    give_up(c);
}

void consumers_forget(void)
{
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        if (all[i]) {
            consumers_unselect(all[i]);
            give_up(all[i]);
        }
    everywhere = 0;
    membership_forget();
}

/* ---- beginning and ending ---- */

static void note_running(struct consumer_handle *c, bool running)
{
    c->running = running;
    c->has_records |= running;
    if (running && !c->encloses)
        everywhere |= MEMBER_BIT(c->member);
    else
        everywhere &= ~MEMBER_BIT(c->member);
    demand_set_everyone(everywhere != 0);
}

/* The hooks for those that run, and for this one, too. Other threads may run meanwhile, and one of them may end the same consumer:
 * then what was armed for it is not any more. */
static int arm_for(const struct consumer_handle *c, bool look_again)
{
    int r;
    if (!c->running && selection_hears_of_builtins(c->member))
        arming_suspend(); /* C functions have events of their own */
    do {
        membership_running |= MEMBER_BIT(c->member);
        r = arming_arm(look_again);
    } while (r == 0 && !(membership_running & MEMBER_BIT(c->member)));
    if (r < 0 && !c->running)
        membership_running &= ~MEMBER_BIT(c->member);
    return r;
}

/* Nothing could be recorded without room for it. A lack of memory is counted, and may end; a file that somebody removed nobody
 * reads. */
static bool refuse_unreachable(void)
{
    if (segment_check(recorder_segment()) != -EACCES)
        return false;
    PyErr_SetString(PyExc_RuntimeError, "timestamp_capture cannot record: its file is out of reach. A program that becomes another user and "
                                        "closes the descriptors that it had has to import timestamp_capture after that");
    return true;
}

enum consumers_change consumers_begin(struct consumer_handle *c, bool look_again, uint32_t flags)
{
    if (consumers_refuse() || consumers_refuse_gone(c) || (!c->running && !c->encloses && refuse_unreachable()) || arm_for(c, look_again) < 0 ||
        consumers_refuse() || consumers_refuse_gone(c))
        return CONSUMERS_FAILED;
    bool again = c->running;
    int error = membership_begin(c->member, flags, clock_ticks());
    if (error < 0 && !again) {
        membership_running &= ~MEMBER_BIT(c->member);
        arming_disarm();
        consumers_raise(error, "begin");
        return CONSUMERS_FAILED;
    }
    if (again)
        return CONSUMERS_ALREADY;
    if (!c->accompanies)
        demand_add();
    note_running(c, true);
    return CONSUMERS_DONE;
}

enum consumers_change consumers_end(struct consumer_handle *c)
{
    if (c->gone || !c->running)
        return CONSUMERS_ALREADY;
    membership_running &= ~MEMBER_BIT(c->member);
    note_running(c, false);
    membership_end(c->member, clock_ticks());
    if (!c->accompanies)
        demand_remove();
    if (demand_consumers()) {
        functions_disarm();
        return CONSUMERS_DONE;
    }
    if (c->encloses)
        arming_linger();
    else
        arming_disarm();
    lanes_note_stop(recorder_lanes(), demand_ended());
    return CONSUMERS_DONE;
}

int consumers_clear(struct consumer_handle *c)
{
    if (consumers_refuse() || consumers_refuse_gone(c))
        return -1;
    int error = membership_clear(c->member, clock_ticks());
    if (error < 0)
        return consumers_raise(error, "clear this consumer");
    c->has_records = c->running;
    return 0;
}

/* ---- selecting ---- */

/* To the roster, all that it wants now. */
static int select_all(const struct consumer_handle *c, const char *text)
{
    size_t count = membership_chosen_by(c->member, NULL);
    uint32_t *site = malloc((count + marks_count() + 1) * sizeof *site);
    if (!site)
        return -ENOMEM;
    count = membership_chosen_by(c->member, site);
    count += functions_wanted_by(c->member, site + count);
    int error = membership_select(c->member, site, count, text);
    free(site);
    return error;
}

/* Exchanges the rules and whatever follows from them; `drop`: there were none before, so there are none again. */
static int exchange(const struct consumer_handle *c, struct rules *rules, bool drop)
{
    if (selection_exchange(c->member, rules) < 0)
        return -1;
    if (drop)
        selection_drop(c->member);
    functions_reselect(c->member);
    builtins_forget();
    return 0;
}

static int change_rules(const struct consumer_handle *c, struct rules *rules)
{
    char text[SELECTION_TEXT];
    bool had = selection_has(c->member);
    if (exchange(c, rules, false) < 0)
        return -1;
    member_set everything = membership_everything, decorated = membership_decorated, bit = MEMBER_BIT(c->member);
    membership_everything &= ~bit;
    membership_decorated &= ~bit;
    int error = select_all(c, selection_describe(c->member, text));
    if (error == 0)
        return 0;
    membership_everything = everything;
    membership_decorated = decorated;
    exchange(c, rules, !had);
    return consumers_raise(error, "select these functions");
}

int consumers_select(struct consumer_handle *c, struct rules *rules)
{
    bool were = false;
    int r = consumers_refuse() || consumers_refuse_gone(c) ? -1 : 0;
    if (r == 0) {
        were = arming_suspend();
        r = change_rules(c, rules);
    }
    rules_free(rules); /* those of before, or those that were refused */
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int armed = !were ? 0 : functions_arm(false) < 0 ? -1 : arming_resume(were);
    if (r < 0)
        PyErr_Restore(type, value, traceback);
    return armed < 0 ? -1 : r;
}

/* Those that are chosen already stay so, whatever happens: only these are the ones that change. */
static size_t keep_changes(const struct consumer_handle *c, uint32_t *site, size_t sites, bool on)
{
    size_t kept = 0;
    for (size_t i = 0; i < sites; i++)
        if (!(membership_choosers(site[i]) & MEMBER_BIT(c->member)) == on)
            site[kept++] = site[i];
    return kept;
}

static int mark_chosen(const struct consumer_handle *c, const uint32_t *site, size_t sites, bool on)
{
    int error = 0;
    for (size_t i = 0; i < sites && error == 0; i++)
        error = membership_choose(c->member, site[i], on);
    return error;
}

/* Nothing is its that another selection would change. */
static bool are_new(const struct consumer_handle *c, const uint32_t *site, size_t sites)
{
    for (size_t i = 0; i < sites && c->has_records; i++)
        if (membership_may_be_recorded(site[i]))
            return false;
    return true;
}

static int choose(const struct consumer_handle *c, const uint32_t *site, size_t sites, bool on)
{
    bool new = on && are_new(c, site, sites);
    int error = mark_chosen(c, site, sites, on);
    if (error == 0 && !new)
        error = select_all(c, "by number");
    if (error < 0)
        mark_chosen(c, site, sites, !on);
    for (size_t i = 0; i < sites && new && error == 0; i++)
        membership_add_site(MEMBER_BIT(c->member), site[i]);
    return error;
}

int consumers_choose(struct consumer_handle *c, uint32_t *site, size_t sites, bool on)
{
    if (consumers_refuse() || consumers_refuse_gone(c))
        return -1;
    sites = keep_changes(c, site, sites, on);
    int error = sites ? choose(c, site, sites, on) : 0;
    if (error < 0)
        return consumers_raise(error, "select these sites");
    functions_note_choice();
    if (!on)
        functions_disarm();
    return on && c->running ? functions_arm_sites(site, sites) : 0;
}
