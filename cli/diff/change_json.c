#include <math.h>

#include "json.h"
#include "sides.h"
#include "version.h"

static const char *const side_names[SIDES] = {[SIDE_A] = "a", [SIDE_B] = "b"};

static void write_value(struct json *j, const char *key, uint64_t value)
{
    if (value == TALLY_UNKNOWN)
        json_null(j, key);
    else
        json_count(j, key, value);
}

/* ---- what is compared ---- */

static void write_capture(struct json *j, const struct about *a)
{
    json_object(j, NULL);
    json_string(j, "name", a->name);
    json_count(j, "duration_ns", a->duration);
    json_count(j, "lost", a->lost);
    json_bool(j, "complete", a->whole);
    json_end(j);
}

static void write_sides(struct json *j, const struct sides *s)
{
    for (enum side side = 0; side < SIDES; side++) {
        json_array(j, side_names[side]);
        for (size_t i = 0; i < s->tally[side].captures; i++)
            write_capture(j, &sides_about(s, side)[i]);
        json_end(j);
    }
}

static void write_values(struct json *j, const char *key, const struct about *a, size_t count, size_t fact)
{
    json_array(j, key);
    for (size_t i = 0; i < count; i++)
        json_string(j, NULL, a[i].fact[fact][0] ? a[i].fact[fact] : NULL);
    json_end(j);
}

static void write_differences(struct json *j, const struct sides *s)
{
    json_array(j, "differences");
    for (size_t fact = 0; fact < ABOUT_FACTS; fact++) {
        if (about_agree(s->about, s->known, fact))
            continue;
        json_object(j, NULL);
        json_string(j, "what", about_fact_name(fact));
        for (enum side side = 0; side < SIDES; side++)
            write_values(j, side_names[side], sides_about(s, side), s->tally[side].captures, fact);
        json_end(j);
    }
    json_end(j);
}

static void write_verdict(struct json *j, const struct sides *s)
{
    char explanation[SIDES_VERDICT];
    const struct comparison *c = &s->comparison;
    sides_explain(s, explanation, sizeof explanation);
    json_string(j, "verdict", verdict_name(c->verdict));
    json_string(j, "explanation", explanation);
    json_string(j, "metric", quantity_name(c->metric));
    json_number(j, "level", COMPARISON_LEVEL);
    json_number(j, "threshold", c->threshold);
    json_bool(j, "fail_over", s->fails_over);
    json_count(j, "tested", c->tested);
    json_count(j, "over", c->over);
    json_count(j, "captures_needed", c->needed);
    json_number(j, "visible_half", c->tested ? c->visible[0] : NAN);
    json_number(j, "visible_all", c->tested ? c->visible[1] : NAN);
}

/* ---- functions ---- */

static void write_who(struct json *j, const char *key, const struct identity *who)
{
    json_object(j, key);
    json_string(j, "name", who->name);
    json_string(j, "module", who->module);
    json_string(j, "file", who->file);
    json_count(j, "line", who->line);
    json_end(j);
}

static void write_per_calls(struct json *j, const struct comparison *c, const struct change *f, enum side side)
{
    json_array(j, "per_call_ns");
    for (size_t i = 0; i < c->side[side]->captures; i++)
        json_number(j, NULL, comparison_per_call(c, f->function[side], i));
    json_end(j);
}

static void write_side(struct json *j, const struct comparison *c, const struct change *f, enum side side)
{
    if (!f->function[side]) {
        json_null(j, side_names[side]);
        return;
    }
    json_object(j, side_names[side]);
    json_count(j, "line", f->function[side]->who.line);
    json_string(j, "file", f->function[side]->who.file);
    json_count(j, "captures", f->captures[side]);
    for (enum quantity q = 0; q < QUANTITIES; q++)
        write_value(j, quantity_name(q), comparison_function_median(c, f, side, q));
    json_number(j, "median_per_call_ns", f->per_call[side]);
    write_per_calls(j, c, f, side);
    json_end(j);
}

static void write_function(struct json *j, const struct comparison *c, const struct change *f)
{
    json_object(j, NULL);
    write_who(j, "function", change_who(f));
    if (f->function[SIDE_A] && f->function[SIDE_B])
        json_string(j, "matched_by", pairing_name(f->by));
    else
        json_null(j, "matched_by");
    json_string(j, "outcome", outcome_name(f->outcome));
    json_bool(j, "over", f->over);
    json_number(j, "change", f->relative);
    json_number(j, "growth_ns", f->growth);
    json_number(j, "share", f->share);
    json_number(j, "visible", f->tested ? f->visible : NAN);
    json_number(j, "p", f->tested ? f->p : NAN);
    json_number(j, "q", f->tested ? f->q : NAN);
    for (enum side side = 0; side < SIDES; side++)
        write_side(j, c, f, side);
    json_end(j);
}

/* ---- paths ---- */

static void write_path(struct json *j, const struct comparison *c, const struct path_change *p)
{
    json_object(j, NULL);
    if (p->parent)
        json_count(j, "parent", p->parent - 1);
    else
        json_null(j, "parent");
    if (p->function != TALLY_OTHER)
        json_count(j, "function", p->function);
    else
        json_null(j, "function");
    for (enum side side = 0; side < SIDES; side++) {
        if (!p->path[side]) {
            json_null(j, side_names[side]);
            continue;
        }
        json_object(j, side_names[side]);
        for (enum quantity q = 0; q < QUANTITY_SUMS; q++)
            write_value(j, quantity_name(q), comparison_path_median(c, p, side, q));
        json_end(j);
    }
    json_end(j);
}

bool sides_write_json(const struct sides *s, bool paths, FILE *out)
{
    struct json j;
    const struct comparison *c = &s->comparison;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.diff/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    write_verdict(&j, s);
    write_sides(&j, s);
    write_differences(&j, s);
    json_array(&j, "functions");
    for (size_t i = 0; i < c->changes; i++)
        write_function(&j, c, &c->change[i]);
    json_end(&j);
    if (paths) {
        json_array(&j, "paths");
        for (size_t i = 1; i <= c->paths; i++)
            write_path(&j, c, &c->path[i]);
        json_end(&j);
    }
    return json_finish(&j);
}
