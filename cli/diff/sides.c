#include "sides.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

int sides_begin(struct sides *s, size_t a_captures, size_t b_captures)
{
    *s = (struct sides){.about = calloc(a_captures + b_captures + 1, sizeof *s->about)};
    int a = tally_begin(&s->tally[SIDE_A], a_captures), b = tally_begin(&s->tally[SIDE_B], b_captures);
    return s->about && a == 0 && b == 0 ? 0 : -ENOMEM;
}

void sides_free(struct sides *s)
{
    comparison_free(&s->comparison);
    for (size_t i = 0; i < s->known; i++)
        about_free(&s->about[i]);
    free(s->about);
    tally_free(&s->tally[SIDE_A]);
    tally_free(&s->tally[SIDE_B]);
    *s = (struct sides){.about = NULL};
}

int sides_add(struct sides *s, const char *name, const struct capture *c)
{
    size_t of_a = s->tally[SIDE_A].captures, number = s->known;
    struct about *a = &s->about[s->known++];
    about_make(a, name, c);
    if (!a->losses)
        return -ENOMEM;
    return number < of_a ? tally_add(&s->tally[SIDE_A], number, c) : tally_add(&s->tally[SIDE_B], number - of_a, c);
}

/* ---- in words ---- */

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }
static const char *is_or_are(size_t n) { return n == 1 ? "is" : "are"; }

#define MORE " by more than %.4g %%"
static double percent(const struct sides *s) { return 100 * s->comparison.threshold; }

static void explain_inconclusive(const struct sides *s, char *buffer, size_t size)
{
    const struct comparison *c = &s->comparison;
    size_t few = c->of[OUTCOME_TOO_FEW];
    if (!c->tested) {
        snprintf(buffer, size, "no function of at least %.0f %% of the time has calls on both sides", 100 * COMPARISON_SHARE);
        return;
    }
    int used = snprintf(buffer, size, "%zu and %zu captures are too few to tell %zu function%s from chance; it takes %zu a side",
                        s->tally[SIDE_A].captures, s->tally[SIDE_B].captures, few, plural(few), c->needed);
    if (c->over && used >= 0 && (size_t)used < size)
        snprintf(buffer + used, size - (size_t)used, "; as they are, %zu %s slower" MORE, c->over, is_or_are(c->over), percent(s));
}

/* Who is told that there is nothing wants to know what would have been seen. */
static void explain_pass(const struct sides *s, char *buffer, size_t size)
{
    const struct comparison *c = &s->comparison;
    snprintf(buffer, size, "of %zu function%s tested, none is found slower" MORE "; %.1f %% would be seen in half of them, %.1f %% in each", c->tested,
             plural(c->tested), percent(s), 100 * c->visible[0], 100 * c->visible[1]);
}

static void explain_failure(const struct sides *s, char *buffer, size_t size)
{
    const struct comparison *c = &s->comparison;
    snprintf(buffer, size, "of %zu function%s tested, %zu %s slower" MORE ", and not by chance", c->tested, plural(c->tested), c->over,
             is_or_are(c->over), percent(s));
}

void sides_explain(const struct sides *s, char *buffer, size_t size)
{
    static void (*const explain[])(const struct sides *s, char *buffer, size_t size) = {
        [VERDICT_PASS] = explain_pass, [VERDICT_FAIL] = explain_failure, [VERDICT_INCONCLUSIVE] = explain_inconclusive};
    enum verdict verdict = s->comparison.verdict;
    int used = snprintf(buffer, size, "%s: ", verdict_name(verdict));
    explain[verdict](s, buffer + used, size - (size_t)used);
}

const char *sides_next_difference(const struct sides *s, size_t *fact, char *buffer, size_t size)
{
    char a[ABOUT_TEXT], b[ABOUT_TEXT];
    while (*fact < ABOUT_FACTS && about_agree(s->about, s->known, *fact))
        ++*fact;
    if (*fact == ABOUT_FACTS)
        return NULL;
    about_list(sides_about(s, SIDE_A), s->tally[SIDE_A].captures, *fact, a, sizeof a);
    about_list(sides_about(s, SIDE_B), s->tally[SIDE_B].captures, *fact, b, sizeof b);
    snprintf(buffer, size, "%s: %s (A), %s (B)", about_fact_name(*fact), a, b);
    ++*fact;
    return buffer;
}

#define NAMED 2 /* captures of a side */

static void write_durations(const struct about *a, size_t count, char *buffer, size_t size)
{
    char least[UNITS_TEXT], most[UNITS_TEXT];
    uint64_t shortest = UINT64_MAX, longest = 0;
    for (size_t i = 0; i < count; i++) {
        shortest = a[i].duration < shortest ? a[i].duration : shortest;
        longest = a[i].duration > longest ? a[i].duration : longest;
    }
    units_write_time(least, sizeof least, shortest);
    units_write_time(most, sizeof most, longest);
    snprintf(buffer, size, strcmp(least, most) ? "%s to %s" : "%s", least, most);
}

void sides_write_captures(const struct sides *s, enum side side, char *buffer, size_t size)
{
    char durations[2 * UNITS_TEXT + 8];
    const struct about *a = sides_about(s, side);
    size_t count = s->tally[side].captures, used;
    write_durations(a, count, durations, sizeof durations);
    used = (size_t)snprintf(buffer, size, "%zu capture%s, %s:", count, plural(count), durations);
    for (size_t i = 0; i < count && i < NAMED && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s %s", i ? "," : "", a[i].name);
    if (count > NAMED && used < size)
        snprintf(buffer + used, size - used, " and %zu more", count - NAMED);
}

/* ---- around a table ---- */

#define LINE 1024

void sides_write_heading(const struct sides *s, FILE *out)
{
    char line[LINE];
    size_t fact = 0;
    for (enum side side = 0; side < SIDES; side++) {
        sides_write_captures(s, side, line, sizeof line);
        fprintf(out, "%c: %s\n", "AB"[side], line);
    }
    while (sides_next_difference(s, &fact, line, sizeof line))
        fprintf(out, "not the same: %s\n", line);
    if (about_durations_differ(s->about, s->known))
        fputs("not the same: how long was recorded: calls and times are of captures of different length, times per call are not\n", out);
    sides_explain(s, line, sizeof line);
    fprintf(out, "%s\n\n", line);
}

static void print_losses(const struct sides *s, FILE *out)
{
    for (size_t i = 0; i < s->known; i++)
        for (const char *line = s->about[i].losses; *line; line += strcspn(line, "\n") + 1)
            fprintf(out, "%s: %.*s\n", s->about[i].name, (int)strcspn(line, "\n"), line);
}

void sides_write_summary(const struct sides *s, size_t shown, FILE *out)
{
    static const char *const words[OUTCOMES] = {"slower", "faster", "alike", "with too few captures", "too small to be tested", "new", "gone"};
    const struct comparison *c = &s->comparison;
    fprintf(out, "\n%zu function%s", c->changes, c->changes == 1 ? "" : "s");
    for (enum outcome o = 0; o < OUTCOMES; o++)
        if (c->of[o])
            fprintf(out, ", %zu %s", c->of[o], words[o]);
    if (c->changes > shown)
        fprintf(out, "; %zu more not shown (--limit)", c->changes - shown);
    putc('\n', out);
    print_losses(s, out);
}
