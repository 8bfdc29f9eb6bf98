/* A flame graph as SVG, callers on top of callees: one file that needs nothing else. Without its script, or in a viewer of
 * pictures, it is a picture. Names stand in it as text and nowhere else. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "export.h"
#include "flame.h"
#include "names.h"
#include "svg_script.h"
#include "utf8.h"
#include "weight.h"

#define WIDTH 1200
#define PAD 10    /* on both sides */
#define HEAD 58   /* above the boxes */
#define ROW 16    /* of a box, a pixel of which is left free */
#define PARTS ((WIDTH - 2 * PAD) * 10) /* what is narrower than 0.1 px is merged */
#define LETTER 7.3 /* px, of the font below */
#define LETTERS_LEAST 3
#define TITLE_LETTERS 140 /* beside it stands what was found */

struct svg {
    const struct export *e;
    FILE *out;
    char **name; /* of each function */
    struct flame flame;
};

/* ---- amounts ---- */

static uint64_t amount(const struct svg *w, uint64_t raw) { return w->e->metric == EXPORT_CALLS ? raw : export_ns(w->e, raw); }

static void write_amount(const struct svg *w, uint64_t raw)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    uint64_t value = amount(w, raw);
    const char *noun = value == 1 ? "call" : "calls";
    size_t i = 0;
    while (i < 3 && (double)value < units[i].ns)
        i++;
    if (w->e->metric == EXPORT_CALLS)
        fprintf(w->out, "%" PRIu64 " %s", value, noun);
    else
        fprintf(w->out, i == 3 ? "%.0f %s" : "%.3f %s", (double)value / units[i].ns, units[i].name);
}

static double share(const struct svg *w, uint64_t raw) { return w->flame.total ? (double)raw / (double)w->flame.total : 0; }

/* ---- a box ---- */

static const struct profile_site *site_of(const struct svg *w, const struct flame_box *b)
{
    return b->kind == FLAME_FUNCTION && b->what < w->e->profile->sites ? &w->e->profile->site[b->what] : NULL;
}

/* Returns it, or `buffer`. */
static const char *label_of(const struct svg *w, const struct flame_box *b, char *buffer, size_t size)
{
    switch (b->kind) {
    case FLAME_ALL:
        return "all";
    case FLAME_THREAD:
        return names_thread(w->e, &w->e->profile->thread[b->what], buffer, size);
    case FLAME_SMALL:
        snprintf(buffer, size, "(%" PRIu32 " narrow)", b->what);
        return buffer;
    case FLAME_FUNCTION:
        return b->what < w->e->profile->sites ? w->name[b->what] : NAMES_OTHER_PATHS;
    }
    return "";
}

/* Of a comparison: redder, the more time it takes than before, bluer, the less; what was not there is pink. From half as much again or
 * half as much on there is no more of it. */
static void write_comparing_colour(const struct svg *w, const struct flame_box *b)
{
    double change = b->before ? (double)b->value / (double)b->before - 1 : 0;
    double much = (change < 0 ? -change : change) > 0.5 ? 1 : (change < 0 ? -change : change) / 0.5;
    unsigned pale = (unsigned)(235 - 165 * much);
    if (!b->before)
        fputs("#f3b", w->out);
    else
        fprintf(w->out, "rgb(%u,%u,%u)", change < 0 ? pale : 240, pale, change < 0 ? 240 : pale);
}

/* Warm ones for functions, the same for the same name in each picture. */
static void write_colour(const struct svg *w, const struct flame_box *b, const char *label)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *p = (const unsigned char *)label; *p; p++)
        hash = (hash ^ *p) * 16777619u;
    if (b->kind == FLAME_FUNCTION && w->e->before)
        write_comparing_colour(w, b);
    else if (b->kind == FLAME_FUNCTION)
        fprintf(w->out, "rgb(%u,%u,%u)", 205 + (hash & 0xff) % 50, 80 + (hash >> 8 & 0xff) % 140, 30 + (hash >> 16 & 0xff) % 50);
    else
        fputs(b->kind == FLAME_SMALL ? "#ddd" : "#b8c4ce", w->out);
}

static void write_before(const struct svg *w, const struct flame_box *b)
{
    fputs("\nbefore: ", w->out);
    write_amount(w, b->before);
    if (b->before)
        fprintf(w->out, ", %+.1f %%", 100 * ((double)b->value / (double)b->before - 1));
}

static void write_title(const struct svg *w, const struct flame_box *b, const char *label)
{
    const struct profile_site *site = site_of(w, b);
    fputs("<title>", w->out);
    escape_xml(w->out, label);
    if (site && site->file[0]) {
        putc('\n', w->out);
        escape_xml(w->out, site->file);
        fprintf(w->out, ":%" PRIu32, site->line);
    }
    putc('\n', w->out);
    write_amount(w, b->value);
    fprintf(w->out, ", %.2f %%", 100 * share(w, b->value));
    if (b->own && b->own != b->value) {
        fputs(", itself ", w->out);
        write_amount(w, b->own);
    }
    if (w->e->before && b->kind == FLAME_FUNCTION)
        write_before(w, b);
    fputs("</title>", w->out);
}

