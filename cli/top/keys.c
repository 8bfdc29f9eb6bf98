#include "keys.h"

#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* ---- scrolling ---- */

static void scroll_by(struct picture *p, size_t rows, bool up)
{
    if (up)
        p->first -= rows < p->first ? rows : p->first;
    else
        p->first += rows; /* clamped when it is drawn */
}

static void scroll_row(struct picture *p, uint32_t key) { scroll_by(p, 1, key == KEYS_UP); }
static void scroll_page(struct picture *p, uint32_t key) { scroll_by(p, p->page ? p->page : 1, key == KEYS_PAGE_UP); }
static void scroll_end(struct picture *p, uint32_t key) { p->first = key == KEYS_HOME ? 0 : SIZE_MAX / 2; }

/* ---- columns ---- */

static size_t count_columns(const struct column *columns, unsigned table)
{
    size_t n = 0;
    while (column_at(columns, table, n))
        n++;
    return n;
}

static size_t index_of_sort(const struct picture *p, const struct column *columns, unsigned table)
{
    size_t i = 0;
    while (column_at(columns, table, i) != p->sort[p->list])
        i++;
    return i;
}

/* To the right, or to the left, past those that are hidden. The last is never hidden, so it ends. */
static void sort_by_next(struct picture *p, uint32_t key)
{
    unsigned table;
    const struct column *columns = picture_columns(p, &table);
    size_t count = count_columns(columns, table), i = index_of_sort(p, columns, table);
    do
        i = (i + (key == 's' ? 1 : count - 1)) % count;
    while (p->habit[p->list].hidden >> i & 1);
    p->sort[p->list] = column_at(columns, table, i);
    p->first = 0;
    picture_changed(p);
}

/* What is on the screen goes, what is not comes. The last column is what things are called: it stays. */
static void toggle_column(struct picture *p, uint32_t key)
{
    unsigned table;
    const struct column *columns = picture_columns(p, &table);
    struct table_habit *h = &p->habit[p->list];
    uint32_t number = key == '0' ? 9 : key - '1', bit = 1u << number;
    if (number + 1 >= count_columns(columns, table))
        return;
    h->wanted = h->shown & bit ? h->wanted & ~bit : h->wanted | bit;
    h->hidden = h->shown & bit ? h->hidden | bit : h->hidden & ~bit;
    h->shown ^= bit;
}

/* ---- the filter ---- */

static void begin_filter(struct picture *p, uint32_t key)
{
    (void)key;
    p->typing = true;
}

static void set_filter(struct picture *p, size_t length)
{
    p->filter[length] = '\0';
    p->first = 0;
    picture_changed(p);
}

static void clear_filter(struct picture *p, uint32_t key)
{
    (void)key;
    set_filter(p, 0);
}

static void take_back(struct picture *p)
{
    size_t n = strlen(p->filter);
    while (n && ((unsigned char)p->filter[--n] & 0xc0) == 0x80)
        ;
    set_filter(p, n);
}

static void type(struct picture *p, uint32_t key)
{
    char text[16]; /* MB_CUR_MAX is 6 at most */
    mbstate_t state = {0};
    size_t n = strlen(p->filter), bytes = key < KEYS_UP && iswprint((wint_t)key) ? wcrtomb(text, (wchar_t)key, &state) : 0;
    if (bytes == 0 || bytes > sizeof text || n + bytes >= sizeof p->filter)
        return;
    memcpy(p->filter + n, text, bytes);
    set_filter(p, n + bytes);
}

static void press_while_typing(struct picture *p, uint32_t key)
{
    if (key == KEYS_ENTER || key == KEYS_ESCAPE)
        p->typing = false;
    if (key == KEYS_ESCAPE || key == 'U' - '@')
        clear_filter(p, key);
    else if (key == KEYS_BACKSPACE)
        take_back(p);
    else
        type(p, key);
}

/* ---- what is shown ---- */

static void change_list(struct picture *p, uint32_t key)
{
    (void)key;
    p->list = p->list == PICTURE_FUNCTIONS ? PICTURE_THREADS : PICTURE_FUNCTIONS;
    p->first = 0;
    picture_changed(p);
}

static void change_total(struct picture *p, uint32_t key)
{
    (void)key;
    p->total = !p->total;
    picture_changed(p);
}

static void pause_picture(struct picture *p, uint32_t key)
{
    (void)key;
    p->paused = !p->paused;
}

/* Takes effect with the next look, so there has to be one. */
static void rebase(struct picture *p, uint32_t key)
{
    (void)key;
    p->rebase = true;
    p->paused = false;
}

static void leave(struct picture *p, uint32_t key)
{
    (void)key;
    p->leaving = true;
}

static void show_help(struct picture *p, uint32_t key)
{
    (void)key;
    p->help = !p->help;
    p->first = 0;
}

/* ---- all of them ---- */

const struct key_row keys[] = {
    {"Up, Down", "scroll by a row", KEYS_UP, KEYS_DOWN, 0, scroll_row},
    {"PgUp, PgDn", "scroll by a screen", KEYS_PAGE_UP, KEYS_PAGE_DOWN, ' ', scroll_page},
    {"Home, End", "to the first row, the last one", KEYS_HOME, KEYS_END, 0, scroll_end},
    {"s, S", "sort by the next column, by the one before", 's', 's', 'S', sort_by_next},
    {"1 ... 9, 0", "hide a column, or show it", '1', '9', '0', toggle_column},
    {"/", "show what has a text in its name; Enter keeps it, Esc shows all", '/', '/', 0, begin_filter},
    {"t", "threads, or functions again", 't', 't', 0, change_list},
    {"a", "all since the beginning (or since r), or the last interval again", 'a', 'a', 0, change_total},
    {"r", "count from now on, here only: the process and other viewers do not notice", 'r', 'r', 0, rebase},
    {"p", "pause this picture, or go on; recording goes on", 'p', 'p', 0, pause_picture},
    {"?", "these lines, or the table again", '?', '?', 'h', show_help},
    {"q", "leave (as ^C); ends the recording if it was begun here", 'q', 'q', 0, leave},
};
const size_t key_count = sizeof keys / sizeof *keys;

static const struct key_row *row_of(uint32_t key)
{
    for (size_t i = 0; i < key_count; i++)
        if ((key >= keys[i].first && key <= keys[i].last) || key == keys[i].other)
            return &keys[i];
    return NULL;
}

/* On the help only what moves it, and the ways out. */
static void press_on_help(struct picture *p, uint32_t key)
{
    const struct key_row *row = row_of(key);
    if (row && (row->first >= KEYS_UP || row->press == leave))
        row->press(p, key);
    else
        show_help(p, key);
}

void keys_press(struct picture *p, uint32_t key)
{
    const struct key_row *row = row_of(key);
    if (!key)
        return;
    if (p->typing)
        press_while_typing(p, key);
    else if (p->help)
        press_on_help(p, key);
    else if (row)
        row->press(p, key);
    else if (key == KEYS_ESCAPE)
        clear_filter(p, key);
}
