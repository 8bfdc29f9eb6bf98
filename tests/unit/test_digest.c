/* The digest: bounded, whatever a profile holds, and JSON. That it follows its schema: tests/cli/test_digest.py. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "source.h"
#include "utf8.h"

/* A profile of `count` functions that are called alike, each of the main thread, the first below the second and so on in tens. */
struct made {
    struct capture capture;
    struct source source;
    struct member member, *members[1];
    struct profile_thread thread;
};

static void make_sites(struct profile *p, uint32_t count, const char *name)
{
    p->site = calloc(count + 1, sizeof *p->site);
    p->sites = count;
    for (uint32_t i = 0; i < count; i++) {
        struct profile_site *s = &p->site[i];
        *s = (struct profile_site){.id = i + 1, .name = strdup(name), .qualname = strdup(name), .module = strdup(name), .file = strdup(name), .line = UINT32_MAX};
        s->t = (struct profile_times){.calls = UINT64_MAX / 2, .primitive_calls = 1, .inclusive = UINT32_MAX, .exclusive = 1000 + i};
    }
}

/* Ten levels at most: node i + 1 is of site i. */
static void make_nodes(struct profile *p)
{
    p->nodes = p->sites;
    p->node = calloc(p->nodes + 1, sizeof *p->node);
    uint32_t root = 0;
    for (uint32_t i = 1; i <= p->nodes; i++) {
        struct profile_node *n = &p->node[i];
        *n = (struct profile_node){.site = i, .t = p->site[i - 1].t};
        if ((i - 1) % 10) {
            n->parent = i - 1;
            p->node[i - 1].first_child = i;
            continue;
        }
        if (root)
            p->node[root].next_sibling = i;
        root = i;
    }
}

static struct made *make(uint32_t count, const char *name)
{
    struct made *m = calloc(1, sizeof *m);
    struct profile *p = &m->capture.profile;
    make_sites(p, count, name);
    make_nodes(p);
    m->thread = (struct profile_thread){.count = 1, .complete = true, .first_root = count ? 1 : 0};
    p->thread = &m->thread;
    p->threads = 1;
    p->calls = UINT64_MAX / 2;
    p->complete = true;
    m->members[0] = &m->member;
    m->member.subject = (struct subject){.pid = INT32_MAX, .alive = true};
    snprintf(m->member.subject.command, sizeof m->member.subject.command, "%s", name);
    m->source = (struct source){.member = m->members, .count = 1};
    m->capture.subject = &m->member.subject;
    m->capture.source = &m->source;
    m->capture.cpu = true;
    m->capture.scale.ns_per_tick = 1;
    snprintf(m->capture.snapshot.header.python, sizeof m->capture.snapshot.header.python, "%s", name);
    capture_sum(&m->capture);
    m->capture.cpu = true;
    return m;
}

static void drop(struct made *m)
{
    m->capture.profile.thread = NULL;
    m->capture.profile.threads = 0;
    profile_free(&m->capture.profile);
    free(m);
}

static char *digest(const struct made *m, const char *operand)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    cr_assert(digest_write(&m->capture, operand, out));
    fclose(out);
    cr_expect_leq(bytes, DIGEST_MAX, "%zu bytes", bytes);
    cr_expect_eq(strlen(text), bytes);
    for (size_t at = 0, n; text[at]; at += n) {
        n = utf8_sequence(text + at);
        cr_assert_neq(n, 0, "byte %zu is no UTF-8", at);
    }
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static char *repeated(const char *what, size_t bytes)
{
    char *text = calloc(bytes + strlen(what) + 1, 1);
    for (size_t used = 0; used < bytes; used += strlen(what))
        strcpy(text + used, what);
    return text;
}

Test(digest, the_costliest_of_many)
{
    struct made *m = make(100000, "f");
    char *text = digest(m, "42");
    cr_expect_not_null(strstr(text, "\"functions\": 100000"));
    cr_expect_not_null(strstr(text, "\"functions_left_out\": 99990"));
    cr_expect_eq(count(text, "\"line\":"), 10);
    cr_expect_eq(count(text, "\"frames\":"), 5);
    const char *first = strstr(text, "\"exclusive_ns\": 100999"), *second = strstr(text, "\"exclusive_ns\": 100998");
    cr_expect(first && second && first < second, "%s", text);
    cr_expect_not_null(strstr(text, "\"tscap dump --callers 'f.f' '42'\""), "%s", text);
    free(text);
    drop(m);
}

Test(digest, no_name_makes_it_longer)
{
    static const char *const parts[] = {"n", "\"", "\\", "'", "\xc3\xa9", "\xf0\x9f\x90\x8d", "\xff", "\n", "\x1b[31m", "<script>", "a.b:c"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *name = repeated(parts[i], 65536);
        struct made *m = make(300, name);
        char *text = digest(m, name);
        cr_expect_geq(count(text, "\"line\":"), 3, "%s: there is room for some of them", parts[i]);
        cr_expect_null(strpbrk(text, "\x1b\xff"));
        cr_expect_not_null(strstr(text, "...\""), "what is cut says so");
        cr_expect_not_null(strstr(text, "\"next\": []"), "%s: such an operand cannot be typed", parts[i]);
        free(text);
        drop(m);
        free(name);
    }
}

/* Of every length: no character is cut in two, and the bound holds at each. */
Test(digest, names_are_cut_between_characters)
{
    for (size_t bytes = 85; bytes < 110; bytes++) {
        char *name = repeated("x\xc3\xa9\"", bytes);
        struct made *m = make(12, name);
        char *text = digest(m, "it's here.tscap");
        cr_expect_not_null(strstr(text, "'it'\\\\''s here.tscap'\""), "%s", text);
        free(text);
        drop(m);
        free(name);
    }
}

Test(digest, of_nothing)
{
    struct made *m = make(0, "f");
    m->capture.profile.calls = 0;
    m->capture.profile.lost = 7;
    char *text = digest(m, "42");
    cr_expect_not_null(strstr(text, "\"losses\": {\n    \"calls\": 7\n  }"), "%s", text);
    cr_expect_not_null(strstr(text, "\"tscap start '42'\""), "%s", text);
    free(text);
    drop(m);
}
