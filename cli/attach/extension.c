#include "extension.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps.h"

#define PACKAGE "timestamp_capture"

struct search {
    struct extension *e;
    pid_t pid;
    const struct target *target;
    unsigned minor, micro;
    char tag[32]; /* "cpython-313t": of the extension's file name */
};

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* Does the process see the very same file by this path? */
static bool is_seen(const struct search *s, const char *path)
{
    char there[PATH_MAX + 64];
    struct stat a, b;
    snprintf(there, sizeof there, "/proc/%ld/root%s", (long)s->pid, path);
    return stat(path, &a) == 0 && stat(there, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- a folder that may be the package ---- */

/* Extensions for several machines may lie side by side. */
static bool fits(const struct search *s, const char *library)
{
    unsigned machine;
    bool is_64_bit;
    return target_file_machine(library, &machine, &is_64_bit) && machine == s->target->machine && is_64_bit == s->target->is_64_bit &&
           !strstr(library, "-musl.so");
}

static bool find_library(const struct search *s, const char *pattern, char *path, size_t size)
{
    glob_t found;
    bool any = false;
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc && !any; i++)
        any = snprintf(path, size, "%s", found.gl_pathv[i]) < (int)size && fits(s, path);
    globfree(&found);
    return any;
}

/* `root`: "" or the process' own, through which we reach its files. */
static bool try_package(struct search *s, const char *root, const char *package)
{
    char pattern[2 * PATH_MAX], library[2 * PATH_MAX], real[PATH_MAX];
    size_t skip = strlen(root);
    snprintf(pattern, sizeof pattern, "%s%s/_core.%s-*.so", root, package, s->tag);
    if (!find_library(s, pattern, library, sizeof library))
        return false;
    if (skip == 0 && !realpath(library, real))
        return false;
    const char *seen = skip ? library + skip : real;
    snprintf(s->e->library, sizeof s->e->library, "%s", seen);
    s->e->hidden = skip == 0 && !s->e->bring && !is_seen(s, real);
    return !s->e->hidden;
}

/* One folder per interpreter: that of the very same version before others of the same minor one. */
static bool try_build_tree(struct search *s, const char *tree)
{
    char package[PATH_MAX], pattern[PATH_MAX];
    glob_t found;
    snprintf(package, sizeof package, "%s/python/%s-3.%u.%u/" PACKAGE, tree, s->tag, s->minor, s->micro);
    if (try_package(s, "", package))
        return true;
    snprintf(pattern, sizeof pattern, "%s/python/%s-*/" PACKAGE, tree, s->tag);
    bool done = false;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !done; i++)
            done = try_package(s, "", found.gl_pathv[i]);
    globfree(&found);
    return done;
}

/* What pip, make install and Debian make of a prefix. */
static const char *const folders[] = {"/lib/python3.%s/site-packages/" PACKAGE, "/local/lib/python3.%s/dist-packages/" PACKAGE,
                                      "/lib/python3.%s/dist-packages/" PACKAGE, "/lib64/python3.%s/site-packages/" PACKAGE,
                                      "/lib/python3/dist-packages/" PACKAGE};

static bool try_prefix(struct search *s, const char *root, const char *prefix)
{
    char package[PATH_MAX], folder[128], minor[16];
    snprintf(minor, sizeof minor, "%u", s->minor);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(folder, sizeof folder, folders[i], minor);
        if (snprintf(package, sizeof package, "%s%s", prefix, folder) < (int)sizeof package && try_package(s, root, package))
            return true;
    }
    return false;
}

/* ---- ours ---- */

/* "/usr/local/bin/tscap", 2: "/usr/local" */
static void cut(char *path, int parts)
{
    for (char *slash; parts > 0 && (slash = strrchr(path, '/')); parts--)
        *slash = '\0';
}

/* The folder that this tscap is in. */
static bool find_own_folder(char *path)
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    cut(path, 1);
    return true;
}

