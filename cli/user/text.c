#include "text.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define DOTS "..."
#define DOTS_WIDTH 3
#define UTF8_MAX 4

/* Only how characters are classified: numbers stay as in C, for JSON. Widths of UTF-8 need a UTF-8 locale. */
void text_init(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "en_US.UTF-8"))
        setlocale(LC_CTYPE, "");
}

/* Bytes of the character at `text`, which is not at its end; its columns. */
static size_t character(const char *text, size_t *columns)
{
    wchar_t c;
    mbstate_t state = {0};
    size_t n = mbrtowc(&c, text, strlen(text), &state);
    int width = n == 0 || n > UTF8_MAX ? -1 : wcwidth(c);
    *columns = width < 0 ? 1 : (size_t)width;
    return n == 0 || n > UTF8_MAX ? 1 : n;
}

size_t text_width(const char *text)
{
    size_t total = 0, columns;
    for (; *text; total += columns)
        text += character(text, &columns);
    return total;
}

size_t text_prefix(const char *text, size_t width)
{
    size_t bytes = 0, columns;
    while (text[bytes]) {
        size_t n = character(text + bytes, &columns);
        if (columns > width)
            break;
        width -= columns;
        bytes += n;
    }
    return bytes;
}

/* The shortest beginning to leave out so that the rest takes at most `width` columns. */
static size_t bytes_before_suffix(const char *text, size_t width)
{
    size_t all = text_width(text), columns, bytes = 0;
    while (all > width) {
        bytes += character(text + bytes, &columns);
        all -= columns;
    }
    return bytes;
}

void text_cut_end(char *text, size_t width)
{
    if (text_width(text) <= width || strlen(text) < DOTS_WIDTH)
        return;
    size_t keep = text_prefix(text, width > DOTS_WIDTH ? width - DOTS_WIDTH : 0);
    if (keep + DOTS_WIDTH <= strlen(text))
        strcpy(text + keep, DOTS);
}

/* Leaves out the middle of a path; never of the file's own name, which may make it wider than asked for. */
static void cut_middle(char *path, size_t width)
{
    const char *name = strrchr(path, '/');
    size_t least = text_width(name ? name : path);
    size_t room = width > least + DOTS_WIDTH ? width - DOTS_WIDTH : least;
    size_t head = room / 4 < room - least ? room / 4 : room - least;
    size_t head_bytes = text_prefix(path, head);
    char *tail = path + bytes_before_suffix(path, room - head);
    if (tail < path + head_bytes + DOTS_WIDTH)
        return; /* nothing would be gained */
    memcpy(path + head_bytes, DOTS, DOTS_WIDTH);
    memmove(path + head_bytes + DOTS_WIDTH, tail, strlen(tail) + 1);
}

/* Where "(path:line)" begins: after the last " (". NULL: there is none. */
static char *path_of(char *text)
{
    char *found = NULL;
    for (char *p = text; (p = strstr(p, " (")); p += 2)
        found = p + 2;
    return found;
}

#define TAIL 6 /* columns of a file's name that are left in front of ":12)" */

/* Leaves out the beginning of the file's name as well. */
static void cut_file(char *path, size_t width)
{
    const char *line = strrchr(path, ':');
    size_t least = text_width(line ? line : path) + TAIL;
    size_t room = width > least + DOTS_WIDTH ? width - DOTS_WIDTH : least;
    char *tail = path + bytes_before_suffix(path, room);
    if (tail < path + DOTS_WIDTH)
        return;
    memcpy(path, DOTS, DOTS_WIDTH);
    memmove(path + DOTS_WIDTH, tail, strlen(tail) + 1);
}

/* Cuts the end of the name in front of " (path:line)", to which `path` points, so that all takes at most `width` columns. */
static void cut_name(char *text, char *path, size_t width)
{
    char *place = path - 2;
    size_t behind = text_width(place), room = width > behind + DOTS_WIDTH ? width - behind - DOTS_WIDTH : 0;
    char *end = text + text_prefix(text, room);
    if (!room || end + DOTS_WIDTH > place)
        return; /* nothing of the name would be left, or nothing gained */
    memcpy(end, DOTS, DOTS_WIDTH);
    memmove(end + DOTS_WIDTH, place, strlen(place) + 1);
}

void text_cut_path(char *text, size_t width)
{
    size_t all = text_width(text);
    char *path = path_of(text);
    if (all > width && path) {
        size_t before = all - text_width(path);
        cut_middle(path, width > before ? width - before : 0);
        if (text_width(text) > width)
            cut_file(path, width > before ? width - before : 0);
    }
    if (path && text_width(text) > width)
        cut_name(text, path, width);
    text_cut_end(text, width);
}

size_t text_least_path(const char *text)
{
    char *path = path_of((char *)text);
    size_t all = text_width(text);
    if (!path)
        return all;
    const char *name = strrchr(path, '/');
    size_t shortened = all - text_width(path) + DOTS_WIDTH + text_width(name ? name : path);
    return shortened < all ? shortened : all;
}

#define FOLD_INDENT 2

/* Bytes of the next part of a line, which has `bytes`, and of the blank behind it. */
static size_t fold_at(const char *line, size_t bytes, size_t width, size_t *blank)
{
    size_t fits = text_prefix(line, width), at = fits;
    *blank = 0;
    if (fits >= bytes)
        return bytes;
    while (at && line[at] != ' ')
        at--;
    *blank = at ? 1 : 0;
    return at ? at : fits ? fits : bytes;
}

static void print_folded(const char *line, size_t bytes, size_t width, FILE *out)
{
    size_t blank, indent = 0;
    do {
        size_t part = fold_at(line, bytes, width - indent, &blank);
        fprintf(out, "%*s%.*s\n", (int)indent, "", (int)part, line);
        line += part + blank;
        bytes -= part + blank;
        indent = FOLD_INDENT;
    } while (bytes);
}

void text_print_folded(const char *text, size_t width, FILE *out)
{
    for (const char *end; *text; text = end + (*end != '\0')) {
        end = strchrnul(text, '\n');
        print_folded(text, (size_t)(end - text), width > FOLD_INDENT + 1 ? width : SIZE_MAX, out);
    }
}

FILE *text_fold_begin(struct text_fold *f, size_t width, FILE *out)
{
    *f = (struct text_fold){.out = out, .width = width};
    f->memory = width ? open_memstream(&f->text, &f->bytes) : NULL;
    return f->memory ? f->memory : out; /* rather too wide than not at all */
}

void text_fold_end(struct text_fold *f)
{
    if (f->memory && fclose(f->memory) == 0)
        text_print_folded(f->text, f->width, f->out);
    free(f->text);
}

const struct text_fit text_fit_end = {.cut = text_cut_end}, text_fit_path = {.cut = text_cut_path, .least = text_least_path};
