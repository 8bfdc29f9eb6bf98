/* The screen: draws pages, reads keys, by ncurses. */
#ifndef TSCAP_SCREEN_H
#define TSCAP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page.h"

/* The terminal is another program's again after screen_close(), and between screen_leave() and screen_enter(). */
bool screen_open(void);
void screen_close(void);
void screen_leave(void);
void screen_enter(void);

/* To be called when the terminal changed its size. */
void screen_resize(void);
void screen_size(size_t *height, size_t *width);

void screen_draw(const struct page *page);

/* A key of keys.h that was pressed; 0: none was. */
uint32_t screen_key(void);

#endif