/* Bytes of it that have at most so many letters, wide ones counted twice. */
static size_t bytes_of_letters(const char *text, size_t letters)
{
    size_t bytes = 0;
    while (text[bytes]) {
        size_t n = utf8_sequence(text + bytes), columns = n > 2 ? 2 : 1;
        if (columns > letters)
            break;
        letters -= columns;
        bytes += n ? n : 1;
    }
    return bytes;
}

/* As much as fits, and two dots if that is not all. */
static void write_fitting(const struct svg *w, const char *text, size_t letters)
{
    bool all = text[bytes_of_letters(text, letters)] == '\0';
    char *part = all ? strdup(text) : strndup(text, bytes_of_letters(text, letters - 2));
    if (part)
        escape_xml(w->out, part);
    if (!all)
        fputs("..", w->out);
    free(part);
}

static void write_text(const struct svg *w, double x, double y, double width, const char *label)
{
    size_t letters = width > 6 ? (size_t)((width - 6) / LETTER) : 0;
    if (letters < LETTERS_LEAST)
        return;
    fprintf(w->out, "<text x=\"%.2f\" y=\"%.1f\">", x + 3, y + 11.5);
    write_fitting(w, label, letters);
    fputs("</text>", w->out);
}

static void write_box(const struct svg *w, const struct flame_box *b)
{
    char buffer[NAMES_THREAD];
    const char *label = label_of(w, b, buffer, sizeof buffer);
    double x = PAD + share(w, b->from) * (WIDTH - 2 * PAD), width = share(w, b->value) * (WIDTH - 2 * PAD);
    double y = HEAD + (double)b->depth * ROW;
    fprintf(w->out, "<g class=\"b\" data-from=\"%" PRIu64 "\" data-to=\"%" PRIu64 "\">", amount(w, b->from),
            amount(w, b->from + b->value)); /* rounded alike, so that children lie within their parents */
    write_title(w, b, label);
    fprintf(w->out, "<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" fill=\"", x, y, width, ROW - 1);
    write_colour(w, b, label);
    fputs("\"/>", w->out);
    write_text(w, x, y, width, label);
    fputs("</g>\n", w->out);
}

/* ---- the picture ---- */

static void write_head(const struct svg *w)
{
    static const char *const metrics_shown[] = {[EXPORT_WALL] = "wall-clock time", [EXPORT_CPU] = "CPU time", [EXPORT_CALLS] = "calls"};
    char title[512];
    unsigned height = HEAD + (w->flame.depths ? w->flame.depths : 1) * ROW + PAD;
    fprintf(w->out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" data-total=\"%" PRIu64 "\">\n",
            WIDTH, height, WIDTH, height, amount(w, w->flame.total));
    fputs("<style>text { font: 12px monospace; fill: #000 } g.b { cursor: pointer } g.b text { pointer-events: none }\n"
          "g.hidden { display: none } g.above { opacity: 0.5 } g.found rect { fill: #c6f } #search { cursor: pointer; fill: #05c }</style>\n"
          "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
          w->out);
    fprintf(w->out, "<text x=\"%d\" y=\"18\" id=\"what\">", PAD);
    write_fitting(w, names_title(w->e, title, sizeof title), TITLE_LETTERS);
    fprintf(w->out, "</text>\n<text x=\"%d\" y=\"34\">%s, ", PAD, metrics_shown[w->e->metric]);
    write_amount(w, w->flame.total);
    fprintf(w->out,
            "%s; a click zooms, Esc resets</text>\n<text x=\"%d\" y=\"34\" id=\"search\" text-anchor=\"end\">search (^F)</text>\n"
            "<text x=\"%d\" y=\"18\" id=\"said\" text-anchor=\"end\"></text>\n<text x=\"%d\" y=\"50\" id=\"details\"></text>\n",
            w->e->before   ? "; red: more than before, blue: less, pink: new"
            : w->e->invert ? "; each function above its callers"
                           : "", WIDTH - PAD, WIDTH - PAD, PAD);
}

bool export_svg(const struct export *e, FILE *out)
{
    struct svg w = {.e = e, .out = out, .name = names_make(e->profile, NAMES_IN_ALL)};
    bool whole = w.name && (e->invert ? flame_make_inverted(&w.flame, e, PARTS) : flame_make(&w.flame, e, PARTS));
    if (whole) {
        write_head(&w);
        for (size_t i = 0; w.flame.total && i < w.flame.count; i++)
            write_box(&w, &w.flame.box[i]);
        fprintf(out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", svg_script);
    }
    names_free(w.name, e->profile);
    flame_free(&w.flame);
    return whole;
}
