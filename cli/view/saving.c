#include "saving.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture_file.h"
#include "clock.h"
#include "interval.h"
#include "message.h"
#include "settings.h"
#include "source.h"
#include "successor.h"
#include "units.h"
#include "view.h"

#define LOOKS_KEPT 8 /* of the size of the last, in a file that is not written anew */
#define SPARE (256u << 10)

/* ---- its name ---- */

/* The next word, without its folder; "": there is none. */
static void next_word(const char **text, char *word, size_t size)
{
    *text += strspn(*text, " ");
    size_t length = strcspn(*text, " ");
    const char *begin = *text, *slash = memrchr(begin, '/', length);
    *text += length;
    length -= slash ? (size_t)(slash + 1 - begin) : 0;
    snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), slash ? slash + 1 : begin);
}

/* The script, the module or the console script; an interpreter alone is what it is. */
static void find_program(const char *command, char name[SAVING_NAME])
{
    char word[SAVING_NAME];
    next_word(&command, name, SAVING_NAME);
    if (strncmp(name, "python", 6) != 0)
        return;
    for (;;) {
        next_word(&command, word, sizeof word);
        bool module = strcmp(word, "-m") == 0, valued = strcmp(word, "-X") == 0 || strcmp(word, "-W") == 0;
        if (!word[0] || strcmp(word, "-c") == 0 || strcmp(word, "-") == 0)
            return;
        if (module || valued)
            next_word(&command, word, sizeof word);
        if (!valued && word[0] != '-')
            break;
    }
    if (word[0])
        memcpy(name, word, sizeof word);
}

void saving_name(const char *command, char name[SAVING_NAME])
{
    find_program(command, name);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".py") == 0)
        name[length - 3] = '\0';
    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *p) || (p == name && *p == '.'))
            *p = '_';
    if (name[strspn(name, "0123456789_")] == '\0') /* a number would be the name of a segment */
        snprintf(name, SAVING_NAME, "python");
}

/* ---- opening ---- */

bool saving_is_segment(const char *path)
{
    struct view v;
    int r = view_open(&v, AT_FDCWD, path, -1);
    if (r == 0)
        view_close(&v);
    return r == 0 || r == -EPROTONOSUPPORT;
}

static int cannot_write(const struct saving *s, int error)
{
    return fail(exit_code_of_errno(-error),
                "cannot write %s\n"
                "%s\n"
                "tscap %s --output elsewhere",
                s->path, strerror(error), s->settings->command);
}

static int exists(const struct saving *s, bool segment)
{
    if (segment)
        return fail(EXIT_USAGE,
                    "will not write over %s\n"
                    "it is the segment of a process\n"
                    "tscap %s --output elsewhere",
                    s->path, s->settings->command);
    return fail(EXIT_USAGE,
                "will not write over %s\n"
                "the file exists\n"
                "tscap %s --output elsewhere, or with --force",
                s->path, s->settings->command);
}

