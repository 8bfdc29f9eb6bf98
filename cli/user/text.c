#include "text.h"

#include <locale.h>
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

void text_cut_path(char *text, size_t width)
{
    size_t all = text_width(text);
    char *path = path_of(text);
    if (all <= width || !path)
        return;
    size_t before = all - text_width(path);
    cut_middle(path, width > before ? width - before : 0);
}