static bool find_ours(struct search *s)
{
    char path[PATH_MAX];
    const char *build = getenv("TSCAP_BUILD");
    if (build && *build && try_build_tree(s, build))
        return true;
    if (!find_own_folder(path))
        return false;
    if (is_directory(path) && try_build_tree(s, path))
        return true;
    cut(path, 1);
    return try_prefix(s, "", path);
}

struct tour {
    bool (*visit)(void *context, const char *library);
    void *context;
    bool more;
};

static void visit_package(struct tour *t, const char *prefix, const char *package)
{
    char pattern[PATH_MAX], real[PATH_MAX];
    glob_t found;
    if (snprintf(pattern, sizeof pattern, "%s%s/_core.cpython-3*.so", prefix, package) >= PATH_MAX)
        return;
    if (!t->more || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc && t->more; i++)
        if (realpath(found.gl_pathv[i], real))
            t->more = t->visit(t->context, real);
    globfree(&found);
}

static void visit_prefix(struct tour *t, const char *prefix)
{
    char folder[128];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(folder, sizeof folder, folders[i], "*");
        visit_package(t, prefix, folder);
    }
}

void extension_each(bool (*visit)(void *context, const char *library), void *context)
{
    char path[PATH_MAX];
    const char *build = getenv("TSCAP_BUILD");
    struct tour tour = {visit, context, true};
    if (build && *build)
        visit_package(&tour, build, "/python/*/" PACKAGE);
    if (!find_own_folder(path))
        return;
    visit_package(&tour, path, "/python/*/" PACKAGE);
    cut(path, 1);
    visit_prefix(&tour, path);
}

/* ---- the process' own ---- */

static bool try_variable(struct search *s, const char *root, const char *name, const char *below)
{
    char prefix[PATH_MAX];
    if (target_environment(s->pid, name, prefix, sizeof prefix) < 0 || prefix[0] != '/')
        return false;
    return snprintf(prefix + strlen(prefix), sizeof prefix - strlen(prefix), "%s", below) < PATH_MAX && try_prefix(s, root, prefix);
}

/* $PYTHONPATH: folders that packages lie in. */
static bool try_search_path(struct search *s, const char *root)
{
    char path[PATH_MAX], package[PATH_MAX], *rest = path;
    bool done = false;
    if (target_environment(s->pid, "PYTHONPATH", path, sizeof path) < 0)
        return false;
    for (char *folder; !done && (folder = strsep(&rest, ":"));)
        if (folder[0] == '/' && snprintf(package, sizeof package, "%s/" PACKAGE, folder) < (int)sizeof package)
            done = try_package(s, root, package);
    return done;
}

/* A virtual environment's python is a link, so /proc/PID/exe leads past it; the name it was started by does not. */
static bool try_started_by(struct search *s, const char *root)
{
    char proc[64], name[PATH_MAX] = "";
    snprintf(proc, sizeof proc, "/proc/%ld/cmdline", (long)s->pid);
    FILE *file = fopen(proc, "re");
    size_t n = file ? fread(name, 1, sizeof name - 1, file) : 0;
    if (file)
        fclose(file);
    name[n] = '\0';
    if (name[0] != '/')
        return false;
    cut(name, 2);
    return try_prefix(s, root, name);
}

/* The folder that an extension module of it was loaded from: "/x/site-packages/numpy/core/...so". */
static bool try_mapped(struct search *s, const char *root)
{
    static const char *const names[] = {"/site-packages/", "/dist-packages/"};
    struct maps maps;
    char package[PATH_MAX];
    bool done = false;
    if (maps_read(&maps, s->pid) < 0)
        return false;
    for (size_t i = 0; i < maps.count && !done; i++)
        for (size_t k = 0; k < 2 && !done; k++) {
            const char *path = maps.mapping[i].path, *at = strstr(path, names[k]);
            if (at && snprintf(package, sizeof package, "%.*s%s" PACKAGE, (int)(at - path), path, names[k]) < (int)sizeof package)
                done = try_package(s, root, package);
        }
    maps_free(&maps);
    return done;
}