/* Never in the place of what is there: somebody may have it mapped. What is no plain file, as a pipe, is written to. */
static int open_file(struct saving *s)
{
    struct stat status;
    bool there = lstat(s->path, &status) == 0;
    if (there && S_ISREG(status.st_mode)) {
        bool segment = saving_is_segment(s->path);
        if (segment || !s->settings->force)
            return exists(s, segment);
        if (unlink(s->path) != 0)
            return cannot_write(s, errno);
        there = false;
    }
    s->fd = open(s->path, there ? O_WRONLY | O_CLOEXEC | O_NOCTTY : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    s->made = s->fd >= 0 && !there;
    return s->fd < 0 ? cannot_write(s, errno) : EXIT_OK;
}

static int open_stdout(struct saving *s)
{
    if (isatty(STDOUT_FILENO))
        return fail(EXIT_USAGE,
                    "%s: a capture is nothing to look at\n"
                    "stdout is a terminal\n"
                    "tscap %s --output - %s | ...",
                    s->settings->command, s->settings->command, s->settings->operand);
    s->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return s->fd < 0 ? cannot_write(s, errno) : EXIT_OK;
}

/* ---- what is said about it ---- */

static void add_note(struct saving *s, const char *key, const char *value)
{
    if (s->notes < SAVING_NOTES)
        s->note[s->notes++] = (struct recording_note){(char *)key, (char *)value};
}

static void add_list(struct saving *s, const char *key, const struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        add_note(s, key, l->text[i]);
}

static void add_notes(struct saving *s)
{
    const struct settings *set = s->settings;
    recording_maker_fill(&s->maker, set->command);
    for (uint32_t i = 0; i < s->maker.notes; i++)
        add_note(s, s->maker.note[i].key, s->maker.note[i].value);
    if (set->consumer)
        add_note(s, "consumer", set->consumer);
    add_list(s, "match", &set->match);
    add_list(s, "exclude", &set->exclude);
    if (set->all)
        add_note(s, "all", "yes");
    if (set->builtins)
        add_note(s, "builtins", "yes");
    if (set->subprocesses)
        add_note(s, "subprocesses", "yes");
}

int saving_open(struct saving *s, const struct settings *settings, pid_t pid, const char *command)
{
    char name[SAVING_NAME];
    signal(SIGPIPE, SIG_IGN); /* what cannot be written is an error, and what was begun is ended */
    signal(SIGXFSZ, SIG_IGN);
    *s = (struct saving){.settings = settings, .fd = -1};
    saving_name(command, name);
    if (settings->output) /* with a slash it is a file to whom it is given next */
        snprintf(s->path, sizeof s->path, "%s%s", strchr(settings->output, '/') || strcmp(settings->output, "-") == 0 ? "" : "./", settings->output);
    else
        snprintf(s->path, sizeof s->path, "./%s-%d.tscap", name, (int)pid);
    int code = strcmp(s->path, "-") == 0 ? open_stdout(s) : open_file(s);
    if (code != EXIT_OK)
        return code;
    add_notes(s);
    int r = capture_writer_open(&s->writer, s->fd, capture_zstd, settings->redact);
    return r < 0 ? cannot_write(s, -r) : EXIT_OK;
}

/* ---- a look ---- */

static void fill_process(struct recording_process *p, const struct member *m)
{
    const struct subject *s = &m->subject;
    *p = (struct recording_process){
        .header = m->taken ? m->snapshot.header : s->header,
        .session = m->taken ? m->snapshot.session : s->session,
        .asof = m->taken ? m->snapshot.asof : 0,
        .pid = (uint32_t)s->pid,
        .uid = s->uid,
        .alive = s->alive,
        .apart = s->apart,
        .read = m->taken,
        .consumer = m->consumer,
        .command = (char *)s->command,
    };
}

static int add_processes(struct recording *r, const struct source *source)
{
    int e = 0;
    r->process = calloc(source->count, sizeof *r->process);
    if (!r->process)
        return -ENOMEM;
    for (size_t i = 0; i < source->count && e == 0; i++) {
        const struct member *m = source->member[i];
        fill_process(&r->process[r->processes++], m);
        e = recording_add_consumers(r, (uint32_t)i, &m->snapshot.audiences, m->view.audiences ? m->view.slots : 0);
    }
    return e;
}

/* From when on it speaks, and until when. */
static void set_span(struct recording *r, const struct capture *now, const struct capture *before)
{
    uint64_t offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC), started = now->snapshot.session.started;
    recording_set_span(r, &now->scale, now->taken);
    if (before)
        r->began = before->taken + offset;
    if (before && before->snapshot.asof > started)
        r->session.started = before->snapshot.asof;
}

static uint32_t view_of(const struct source *s)
{
    static const uint32_t view[] = {
        [CHOICE_DEFAULT] = RECORDING_DEFAULT, [CHOICE_EVERYTHING] = RECORDING_EVERYTHING, [CHOICE_CONSUMER] = RECORDING_CONSUMER};
    return view[s->shown];
}

