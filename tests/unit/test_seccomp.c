/* What a seccomp filter answers, against the kernel's own answers to the same programs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "../support/random.h"
#include "seccomp.h"

#define CALL SYS_getpriority /* anything that nothing else here makes */
#define LENGTH 12
#define PROGRAMS 400

static const uint64_t arguments[] = {7, 0x123456789abcdef0, 0, 0xffffffff, 1ull << 40, 3};

/* The last word decides: an error of 1 to 3, or none. */
static size_t make(struct sock_filter *code, struct random *chance)
{
    static const uint16_t some[] = {BPF_ALU | BPF_ADD | BPF_K,  BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_AND | BPF_K,
                                    BPF_ALU | BPF_OR | BPF_X,   BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_RSH | BPF_K,
                                    BPF_ALU | BPF_NEG,          BPF_MISC | BPF_TAX,        BPF_MISC | BPF_TXA,        BPF_LD | BPF_IMM,
                                    BPF_LDX | BPF_W | BPF_IMM,  BPF_LD | BPF_W | BPF_LEN,  BPF_LD | BPF_W | BPF_ABS,  BPF_ALU | BPF_DIV | BPF_K,
                                    BPF_JMP | BPF_JEQ | BPF_K,  BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K};
    size_t n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
    for (size_t i = 0; i < LENGTH; i++) {
        struct sock_filter s = {.code = some[random_below(chance, sizeof some / sizeof *some)], .k = (uint32_t)random_below(chance, 9) + 1};
        if (s.code == (BPF_LD | BPF_W | BPF_ABS))
            s.k = (uint32_t)offsetof(struct seccomp_data, args) + 4 * (s.k - 1);
        if (BPF_CLASS(s.code) == BPF_JMP)
            s.jt = (uint8_t)random_below(chance, LENGTH - i), s.jf = (uint8_t)random_below(chance, LENGTH - i);
        code[n++] = s;
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    return n;
}

/* In a child: the error of the call, 0 if it comes back as done. */
static int ask_kernel(struct sock_filter *code, size_t count)
{
    int status;
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul) != 0 || prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program, 0ul, 0ul) != 0)
            _exit(100);
        long r = syscall(CALL, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
        _exit(r < 0 ? errno : 0);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(seccomp, answers_as_the_kernel_does)
{
    struct random chance = random_seeded(1);
    for (int i = 0; i < PROGRAMS; i++) {
        struct sock_filter code[LENGTH + 8];
        struct seccomp_data data = {.nr = CALL, .arch = arch_audit};
        size_t count = make(code, &chance);
        memcpy(data.args, arguments, sizeof data.args);
        uint32_t answer = seccomp_answer(code, count, &data);
        cr_assert_eq(answer & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
        cr_assert_eq((int)(answer & SECCOMP_RET_DATA), ask_kernel(code, count), "program %d", i);
    }
}

Test(seccomp, a_program_without_an_end_kills)
{
    struct seccomp_data data = {.nr = CALL};
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4096), BPF_JUMP(BPF_JMP | BPF_JA, 1000, 0, 0), BPF_STMT(BPF_ST, 99)};
    for (size_t n = 0; n <= sizeof code / sizeof *code; n++)
        cr_expect_eq(seccomp_answer(code, n, &data), SECCOMP_RET_KILL_PROCESS);
}
