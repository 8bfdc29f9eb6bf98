/* What scenes.py cannot do in Python: loops in C that sit in the allocator, in the dynamic linker, in registers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fenv.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

void allocate(int rounds)
{
    void *volatile kept[64] = {0};
    for (int i = 0; i < rounds; i++) {
        free(kept[i % 64]);
        kept[i % 64] = malloc(16u + (unsigned)i * 2654435761u % 3000u);
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
}

/* Not loaded by an interpreter: loaded and closed in each round. */
int load(int rounds)
{
    int failed = 0;
    for (int i = 0; i < rounds; i++) {
        void *library = dlopen("libanl.so.1", RTLD_NOW);
        if (!library)
            library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
        failed += !library || dlclose(library) != 0;
    }
    return failed;
}

/* The child uses our memory, and we wait for it in the kernel, until it ends. */
int wait_for_vfork(int ms)
{
    int status;
    pid_t child = vfork();
    if (child == 0) {
        struct timespec t = {.tv_nsec = ms * 1000000L};
        nanosleep(&t, NULL);
        _exit(0);
    }
    return child < 0 || waitpid(child, &status, 0) != child || status;
}

/* Under callgrind --collect-atstart=no only this is counted. */
void measured(void (*function)(void))
{
    CALLGRIND_TOGGLE_COLLECT;
    function();
    CALLGRIND_TOGGLE_COLLECT;
}

/* ---- what must be as it was ---- */

#define REGISTERS 16

#if defined __x86_64__
/* All vector registers hold what is asked for, while a loop runs that needs none of them. */
static void spin_sse(long rounds, const uint8_t *from, uint8_t *to)
{
    __asm__ volatile("movups (%1), %%xmm0; movups 16(%1), %%xmm1; movups 32(%1), %%xmm2; movups 48(%1), %%xmm3\n"
                     "movups 64(%1), %%xmm4; movups 80(%1), %%xmm5; movups 96(%1), %%xmm6; movups 112(%1), %%xmm7\n"
                     "movups 128(%1), %%xmm8; movups 144(%1), %%xmm9; movups 160(%1), %%xmm10; movups 176(%1), %%xmm11\n"
                     "movups 192(%1), %%xmm12; movups 208(%1), %%xmm13; movups 224(%1), %%xmm14; movups 240(%1), %%xmm15\n"
                     "1: dec %0; jnz 1b\n"
                     "movups %%xmm0, (%2); movups %%xmm1, 16(%2); movups %%xmm2, 32(%2); movups %%xmm3, 48(%2)\n"
                     "movups %%xmm4, 64(%2); movups %%xmm5, 80(%2); movups %%xmm6, 96(%2); movups %%xmm7, 112(%2)\n"
                     "movups %%xmm8, 128(%2); movups %%xmm9, 144(%2); movups %%xmm10, 160(%2); movups %%xmm11, 176(%2)\n"
                     "movups %%xmm12, 192(%2); movups %%xmm13, 208(%2); movups %%xmm14, 224(%2); movups %%xmm15, 240(%2)\n"
                     : "+r"(rounds)
                     : "r"(from), "r"(to)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
}

__attribute__((target("avx"))) static void spin_avx(long rounds, const uint8_t *from, uint8_t *to)
{
    __asm__ volatile("vmovups (%1), %%ymm0; vmovups 32(%1), %%ymm1; vmovups 64(%1), %%ymm2; vmovups 96(%1), %%ymm3\n"
                     "vmovups 128(%1), %%ymm4; vmovups 160(%1), %%ymm5; vmovups 192(%1), %%ymm6; vmovups 224(%1), %%ymm7\n"
                     "1: dec %0; jnz 1b\n"
                     "vmovups %%ymm0, (%2); vmovups %%ymm1, 32(%2); vmovups %%ymm2, 64(%2); vmovups %%ymm3, 96(%2)\n"
                     "vmovups %%ymm4, 128(%2); vmovups %%ymm5, 160(%2); vmovups %%ymm6, 192(%2); vmovups %%ymm7, 224(%2)\n"
                     "vzeroupper\n"
                     : "+r"(rounds)
                     : "r"(from), "r"(to)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

static void spin(long rounds, const uint8_t *from, uint8_t *to)
{
    if (rounds % 2 && __builtin_cpu_supports("avx"))
        spin_avx(rounds, from, to);
    else
        spin_sse(rounds, from, to);
}
#else
static void spin(long rounds, const uint8_t *from, uint8_t *to)
{
    __asm__ volatile("ld1 {v0.16b-v3.16b}, [%1], #64\n ld1 {v4.16b-v7.16b}, [%1], #64\n"
                     "ld1 {v8.16b-v11.16b}, [%1], #64\n ld1 {v12.16b-v15.16b}, [%1], #64\n"
                     "1: subs %0, %0, #1\n b.ne 1b\n"
                     "st1 {v0.16b-v3.16b}, [%2], #64\n st1 {v4.16b-v7.16b}, [%2], #64\n"
                     "st1 {v8.16b-v11.16b}, [%2], #64\n st1 {v12.16b-v15.16b}, [%2], #64\n"
                     : "+r"(rounds), "+r"(from), "+r"(to)
                     :
                     : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15");
}
#endif

enum { VECTORS = 1, ERRNO = 2, SIGNAL_MASK = 4, SIGNAL_STACK = 8, ROUNDING = 16 };

/* What of it has changed meanwhile: 0. */
int keep_registers(long rounds)
{
    static __thread unsigned turn;
    uint8_t before[REGISTERS * 16], after[REGISTERS * 16], signal_stack[16384];
    sigset_t mask, mask_after, old_mask;
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack}, old_stack, stack_after;
    int wrong = 0, direction = turn % 2 ? FE_UPWARD : FE_DOWNWARD;
    for (size_t i = 0; i < sizeof before; i++)
        before[i] = after[i] = (uint8_t)(i * 37 + turn * 11 + 1);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGRTMIN + (int)(turn % 8));
    sigprocmask(SIG_SETMASK, &mask, &old_mask);
    sigaltstack(&stack, &old_stack);
    fesetround(direction);
    errno = 4000 + (int)(turn % 50);
    spin(rounds + turn % 2, before, after);
    wrong |= errno == 4000 + (int)(turn % 50) ? 0 : ERRNO;
    wrong |= fegetround() == direction ? 0 : ROUNDING;
    fesetround(FE_TONEAREST);
    sigaltstack(&old_stack, &stack_after);
    sigprocmask(SIG_SETMASK, &old_mask, &mask_after);
    wrong |= stack_after.ss_sp == signal_stack && stack_after.ss_size == sizeof signal_stack ? 0 : SIGNAL_STACK;
    wrong |= memcmp(&mask, &mask_after, 8) == 0 ? 0 : SIGNAL_MASK;
    wrong |= memcmp(before, after, sizeof before) == 0 ? 0 : VECTORS;
    turn++;
    return wrong;
}