static int write_look(struct saving *s, struct capture_writer *writer, const struct capture *now, const struct capture *before)
{
    struct recording r = {
        .note = s->note,
        .notes = s->notes,
        .session = now->snapshot.session,
        .asof = now->snapshot.asof,
        .cpu_mode = now->snapshot.header.cpu_mode,
        .whole_tree = now->whole_tree,
        .interval = before,
        .view = view_of(now->source),
        .ns_per_tick = now->scale.ns_per_tick,
        .profile = now->profile,
    };
    struct profile interval = {.complete = false};
    set_span(&r, now, before);
    int e = add_processes(&r, now->source);
    if (e == 0 && before)
        e = interval_make(&interval, &now->profile, &before->profile);
    if (e == 0 && before)
        r.profile = interval;
    if (e == 0)
        e = capture_writer_look(writer, &r);
    if (before)
        profile_free(&interval);
    free(r.process);
    free(r.consumer);
    return e;
}

static int append(struct saving *s, const struct capture *now, const struct capture *before)
{
    uint64_t bytes = capture_writer_bytes(s->writer);
    int r = write_look(s, s->writer, now, before);
    if (r < 0)
        return r;
    s->last = capture_writer_bytes(s->writer) - bytes;
    if (!s->looks++)
        s->first = s->last;
    return 0;
}

/* ---- a file that is written anew ---- */

static bool has_outgrown(const struct saving *s)
{
    uint64_t look = s->first > s->last ? s->first : s->last;
    return s->looks && capture_writer_bytes(s->writer) > LOOKS_KEPT * look + SPARE;
}

static void change_files(struct saving *s, int fd, struct capture_writer *writer)
{
    close(s->fd);
    capture_writer_free(s->writer);
    s->fd = fd;
    s->writer = writer;
    s->first = s->last = capture_writer_bytes(writer);
    s->anew = false;
    s->looks++;
}

/* The file that is there is good as long as this one is not. */
static int write_anew(struct saving *s, const struct capture *now, const struct capture *before)
{
    struct successor successor;
    struct capture_writer *writer = NULL;
    int r = s->made ? successor_make(&successor, s->path, s->fd) : -ESTALE;
    if (r < 0)
        return r;
    r = capture_writer_open(&writer, successor.fd, capture_zstd, s->settings->redact);
    if (r == 0)
        r = write_look(s, writer, now, before);
    if (r == 0)
        r = successor_take_place(&successor, s->path, s->fd);
    else
        successor_drop(&successor);
    if (r == 0)
        change_files(s, successor.fd, writer);
    else
        capture_writer_free(writer);
    return r;
}

int saving_add(struct saving *s, const struct capture *now, const struct capture *before)
{
    bool anew = s->anew;
    int r = anew || has_outgrown(s) ? write_anew(s, now, before) : -ESTALE;
    if (r < 0 && !anew)
        r = append(s, now, before);
    if (r == 0)
        return EXIT_OK;
    if (!s->looks)
        return cannot_write(s, -r);
    return fail(exit_code_of_errno(r),
                "cannot go on writing %s\n"
                "%s; what was recorded until the look before is in it\n"
                "tscap %s --output elsewhere",
                s->path, strerror(-r), s->settings->command);
}

/* ---- the end ---- */

static int close_file(struct saving *s)
{
    int r = s->fd >= 0 && close(s->fd) != 0 ? -errno : 0;
    capture_writer_free(s->writer);
    s->writer = NULL;
    s->fd = -1;
    return r;
}

int saving_finish(struct saving *s)
{
    char bytes[UNITS_TEXT];
    int r = capture_writer_finish(s->writer);
    units_write_bytes(bytes, sizeof bytes, capture_writer_bytes(s->writer));
    int closed = close_file(s);
    if (r == 0)
        r = closed;
    if (r < 0)
        return cannot_write(s, -r);
    if (strcmp(s->path, "-") != 0)
        note("saved %s (%s): tscap dump %s", s->path, bytes, s->path);
    return EXIT_OK;
}

void saving_drop(struct saving *s)
{
    bool empty = s->made && !s->looks;
    close_file(s);
    if (empty)
        unlink(s->path);
}
