#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (256u << 20) /* a process may have 2^31 mappings; this is some two million of them */

/* "7f32e000-7f330000 r-xp 00002000 08:01 1234    /usr/lib/libc.so.6" */
static bool parse_line(struct mapping *m, const char *line)
{
    char rights[5];
    unsigned major, minor;
    int path = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m->begin, &m->end, rights, &m->offset, &major, &minor,
               &m->inode, &path) < 7)
        return false;
    if (m->begin >= m->end || strlen(rights) != 4)
        return false;
    m->device = (uint64_t)major << 32 | minor;
    m->readable = rights[0] == 'r';
    m->writable = rights[1] == 'w';
    m->executable = rights[2] == 'x';
    m->path = line + (path ? (size_t)path : strlen(line));
    return true;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

int maps_parse(struct maps *m, char *text)
{
    *m = (struct maps){.mapping = calloc(count_lines(text), sizeof *m->mapping), .text = text};
    if (!m->mapping) {
        maps_free(m);
        return -ENOMEM;
    }
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        struct mapping *this = &m->mapping[m->count];
        if (parse_line(this, line) && (m->count == 0 || this->begin >= this[-1].end))
            m->count++;
    }
    return 0;
}

/* The kernel hands out whole lines, a page or so at a time. */
static int read_all(int fd, char **text)
{
    size_t room = 1 << 16, used = 0;
    char *buffer = malloc(room);
    while (buffer) {
        ssize_t n = read(fd, buffer + used, room - 1 - used);
        if (n < 0) {
            int e = errno;
            free(buffer);
            return -e;
        }
        used += (size_t)n;
        if (n == 0 || used >= TEXT_MAX)
            break;
        if (room - 1 - used < 1 << 13) {
            room *= 2;
            char *more = realloc(buffer, room);
            if (!more)
                free(buffer);
            buffer = more;
        }
    }
    if (!buffer)
        return -ENOMEM;
    buffer[used] = '\0';
    *text = buffer;
    return 0;
}

int maps_read(struct maps *m, pid_t pid)
{
    char path[64], *text = NULL;
    *m = (struct maps){0};
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    int r = read_all(fd, &text);
    close(fd);
    return r < 0 ? r : maps_parse(m, text);
}

void maps_free(struct maps *m)
{
    free(m->mapping);
    free(m->text);
    *m = (struct maps){0};
}

const struct mapping *maps_find(const struct maps *m, uint64_t address)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (address >= m->mapping[middle].end)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->count && address >= m->mapping[low].begin ? &m->mapping[low] : NULL;
}
