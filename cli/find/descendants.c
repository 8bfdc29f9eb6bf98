#include "descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "process.h"
#include "run_file.h"
#include "status.h"
#include "target.h"

#define COMMAND_LINE 4096 /* bytes of it that are looked at */
#define DEPTH_MAX 64
#define SHORTEST_NS 2000000u
#define LONGEST_NS 250000000u
#define SHARE 100 /* of the time at most goes into looking */

/* An interpreter that a program loads is there some time after the program: looked for again at these ages. */
static const uint64_t ages[] = {0, 2000000, 5000000, 20000000, 100000000, 400000000, 1500000000};

void descendants_open(struct descendants *b, pid_t root) { *b = (struct descendants){.root = root, .changed = clock_ns(CLOCK_MONOTONIC)}; }

void descendants_free(struct descendants *b)
{
    free(b->one);
    *b = (struct descendants){0};
}

/* ---- command lines ---- */

static const char *next_word(const char *word, const char *end) { return word + strnlen(word, (size_t)(end - word)) + 1; }

/* "-sIm": letters of options; those after one that takes a value are the value. */
static bool read_letters(const char *word, size_t length, bool *deaf, bool *last, bool *value_follows)
{
    *value_follows = false;
    for (size_t i = 1; i < length; i++) {
        *deaf |= strchr("IES", word[i]) != NULL;
        *last |= strchr("cm", word[i]) != NULL;
        if (strchr("cmWX", word[i])) {
            *value_follows = i + 1 == length;
            break;
        }
    }
    return *deaf;
}

bool descendants_is_deaf(const char *command_line, size_t length)
{
    const char *end = command_line + length, *name = command_line;
    bool deaf = false, last = false;
    for (const char *c = command_line; c < end && *c; c++)
        if (*c == '/')
            name = c + 1;
    if ((size_t)(end - name) < 6 || strncmp(name, "python", 6) != 0)
        return false;
    for (const char *word = next_word(command_line, end); word < end && word[0] == '-' && word[1] && !last; word = next_word(word, end)) {
        bool value_follows;
        size_t n = strnlen(word, (size_t)(end - word));
        if (word[1] == '-' || read_letters(word, n, &deaf, &last, &value_follows))
            break;
        if (value_follows)
            word = next_word(word, end);
    }
    return deaf;
}

static bool read_deaf(pid_t pid)
{
    char path[64], text[COMMAND_LINE];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 && descendants_is_deaf(text, (size_t)n);
}

/* ---- one of them ---- */

static uint64_t program_of(pid_t pid)
{
    char path[64];
    struct stat s;
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    return stat(path, &s) == 0 ? (uint64_t)s.st_ino : 0;
}

static void look_inside(struct descendant *c)
{
    struct target target;
    pid_t inner = status_inner_tid(c->pid, c->pid);
    c->looks++;
    c->inner = inner > 0 ? inner : c->inner;
    c->python = target_inspect(c->pid, &target) == 0 && target.python;
    c->deaf = c->python && read_deaf(c->pid);
    process_command(c->pid, c->command, sizeof c->command);
}

bool descendant_has_come(const struct descendant *d, const char *text)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(text, i, &line); i++)
        if (line.pid == d->inner && (!line.start_time || line.start_time == d->start_time))
            return true;
    return false;
}

/* It may become another program at any time, and is then somebody new. */
static void look_at(struct descendants *b, struct descendant *c)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC), program = program_of(c->pid);
    c->present = true;
    if (program != c->program) {
        *c = (struct descendant){.pid = c->pid, .inner = c->inner, .start_time = c->start_time, .program = program, .since = now, .present = true};
        b->changed = now;
    }
    if (!c->python && c->looks < sizeof ages / sizeof *ages && now - c->since >= ages[c->looks])
        look_inside(c);
}

static struct descendant *find(struct descendants *b, pid_t pid, uint64_t start_time)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->one[i].pid == pid && b->one[i].start_time == start_time)
            return &b->one[i];
    struct descendant *more = array_room(b->one, b->count, &b->room, sizeof *more);
    if (!more)
        return NULL;
    b->one = more;
    b->one[b->count] = (struct descendant){.pid = pid, .inner = pid, .start_time = start_time, .since = clock_ns(CLOCK_MONOTONIC), .program = UINT64_MAX};
    return &b->one[b->count++];
}

/* ---- all of them ---- */

static void visit(struct descendants *b, pid_t pid, unsigned depth);

/* /proc/PID/task/TID/children: numbers, each with a blank after it. */
static void visit_children(struct descendants *b, pid_t pid, pid_t tid, unsigned depth)
{
    char path[64], *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)tid);
    FILE *file = fopen(path, "re");
    if (file && getline(&line, &size, file) > 0)
        for (char *at = line, *end; (end = strchr(at, ' ')); at = end + 1)
            visit(b, (pid_t)strtol(at, NULL, 10), depth + 1);
    free(line);
    if (file)
        fclose(file);
}

static void visit(struct descendants *b, pid_t pid, unsigned depth)
{
    char path[64];
    uint64_t start_time;
    if (depth > DEPTH_MAX || process_start_time(pid, &start_time) < 0)
        return;
    struct descendant *c = find(b, pid, start_time);
    if (!c || c->present)
        return;
    look_at(b, c);
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *tasks = opendir(path);
    for (struct dirent *e; tasks && (e = readdir(tasks));)
        if (atoi(e->d_name) > 0)
            visit_children(b, pid, (pid_t)atoi(e->d_name), depth);
    if (tasks)
        closedir(tasks);
}

uint64_t descendants_look(struct descendants *b)
{
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < b->count; i++)
        b->one[i].present = false;
    visit(b, b->root, 0);
    uint64_t end = clock_ns(CLOCK_MONOTONIC), pause = (end - b->changed) / 16;
    pause = pause < SHORTEST_NS ? SHORTEST_NS : pause > LONGEST_NS ? LONGEST_NS : pause;
    return pause > SHARE * (end - begin) ? pause : SHARE * (end - begin);
}
