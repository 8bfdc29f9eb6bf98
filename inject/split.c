#include "split.h"

#include <stdlib.h>

#include "jump.h"

/* What makes it certain. A procedure in whose first instruction a stack frame is there already cannot be called: it belongs
 * to some function. Only jumps get there, of that function; a jump into another one's inside no compiler makes, only bytes
 * that look like one do. So several, to different places, in both directions, and from one such procedure only. */
#define TARGETS_MIN 4
#define BYTES_MAX (2u << 20)
#define CANDIDATES_MAX 16

struct search {
    const struct unwind_table *table;
    const struct python_memory *memory;
    unsigned machine;
    struct procedure candidate[CANDIDATES_MAX];
    size_t candidates;
    bool too_many;
};

static bool covers(const struct procedure *p, uint64_t address) { return address >= p->begin && address < p->end; }

/* From malloc; NULL: not to be had. */
static uint8_t *read_code(const struct search *s, const struct procedure *p)
{
    uint64_t size = p->end - p->begin;
    uint8_t *code = size <= BYTES_MAX ? malloc(size) : NULL;
    if (code && s->memory->read(s->memory->context, p->begin, code, size) < 0) {
        free(code);
        code = NULL;
    }
    return code;
}

/* ---- jumps out of a procedure ---- */

struct jumps {
    const struct search *search;
    const struct procedure *from;
    const uint8_t *code;
    uint64_t next; /* offset */
};

static bool next_target(struct jumps *j, uint64_t *target)
{
    uint64_t size = j->from->end - j->from->begin, step = jump_step(j->search->machine);
    while (step && j->next < size) {
        uint64_t at = j->next;
        j->next += step;
        if (jump_at(j->search->machine, j->code + at, size - at, j->from->begin + at, target) && !covers(j->from, *target))
            return true;
    }
    return false;
}

/* To different places within the other one. Its first instruction does not count: where functions begin, others jump to. */
static bool jumps_often(const struct search *s, const struct procedure *from, const uint8_t *code, const struct procedure *to)
{
    struct jumps j = {.search = s, .from = from, .code = code};
    uint64_t seen[TARGETS_MIN], target;
    size_t count = 0, k;
    while (count < TARGETS_MIN && next_target(&j, &target)) {
        for (k = 0; k < count && seen[k] != target; k++)
            ;
        if (k == count && covers(to, target) && target != to->begin)
            seen[count++] = target;
    }
    return count == TARGETS_MIN;
}

/* ---- candidates ---- */

static bool is_candidate(const struct search *s, uint64_t address)
{
    for (size_t i = 0; i < s->candidates; i++)
        if (covers(&s->candidate[i], address))
            return true;
    return false;
}

static void find_candidates(struct search *s, const struct procedure *function, const uint8_t *code)
{
    struct jumps j = {.search = s, .from = function, .code = code};
    struct procedure p;
    uint64_t target;
    while (!s->too_many && next_target(&j, &target)) {
        if (is_candidate(s, target) || !unwind_table_find(s->table, target, &p) || !p.inner)
            continue;
        s->too_many = s->candidates == CANDIDATES_MAX;
        if (!s->too_many)
            s->candidate[s->candidates++] = p;
    }
}

static bool is_part(const struct search *s, const struct procedure *function, const uint8_t *code, const struct procedure *p)
{
    if (!jumps_often(s, function, code, p))
        return false;
    uint8_t *other = read_code(s, p);
    bool back = other && jumps_often(s, p, other, function);
    free(other);
    return back;
}

static size_t choose(const struct search *s, const struct procedure *function, const uint8_t *code, struct procedure *part)
{
    size_t found = 0;
    for (size_t i = 0; i < s->candidates; i++)
        if (is_part(s, function, code, &s->candidate[i])) {
            *part = s->candidate[i];
            found++;
        }
    return found;
}

bool split_find(const struct unwind_table *t, unsigned machine, const struct python_memory *memory, uint64_t function,
                struct procedure *part)
{
    struct search s = {.table = t, .memory = memory, .machine = machine};
    struct procedure whole;
    if (!unwind_table_find(t, function, &whole) || whole.begin != function || whole.inner)
        return false;
    uint8_t *code = read_code(&s, &whole);
    if (!code)
        return false;
    find_candidates(&s, &whole, code);
    bool found = !s.too_many && choose(&s, &whole, code, part) == 1;
    free(code);
    return found;
}