static bool find_theirs(struct search *s, const struct target *t)
{
    char root[64], prefix[PATH_MAX];
    snprintf(root, sizeof root, "/proc/%ld/root", (long)s->pid);
    if (try_search_path(s, root) || try_variable(s, root, "VIRTUAL_ENV", "") || try_started_by(s, root) || try_mapped(s, root) ||
        try_variable(s, root, "HOME", "/.local"))
        return true;
    snprintf(prefix, sizeof prefix, "%s", t->image);
    cut(prefix, 2); /* of bin/python3 or lib/libpython3.so */
    return try_prefix(s, root, prefix) || try_prefix(s, root, "/usr/local") || try_prefix(s, root, "/usr");
}

/* ---- what it has loaded before: a second copy would know nothing of the first ---- */

/* The descriptor that a file in memory is still open by. */
static bool find_descriptor(const struct search *s, const struct mapping *m, char *path, size_t size)
{
    char pattern[64], link[PATH_MAX];
    glob_t found;
    struct stat file;
    bool any = false;
    snprintf(pattern, sizeof pattern, "/proc/%ld/fd/*", (long)s->pid);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc && !any; i++) {
        ssize_t n = readlink(found.gl_pathv[i], link, sizeof link - 1);
        if (n <= 0 || stat(found.gl_pathv[i], &file) != 0 || file.st_ino != m->inode)
            continue;
        link[n] = '\0';
        any = strcmp(link, m->path) == 0 && snprintf(path, size, "/proc/self/fd/%s", strrchr(found.gl_pathv[i], '/') + 1) < (int)size;
    }
    globfree(&found);
    return any;
}

static bool take_resident(struct search *s, const struct mapping *m)
{
    static const char memory[] = "/memfd:";
    char *library = s->e->library;
    bool in_memory = strncmp(m->path, memory, sizeof memory - 1) == 0;
    if (in_memory && !find_descriptor(s, m, library, PATH_MAX))
        return false;
    if (!in_memory) {
        char there[PATH_MAX + 64];
        struct stat file;
        snprintf(there, sizeof there, "/proc/%ld/root%s", (long)s->pid, m->path);
        if (stat(there, &file) != 0 || file.st_ino != m->inode)
            return false;
        snprintf(library, PATH_MAX, "%s", m->path);
    }
    s->e->resident = true;
    return true;
}

static bool find_resident(struct search *s)
{
    struct maps maps;
    bool done = false;
    if (maps_read(&maps, s->pid) < 0)
        return false;
    for (size_t i = 0; i < maps.count && !done; i++)
        if (maps.mapping[i].path[0] == '/' && strstr(maps.mapping[i].path, "/" PACKAGE "/_core."))
            done = take_resident(s, &maps.mapping[i]);
    maps_free(&maps);
    return done;
}

bool extension_find(struct extension *e, pid_t pid, const struct target *t, bool bring)
{
    struct search s = {.e = e, .pid = pid, .target = t, .minor = t->version >> 16 & 0xff, .micro = t->version >> 8 & 0xff};
    *e = (struct extension){0};
    snprintf(s.tag, sizeof s.tag, "cpython-3%u%s%s", s.minor, t->free_threaded ? "t" : "", t->debug ? "d" : "");
    if (t->loaded && find_resident(&s))
        return true;
    e->bring = bring;
    if (find_ours(&s))
        return true;
    e->bring = false;
    struct extension hidden = *e;
    if (find_theirs(&s, t))
        return true;
    *e = hidden;
    return false;
}

void extension_kind(const struct target *t, char *buffer, size_t size)
{
    snprintf(buffer, size, "CPython 3.%u%s%s", t->version >> 16 & 0xff, t->free_threaded ? ", free-threaded" : "", t->debug ? ", debug build" : "");
}
