/* Markdown as GitHub and GitLab show it in a pull request. Names are what a program chose: they stand in <code>, and whatever may mean
 * something there, or in a table, as a character reference. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "change_text.h"
#include "sides.h"
#include "utf8.h"

#define LINE 1024

static bool is_plain(uint32_t c) { return c >= 0xa0 || (c < 0x80 && (isalnum((int)c) || strchr(" .:/(),-+%", (int)c))); }

static void write_text(const char *text, FILE *out)
{
    size_t n;
    for (uint32_t c; *text; text += n) {
        n = utf8_character(text, &c);
        if (c == 0 || utf8_sequence(text) == 0)
            fputs("\xef\xbf\xbd", out);
        else if (is_plain(c))
            fwrite(text, 1, n, out);
        else
            fprintf(out, "&#%" PRIu32 ";", c);
    }
}

static void write_line(const char *before, const char *text, FILE *out)
{
    fputs(before, out);
    write_text(text, out);
    putc('\n', out);
}

/* ---- a table ---- */

static void write_count(const struct comparison *c, const struct change *f, enum side side, FILE *out)
{
    char calls[CHANGE_TEXT];
    change_write_count(comparison_function_median(c, f, side, QUANTITY_CALLS), calls, sizeof calls);
    fprintf(out, " %s |", calls);
}

static void write_name(const struct identity *who, FILE *out)
{
    fputs(" <code>", out);
    write_text(who->name, out);
    fputs("</code>", out);
    if (who->file[0]) {
        fputs(" <sub>", out);
        write_text(who->file, out);
        fprintf(out, ":%" PRIu32 "</sub>", who->line);
    }
    fputs(" |\n", out);
}

static void write_row(const struct comparison *c, const struct change *f, FILE *out)
{
    char outcome[CHANGE_TEXT], relative[CHANGE_TEXT], a[CHANGE_TEXT], b[CHANGE_TEXT], q[CHANGE_TEXT];
    change_write_outcome(f, outcome, sizeof outcome);
    change_write_relative(f->relative, relative, sizeof relative);
    change_write_per_call(f, SIDE_A, a, sizeof a);
    change_write_per_call(f, SIDE_B, b, sizeof b);
    change_write_probability(f, f->q, q, sizeof q);
    fprintf(out, f->over ? "| **%s** | **%s** | %s | %s |" : "| %s | %s | %s | %s |", outcome, relative, a, b);
    write_count(c, f, SIDE_A, out);
    write_count(c, f, SIDE_B, out);
    fprintf(out, " %.1f %% | ", 100 * f->share);
    write_text(q, out);
    fputs(" |", out);
    write_name(change_who(f), out);
}

/* What a reader should see first: what changed, as far as that can be told, and what came or went with some of the time. */
static bool is_news(const struct change *f)
{
    bool came_or_went = f->outcome == OUTCOME_NEW || f->outcome == OUTCOME_GONE;
    return f->over || f->outcome == OUTCOME_SLOWER || f->outcome == OUTCOME_FASTER || (came_or_went && f->share >= COMPARISON_SHARE);
}

static size_t count_news(const struct comparison *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->changes; i++)
        count += is_news(&c->change[i]);
    return count;
}

/* Those that are news, or the others. How many were written. */
static size_t write_table(const struct comparison *c, bool news, uint64_t limit, FILE *out)
{
    size_t rows = 0;
    fputs("\n|   | change | A/call | B/call | A calls | B calls | share | q | function |\n"
          "|---|---:|---:|---:|---:|---:|---:|---:|---|\n",
          out);
    for (size_t i = 0; i < c->changes && rows < limit; i++)
        if (is_news(&c->change[i]) == news) {
            write_row(c, &c->change[i], out);
            rows++;
        }
    putc('\n', out);
    return rows;
}

/* ---- the whole ---- */

static void write_about(const struct sides *s, FILE *out)
{
    char line[LINE];
    size_t fact = 0;
    for (enum side side = 0; side < SIDES; side++) {
        sides_write_captures(s, side, line, sizeof line);
        write_line(side == SIDE_A ? "- A: " : "- B: ", line, out);
    }
    while (sides_next_difference(s, &fact, line, sizeof line))
        write_line("- not the same: ", line, out);
    if (about_durations_differ(s->about, s->known))
        fputs("- not the same: how long was recorded; times per call do not depend on it\n", out);
    for (size_t i = 0; i < s->known; i++)
        for (const char *loss = s->about[i].losses; *loss; loss += strcspn(loss, "\n") + 1) {
            snprintf(line, sizeof line, "%s: %.*s", s->about[i].name, (int)strcspn(loss, "\n"), loss);
            write_line("- ", line, out);
        }
}

bool sides_write_markdown(const struct sides *s, uint64_t limit, FILE *out)
{
    char line[SIDES_VERDICT];
    const struct comparison *c = &s->comparison;
    size_t shown = 0, news = count_news(c), others = c->changes - news;
    sides_explain(s, line, sizeof line);
    write_line("### tscap diff: ", line, out);
    putc('\n', out);
    write_about(s, out);
    if (news)
        shown = write_table(c, true, limit, out);
    if (news > shown)
        fprintf(out, "%zu more not shown\n", news - shown);
    if (!others || shown >= limit)
        return true;
    fprintf(out, "\n<details><summary>%zu more function%s</summary>\n", others, others == 1 ? "" : "s");
    shown = write_table(c, false, limit - shown, out);
    if (others > shown)
        fprintf(out, "%zu more not shown\n\n", others - shown);
    fputs("</details>\n", out);
    return true;
}
