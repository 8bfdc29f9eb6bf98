/* LD_PRELOAD: an allocator that ends the program when it is entered again by a thread that is inside it. What it does takes a
 * while, in functions that no table of names has, or with -DINNER= in exported ones. The memory comes from one large block and is never given back; a list of
 * sizes is handed out again. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef INNER
#define INNER static
#endif

#define BLOCK (8ull << 30) /* of address space */
#define CLASSES 48         /* sizes of 16 << n/2, roughly */
#define ALIGNMENT 16

struct chunk {
    size_t size; /* without this header */
    struct chunk *next;
};
_Static_assert(sizeof(struct chunk) == ALIGNMENT, "keeps what follows aligned");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside __attribute__((tls_model("initial-exec")));
static struct chunk *unused[CLASSES];
static char *next, *end;

static void enter(void)
{
    static const char text[] = "allocator.c: entered by a thread that is inside\n";
    if (inside++) {
        (void)!write(2, text, sizeof text - 1);
        _exit(99);
    }
    pthread_mutex_lock(&lock);
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
    inside--;
}

static size_t size_of_class(int n) { return (n % 2 ? (size_t)24 : (size_t)16) << n / 2; }

static int class_of(size_t size)
{
    int n = 0;
    while (n < CLASSES - 1 && (size_of_class(n) & ~15ull) < size)
        n++;
    return n;
}

__attribute__((noinline)) INNER struct chunk *take(size_t size)
{
    int n = class_of(size);
    size_t whole = (size_of_class(n) & ~15ull) + sizeof(struct chunk);
    struct chunk *c = unused[n];
    if (!next) {
        next = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        end = next + BLOCK;
    }
    for (volatile int i = 0; i < 200; i++) /* here is where it is mostly found */
        ;
    if (c)
        unused[n] = c->next;
    else if (next != MAP_FAILED && whole <= (size_t)(end - next)) {
        c = (struct chunk *)next;
        next += whole;
        c->size = whole - sizeof(struct chunk);
    }
    return c;
}

__attribute__((noinline)) INNER void give_back(struct chunk *c)
{
    int n = class_of(c->size);
    for (volatile int i = 0; i < 100; i++)
        ;
    c->next = unused[n];
    unused[n] = c;
}

/* Not in malloc() itself: compilers make one call of calloc() of a malloc() and a memset(), also within calloc(). */
__attribute__((noinline)) INNER void *get(size_t size)
{
    enter();
    struct chunk *c = size < BLOCK ? take(size) : NULL;
    leave();
    if (!c)
        errno = ENOMEM;
    return c ? c + 1 : NULL;
}

void *malloc(size_t size) { return get(size); }

/* Aligned memory has no header of ours right before it: it is not handed out again. */
static int is_ours(const struct chunk *c) { return c->next != (struct chunk *)-1; }

void free(void *p)
{
    if (!p || !is_ours((struct chunk *)p - 1))
        return;
    enter();
    give_back((struct chunk *)p - 1);
    leave();
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *p = __builtin_mul_overflow(count, size, &bytes) ? NULL : get(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *realloc(void *p, size_t size)
{
    size_t old = p ? ((struct chunk *)p - 1)->size : 0;
    if (p && old >= size)
        return p;
    void *q = get(size);
    if (q && p) {
        memcpy(q, p, old);
        free(p);
    }
    return q;
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    char *whole = get(size + alignment + sizeof(struct chunk));
    if (!whole)
        return ENOMEM;
    char *aligned = (char *)(((uintptr_t)whole + sizeof(struct chunk) + alignment - 1) & ~(uintptr_t)(alignment - 1));
    ((struct chunk *)aligned)[-1] = (struct chunk){.size = size, .next = (struct chunk *)-1};
    *p = aligned;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *p;
    int e = posix_memalign(&p, alignment, size);
    if (e)
        errno = e;
    return e ? NULL : p;
}

void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
