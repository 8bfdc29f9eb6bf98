#include "screen.h"

#include <curses.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "keys.h"
#include "text.h"

#define ESCAPE_DELAY 25 /* ms after which an escape is a key and not the beginning of one */

/* ---- beginning and end ---- */

static SCREEN *screen;

static void set_modes(void)
{
    cbreak();
    noecho();
    nonl();
    curs_set(0);
}

bool screen_open(void)
{
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return false;
    set_escdelay(ESCAPE_DELAY);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_modes();
    return true;
}

void screen_leave(void)
{
    curs_set(1);
    endwin();
}

void screen_close(void)
{
    screen_leave();
    delscreen(screen);
    screen = NULL;
}

/* Somebody else may have changed the terminal's modes meanwhile. */
void screen_enter(void)
{
    reset_prog_mode();
    set_modes();
    screen_resize();
}

/* ---- size ---- */

void screen_resize(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        resize_term(size.ws_row, size.ws_col);
    clearok(curscr, TRUE); /* what the terminal made of its old lines is not known */
}

void screen_size(size_t *height, size_t *width)
{
    *height = LINES > 0 ? (size_t)LINES : 0;
    *width = COLS > 0 ? (size_t)COLS : 0;
}

/* ---- drawing ---- */

static void draw_line(int y, const struct page_line *line)
{
    static const attr_t attributes[] = {
        [PAGE_PLAIN] = A_NORMAL, [PAGE_STRONG] = A_BOLD, [PAGE_REVERSE] = A_REVERSE, [PAGE_FAINT] = A_DIM};
    attrset(attributes[line->style]);
    mvaddstr(y, 0, line->text);
    if (line->mark_width)
        mvchgat(y, (int)line->mark, (int)line->mark_width, attributes[line->style] | A_BOLD | A_UNDERLINE, 0, NULL);
}

void screen_draw(const struct page *page)
{
    erase();
    for (size_t i = 0; i < page->lines; i++)
        draw_line((int)i, &page->line[i]);
    attrset(A_NORMAL);
    if (page->typing) /* goes on where the last line ends */
        move((int)page->lines - 1, (int)text_width(page->line[page->lines - 1].text));
    curs_set(page->typing);
    refresh();
}

/* ---- keys ---- */

static uint32_t key_of_code(wint_t code)
{
    switch (code) {
    case KEY_UP: return KEYS_UP;
    case KEY_DOWN: return KEYS_DOWN;
    case KEY_PPAGE: return KEYS_PAGE_UP;
    case KEY_NPAGE: return KEYS_PAGE_DOWN;
    case KEY_HOME: return KEYS_HOME;
    case KEY_END: return KEYS_END;
    case KEY_ENTER: return KEYS_ENTER;
    case KEY_BACKSPACE: return KEYS_BACKSPACE;
    default: return KEYS_OTHER;
    }
}

static uint32_t key_of_character(wint_t c)
{
    switch (c) {
    case '\r':
    case '\n': return KEYS_ENTER;
    case '\b':
    case 0x7f: return KEYS_BACKSPACE;
    default: return c && c < KEYS_UP ? c : KEYS_OTHER;
    }
}

uint32_t screen_key(void)
{
    wint_t c;
    int kind = get_wch(&c);
    if (kind == ERR)
        return 0;
    return kind == KEY_CODE_YES ? key_of_code(c) : key_of_character(c);
}
