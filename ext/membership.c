#include "membership.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demand.h"
#include "recorder.h"
#include "roster.h"

member_set membership_running, membership_decorated, membership_everything;

static struct {
    struct roster *roster; /* NULL: nobody has entered it yet */
    member_set taken;
    uint32_t number[MEMBERS_MAX]; /* in the roster; 0: it is not there */
    member_set selects;           /* who is told of its sites */
    member_set *choosers;         /* by site; [room] */
    uint32_t room;
    bool all_recorded, all_common; /* nobody knows which are */
} m;

/* ---- sites by number ---- */

/* Bits that are no member's. */
#define RECORDED ((member_set)1 << 63)
#define COMMON ((member_set)1 << 62)
_Static_assert(MEMBERS_MAX <= 62, "two bits are left");
#define COMMON_MEMBERS (MEMBER_BIT(MEMBER_SESSION) | MEMBER_BIT(MEMBER_ATTACHED) | MEMBER_BIT(MEMBER_COLLECTORS))

static bool is_noted(uint32_t site, member_set bit) { return site < m.room && m.choosers[site] & bit; }

member_set membership_choosers(uint32_t site) { return site < m.room ? m.choosers[site] & ~(RECORDED | COMMON) : 0; }
bool membership_may_be_recorded(uint32_t site) { return m.all_recorded || is_noted(site, RECORDED); }
bool membership_is_common(uint32_t site) { return m.all_common || is_noted(site, COMMON); }

static bool make_room(uint32_t site)
{
    if (site < m.room)
        return true;
    uint32_t room = m.room ? m.room : 64;
    while (room <= site)
        room *= 2;
    member_set *more = realloc(m.choosers, room * sizeof *more);
    if (!more)
        return false;
    memset(more + m.room, 0, (room - m.room) * sizeof *more);
    m.choosers = more;
    m.room = room;
    return true;
}

/* Without memory for the one that matters, all count. */
static void note(uint32_t site, member_set bit, bool *all)
{
    if (make_room(site))
        m.choosers[site] |= bit;
    else
        *all = true;
}

int membership_choose(unsigned member, uint32_t site, bool on)
{
    if (on && !make_room(site))
        return -ENOMEM;
    if (on)
        m.choosers[site] |= MEMBER_BIT(member);
    else if (site < m.room)
        m.choosers[site] &= ~MEMBER_BIT(member);
    return 0;
}

size_t membership_chosen_by(unsigned member, uint32_t *site)
{
    size_t count = 0;
    for (uint32_t i = 0; i < m.room; i++)
        if (m.choosers[i] & MEMBER_BIT(member)) {
            if (site)
                site[count] = i;
            count++;
        }
    return count;
}

void membership_note_recorded(uint32_t site) { note(site, RECORDED, &m.all_recorded); }

/* ---- members ---- */

int membership_take(void)
{
    int member = MEMBER_OTHERS;
    while (member < MEMBERS_MAX && m.taken & MEMBER_BIT(member))
        member++;
    if (member == MEMBERS_MAX)
        return -1;
    m.taken |= MEMBER_BIT(member);
    return member;
}

void membership_give(unsigned member)
{
    member_set others = ~MEMBER_BIT(member);
    m.taken &= others;
    m.selects &= others;
    membership_running &= others;
    membership_decorated &= others;
    membership_everything &= others;
    for (uint32_t i = 0; i < m.room; i++)
        m.choosers[i] &= others;
}

/* ---- the roster ---- */

static void compact(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    (void)context;
    lanes_compact(recorder_lanes(), audience, all, used);
}

static bool open_roster(void)
{
    if (!m.roster)
        m.roster = roster_new(recorder_segment(), compact, NULL);
    return m.roster;
}

/* Calls that begin from here on belong to another audience, maybe. */
static void follow_roster(void) { demand_set_audience(roster_audience(m.roster)); }

int membership_enter(unsigned member, enum consumer_kind kind, const char *name, const char *text)
{
    const struct roster_selection selection = {.all = !text, .text = text ? text : "everything"};
    if (m.number[member])
        return 0;
    if (!open_roster())
        return -ENOMEM;
    m.number[member] = roster_add(m.roster, kind, name, &selection);
    if (m.number[member] && text)
        m.selects |= MEMBER_BIT(member);
    return m.number[member] ? 0 : -ENOSPC;
}

void membership_leave(unsigned member, uint64_t when)
{
    if (!m.number[member])
        return;
    roster_remove(m.roster, m.number[member], when);
    tracks_remove(recorder_tracks(), m.number[member]);
    m.number[member] = 0;
    follow_roster();
}

uint32_t membership_number(unsigned member) { return m.number[member]; }

int membership_begin(unsigned member, uint32_t flags, uint64_t when)
{
    int r = m.number[member] ? roster_begin(m.roster, m.number[member], flags, when) : 0;
    if (m.number[member] && r == 0)
        follow_roster();
    return r;
}

void membership_end(unsigned member, uint64_t when)
{
    if (!m.number[member])
        return;
    roster_end(m.roster, m.number[member], when);
    follow_roster();
}

int membership_clear(unsigned member, uint64_t when)
{
    int r = m.number[member] ? roster_clear(m.roster, m.number[member], when) : 0;
    if (m.number[member] && r == 0)
        follow_roster();
    return r;
}

int membership_select(unsigned member, const uint32_t *site, size_t sites, const char *text)
{
    const struct roster_selection selection = {.site = site, .sites = sites, .text = text};
    if (!m.number[member])
        return 0;
    int r = roster_select(m.roster, m.number[member], &selection);
    if (r < 0)
        return r;
    m.selects |= MEMBER_BIT(member);
    follow_roster();
    return 0;
}

void membership_switch(unsigned member, uint32_t switches)
{
    if (m.number[member])
        roster_switch(m.roster, m.number[member], switches);
}

/* Without room a function is not seen by who selects it: counted, as one without a number is. */
void membership_add_site(member_set members, uint32_t site)
{
    if (members & COMMON_MEMBERS)
        note(site, COMMON, &m.all_common);
    for (member_set left = members & m.selects; left && site; left &= left - 1) {
        unsigned member = (unsigned)__builtin_ctzll(left);
        if (m.number[member] && roster_select_new(m.roster, m.number[member], site) < 0)
            atomic_fetch_add_explicit(&recorder_segment()->header->lost_sites, 1, memory_order_relaxed);
    }
}

void membership_forget(void)
{
    if (m.roster)
        roster_delete(m.roster);
    m.roster = NULL;
    memset(m.number, 0, sizeof m.number);
    m.selects = membership_running = 0;
    free(m.choosers);
    m.choosers = NULL;
    m.room = 0;
    m.all_recorded = m.all_common = false;
    demand_set_audience(0);
}
