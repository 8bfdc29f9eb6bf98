#include "comparison.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "discoveries.h"
#include "permutation.h"

const char *outcome_name(enum outcome o)
{
    static const char *const names[OUTCOMES] = {
        [OUTCOME_SLOWER] = "slower", [OUTCOME_FASTER] = "faster", [OUTCOME_ALIKE] = "alike", [OUTCOME_TOO_FEW] = "too_few",
        [OUTCOME_SMALL] = "small",   [OUTCOME_NEW] = "new",       [OUTCOME_GONE] = "gone",
    };
    return names[o];
}

const char *verdict_name(enum verdict v)
{
    static const char *const names[] = {[VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_INCONCLUSIVE] = "INCONCLUSIVE"};
    return names[v];
}

/* ---- medians ---- */

static int compare_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Sorts them. NaN of none. */
static double median(double *value, size_t count)
{
    if (!count)
        return NAN;
    qsort(value, count, sizeof *value, compare_doubles);
    return count % 2 ? value[count / 2] : value[count / 2 - 1] / 2 + value[count / 2] / 2;
}

static int compare_counts(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

/* As integers, so that of one capture nothing is rounded. `stride`: from one capture to the next. */
static uint64_t median_of(const uint64_t *of, size_t captures, size_t stride)
{
    uint64_t value[TALLY_CAPTURES];
    size_t known = 0;
    for (size_t i = 0; i < captures; i++)
        if (of[i * stride] != TALLY_UNKNOWN)
            value[known++] = of[i * stride];
    if (!known)
        return TALLY_UNKNOWN;
    qsort(value, known, sizeof *value, compare_counts);
    uint64_t upper = value[known / 2], lower = value[(known - 1) / 2];
    return lower + (upper - lower) / 2;
}

uint64_t comparison_function_median(const struct comparison *c, const struct change *f, enum side side, enum quantity q)
{
    return f->function[side] ? median_of(f->function[side]->of + q, c->side[side]->captures, QUANTITIES) : TALLY_UNKNOWN;
}

uint64_t comparison_path_median(const struct comparison *c, const struct path_change *p, enum side side, enum quantity q)
{
    return p->path[side] ? median_of(p->path[side]->of + q, c->side[side]->captures, QUANTITY_SUMS) : TALLY_UNKNOWN;
}

/* ---- functions ---- */

double comparison_per_call(const struct comparison *c, const struct tally_function *f, size_t capture)
{
    uint64_t calls = tally_value(f, capture, QUANTITY_CALLS), time = tally_value(f, capture, c->metric);
    return calls && time != TALLY_UNKNOWN ? (double)time / (double)calls : NAN;
}

/* Of those captures that have calls. How many. */
static size_t list_per_call(const struct comparison *c, const struct change *f, enum side side, double *value)
{
    size_t count = 0;
    for (size_t i = 0; f->function[side] && i < c->side[side]->captures; i++) {
        double per_call = comparison_per_call(c, f->function[side], i);
        if (!isnan(per_call))
            value[count++] = per_call;
    }
    return count;
}

static double known_or_0(uint64_t value) { return value == TALLY_UNKNOWN ? 0 : (double)value; }

static void fill_change(const struct comparison *c, struct change *f)
{
    double value[TALLY_CAPTURES], time[SIDES];
    for (enum side side = 0; side < SIDES; side++) {
        f->captures[side] = list_per_call(c, f, side, value);
        f->per_call[side] = median(value, f->captures[side]);
        time[side] = known_or_0(comparison_function_median(c, f, side, c->metric));
    }
    double a = f->per_call[SIDE_A], b = f->per_call[SIDE_B];
    f->relative = a == b ? 0 : b / a - 1;
    f->growth = time[SIDE_B] - time[SIDE_A];
    f->outcome = !f->captures[SIDE_A] ? OUTCOME_NEW : !f->captures[SIDE_B] ? OUTCOME_GONE : OUTCOME_SMALL;
}

static bool pair_sides(struct comparison *c, struct pairing **of_b)
{
    const struct tally *t[SIDES] = {c->side[SIDE_A], c->side[SIDE_B]};
    struct identity *who[SIDES];
    for (enum side side = 0; side < SIDES; side++) {
        who[side] = calloc(t[side]->functions + 1, sizeof **who);
        for (size_t i = 0; who[side] && i < t[side]->functions; i++)
            who[side][i] = t[side]->function[i].who;
    }
    *of_b = calloc(t[SIDE_B]->functions + 1, sizeof **of_b);
    bool whole = *of_b && who[SIDE_A] && who[SIDE_B] &&
                 pairing_make(*of_b, who[SIDE_A], t[SIDE_A]->functions, who[SIDE_B], t[SIDE_B]->functions, false);
    free(who[SIDE_A]);
    free(who[SIDE_B]);
    return whole;
}

/* Those of A, each with its like in B, then those that are only in B. */
static bool list_changes(struct comparison *c)
{
    const struct tally *a = c->side[SIDE_A], *b = c->side[SIDE_B];
    struct pairing *of_b;
    c->change = calloc(a->functions + b->functions + 1, sizeof *c->change);
    bool whole = pair_sides(c, &of_b) && c->change;
    for (size_t i = 0; whole && i < a->functions; i++)
        c->change[c->changes++].function[SIDE_A] = &a->function[i];
    for (size_t i = 0; whole && i < b->functions; i++) {
        bool alone = of_b[i].other == PAIRING_NONE;
        struct change *f = &c->change[alone ? c->changes++ : of_b[i].other];
        f->function[SIDE_B] = &b->function[i];
        f->by = of_b[i].by;
    }
    for (size_t i = 0; i < c->changes; i++)
        fill_change(c, &c->change[i]);
    free(of_b);
    return whole;
}

/* ---- shares: of each capture alike, however long it was ---- */

static double total_of(const struct comparison *c, enum side side, size_t capture)
{
    double total = 0;
    for (size_t i = 0; i < c->side[side]->functions; i++)
        total += known_or_0(tally_value(&c->side[side]->function[i], capture, c->metric));
    return total;
}

static void add_shares(struct comparison *c, enum side side, size_t capture, double weight)
{
    double total = total_of(c, side, capture);
    for (size_t i = 0; total > 0 && i < c->changes; i++)
        if (c->change[i].function[side])
            c->change[i].share += known_or_0(tally_value(c->change[i].function[side], capture, c->metric)) / total * weight;
}

/* Of both sides together: whether a function is tested must not depend on which side a capture is on. */
static void sum_shares(struct comparison *c)
{
    double all = (double)(c->side[SIDE_A]->captures + c->side[SIDE_B]->captures);
    for (enum side side = 0; side < SIDES; side++)
        for (size_t i = 0; i < c->side[side]->captures; i++)
            add_shares(c, side, i, 1 / all);
}

/* ---- the tests ---- */

/* Those with calls on both sides and enough of the time. */
static void choose_tested(struct comparison *c)
{
    for (size_t i = 0; i < c->changes; i++) {
        struct change *f = &c->change[i];
        f->tested = f->outcome == OUTCOME_SMALL && f->share >= COMPARISON_SHARE;
        c->tested += f->tested;
    }
}

/* Then no way to deal the captures parts them more. */
static double visible_from(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double most = a[0], least = b[0];
    for (size_t i = 1; i < a_count; i++)
        most = a[i] > most ? a[i] : most;
    for (size_t i = 1; i < b_count; i++)
        least = b[i] < least ? b[i] : least;
    return most > least ? most / least - 1 : 0;
}

static bool test(const struct comparison *c, struct change *f, struct permutation *p)
{
    double a[TALLY_CAPTURES], b[TALLY_CAPTURES];
    size_t a_count = list_per_call(c, f, SIDE_A, a), b_count = list_per_call(c, f, SIDE_B, b);
    f->visible = visible_from(a, a_count, b, b_count);
    return permutation_test(p, a, a_count, b, b_count);
}

struct tests { /* [tested]: of what is slower, and of what is faster: a question each */
    double *slower, *faster, *q_slower, *q_faster;
    double *visible;
};

static enum outcome outcome_of(const struct comparison *c, const struct change *f, double q_slower, double q_faster)
{
    if (q_slower <= COMPARISON_LEVEL && f->relative > 0)
        return OUTCOME_SLOWER;
    if (q_faster <= COMPARISON_LEVEL && f->relative < 0)
        return OUTCOME_FASTER;
    bool could = permutation_least(f->captures[SIDE_A], f->captures[SIDE_B]) * (double)c->tested <= COMPARISON_LEVEL;
    return could ? OUTCOME_ALIKE : OUTCOME_TOO_FEW;
}

static void judge(const struct comparison *c, struct change *f, const struct tests *t, size_t i)
{
    bool slower = t->slower[i] <= t->faster[i];
    f->p = slower ? t->slower[i] : t->faster[i];
    f->q = slower ? t->q_slower[i] : t->q_faster[i];
    f->outcome = outcome_of(c, f, t->q_slower[i], t->q_faster[i]);
    f->over = (f->outcome == OUTCOME_SLOWER || f->outcome == OUTCOME_TOO_FEW) && f->relative > c->threshold;
}

static bool run_tests(struct comparison *c, struct tests *t)
{
    size_t n = 0;
    struct permutation p;
    for (size_t i = 0; i < c->changes; i++) {
        if (!c->change[i].tested)
            continue;
        if (!test(c, &c->change[i], &p))
            return false;
        t->slower[n] = p.greater;
        t->visible[n] = c->change[i].visible;
        t->faster[n++] = p.less;
    }
    return discoveries_adjust(t->q_slower, t->slower, n) && discoveries_adjust(t->q_faster, t->faster, n);
}

static bool test_all(struct comparison *c)
{
    size_t n = 0;
    choose_tested(c);
    double *room = calloc(5 * c->tested + 1, sizeof *room);
    struct tests t = {room, room + c->tested, room + 2 * c->tested, room + 3 * c->tested, room + 4 * c->tested};
    bool whole = room && run_tests(c, &t);
    for (size_t i = 0; whole && i < c->changes; i++)
        if (c->change[i].tested)
            judge(c, &c->change[i], &t, n++);
    if (whole && n) {
        qsort(t.visible, n, sizeof *t.visible, compare_doubles);
        c->visible[0] = t.visible[(n - 1) / 2];
        c->visible[1] = t.visible[n - 1];
    }
    free(room);
    return whole;
}

/* ---- the verdict ---- */

static void decide(struct comparison *c)
{
    size_t failed = 0;
    for (size_t i = 0; i < c->changes; i++) {
        const struct change *f = &c->change[i];
        c->of[f->outcome]++;
        c->over += f->over;
        failed += f->over && f->outcome == OUTCOME_SLOWER;
    }
    bool unknown = c->of[OUTCOME_TOO_FEW] || !c->tested;
    c->needed = c->tested ? permutation_enough(COMPARISON_LEVEL / (double)c->tested) : 0;
    c->verdict = failed ? VERDICT_FAIL : unknown ? VERDICT_INCONCLUSIVE : VERDICT_PASS;
}

static int rank_of(const struct change *f) { return f->over && f->outcome == OUTCOME_SLOWER ? 0 : f->outcome == OUTCOME_SLOWER ? 1 : 2; }

static int compare_changes(const void *x, const void *y)
{
    const struct change *a = x, *b = y;
    if (rank_of(a) != rank_of(b))
        return rank_of(a) - rank_of(b);
    int r = (a->growth < b->growth) - (a->growth > b->growth);
    const struct identity *i = change_who(a), *k = change_who(b);
    if (r == 0)
        r = strcmp(i->name, k->name);
    if (r == 0)
        r = strcmp(i->file, k->file);
    return r ? r : (i->line > k->line) - (i->line < k->line);
}

/* ---- paths ---- */

/* Which change each function of a side is of. */
static uint32_t *list_numbers(const struct comparison *c, enum side side)
{
    uint32_t *number = calloc(c->side[side]->functions + 1, sizeof *number);
    for (size_t i = 0; number && i < c->changes; i++)
        if (c->change[i].function[side])
            number[c->change[i].function[side] - c->side[side]->function] = (uint32_t)i;
    return number;
}

static uint32_t find_path(struct comparison *c, struct counts *known, uint32_t parent, uint32_t function)
{
    uint64_t key = ((uint64_t)parent << 32 | function) + 1;
    uint32_t found = counts_get(known, key);
    if (found || !counts_set(known, key, (uint32_t)c->paths + 1))
        return found;
    c->path[++c->paths] = (struct path_change){.parent = parent, .function = function};
    return (uint32_t)c->paths;
}

static bool add_paths(struct comparison *c, struct counts *known, enum side side)
{
    const struct tally *t = c->side[side];
    uint32_t *number = list_numbers(c, side), *at = calloc(t->paths + 1, sizeof *at);
    bool whole = number && at;
    for (size_t i = 1; whole && i <= t->paths; i++) {
        const struct tally_path *p = &t->path[i];
        at[i] = find_path(c, known, at[p->parent], p->function == TALLY_OTHER ? TALLY_OTHER : number[p->function]);
        whole = at[i] != 0;
        c->path[at[i]].path[side] = p;
    }
    free(number);
    free(at);
    return whole;
}

static bool list_paths(struct comparison *c)
{
    struct counts known;
    bool whole = counts_init(&known);
    c->path = calloc(c->side[SIDE_A]->paths + c->side[SIDE_B]->paths + 1, sizeof *c->path);
    whole = whole && c->path && add_paths(c, &known, SIDE_A) && add_paths(c, &known, SIDE_B);
    counts_free(&known);
    return whole;
}

int comparison_make(struct comparison *c, const struct tally *a, const struct tally *b, enum quantity metric, double threshold)
{
    *c = (struct comparison){.side = {a, b}, .metric = metric, .threshold = threshold};
    if (!list_changes(c))
        return -ENOMEM;
    sum_shares(c);
    if (!test_all(c))
        return -ENOMEM;
    decide(c);
    if (c->changes)
        qsort(c->change, c->changes, sizeof *c->change, compare_changes);
    return list_paths(c) ? 0 : -ENOMEM;
}

void comparison_free(struct comparison *c)
{
    free(c->change);
    free(c->path);
    *c = (struct comparison){.change = NULL};
}
