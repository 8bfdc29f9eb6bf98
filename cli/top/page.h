/* Pages: a picture as lines of text that fit a screen of any size. What fills them is printable UTF-8. */
#ifndef TSCAP_PAGE_H
#define TSCAP_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "picture.h"

enum page_style { PAGE_PLAIN, PAGE_STRONG, PAGE_REVERSE, PAGE_FAINT };

struct page_line {
    char *text; /* at most as wide as the screen */
    enum page_style style;
    size_t mark, mark_width; /* columns that stand out; none: width 0 */
};

struct page {
    struct page_line *line; /* [lines]; from the top of the screen */
    size_t lines, height, width;
    bool typing;   /* after the end of the last line */
    bool failed;   /* no memory: some lines are missing */
};

/* Makes rows, if need be; keeps the picture scrolled to where rows are. 0 or -ENOMEM; to be freed in any case. */
int page_make(struct page *page, struct picture *p, size_t height, size_t width);
void page_free(struct page *page);

#endif
