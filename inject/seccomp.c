#include "seccomp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "arch.h"

#define FILTERS_MAX 64

/* ---- classic BPF, as far as seccomp allows it: kernel/seccomp.c, seccomp_check_filter() ---- */

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
    const struct seccomp_data *data;
};

static uint32_t loaded(const struct machine *m, const struct sock_filter *i)
{
    uint32_t word = 0;
    switch (BPF_MODE(i->code)) {
    case BPF_IMM:
        return i->k;
    case BPF_LEN:
        return sizeof *m->data;
    case BPF_MEM:
        return i->k < BPF_MEMWORDS ? m->memory[i->k] : 0;
    default:
        if (i->k <= sizeof *m->data - sizeof word)
            memcpy(&word, (const char *)m->data + i->k, sizeof word);
        return word;
    }
}

static uint32_t computed(uint32_t a, unsigned code, uint32_t operand)
{
    switch (BPF_OP(code)) {
    case BPF_ADD:
        return a + operand;
    case BPF_SUB:
        return a - operand;
    case BPF_MUL:
        return a * operand;
    case BPF_DIV:
        return operand ? a / operand : 0;
    case BPF_OR:
        return a | operand;
    case BPF_AND:
        return a & operand;
    case BPF_XOR:
        return a ^ operand;
    case BPF_LSH:
        return a << (operand & 31);
    case BPF_RSH:
        return a >> (operand & 31);
    default: /* BPF_NEG */
        return -a;
    }
}

static bool holds(uint32_t a, unsigned code, uint32_t operand)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return a == operand;
    case BPF_JGT:
        return a > operand;
    case BPF_JGE:
        return a >= operand;
    default: /* BPF_JSET */
        return (a & operand) != 0;
    }
}

static size_t distance(const struct machine *m, const struct sock_filter *i, uint32_t operand)
{
    if (BPF_OP(i->code) == BPF_JA)
        return i->k;
    return holds(m->a, i->code, operand) ? i->jt : i->jf;
}

static void store(struct machine *m, const struct sock_filter *i, uint32_t value)
{
    if (i->k < BPF_MEMWORDS)
        m->memory[i->k] = value;
}

uint32_t seccomp_answer(const struct sock_filter *code, size_t count, const struct seccomp_data *data)
{
    struct machine m = {.data = data};
    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *i = &code[at];
        uint32_t operand = BPF_SRC(i->code) == BPF_X ? m.x : i->k;
        switch (BPF_CLASS(i->code)) {
        case BPF_LD:
            m.a = loaded(&m, i);
            break;
        case BPF_LDX:
            m.x = loaded(&m, i);
            break;
        case BPF_ST:
            store(&m, i, m.a);
            break;
        case BPF_STX:
            store(&m, i, m.x);
            break;
        case BPF_ALU:
            m.a = computed(m.a, i->code, operand);
            break;
        case BPF_JMP:
            at += distance(&m, i, operand);
            break;
        case BPF_RET:
            return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
        default: /* BPF_MISC */
            if (BPF_MISCOP(i->code) == BPF_TAX)
                m.x = m.a;
            else
                m.a = m.x;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* ---- what attaching asks for: in the thread that loads the library, in the threads of ours that it starts, by Python's
 * import, and by our listener ---- */

enum {
    IN_MEMORY = 1, /* only for a library in memory */
    WITH_RSEQ = 2, /* only if the thread has registered itself: then its C library does so for new ones */
    NO_ERROR = 4,  /* even an error is the end */
};

static const struct wanted {
    const char *name;
    int number;
    unsigned flags;
    uint64_t arguments[4];
} wanted[] = {
    {"mmap", SYS_mmap, 0, {0, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
    {"mmap", SYS_mmap, 0, {0, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED}},
    {"mmap", SYS_mmap, 0, {0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED}},
    {"mprotect", SYS_mprotect, 0, {0, 4096, PROT_READ}},
    {"munmap", SYS_munmap, 0, {0, 65536}},
    {"madvise", SYS_madvise, 0, {0, 65536, MADV_DONTNEED}},
    {"openat", SYS_openat, 0, {(uint32_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
    {"newfstatat", SYS_newfstatat, 0, {(uint32_t)AT_FDCWD}},
    {"read", SYS_read, 0, {3}},
    {"lseek", SYS_lseek, 0, {3}},
    {"close", SYS_close, 0, {3}},
    {"fallocate", SYS_fallocate, 0, {3}},
    {"linkat", SYS_linkat, 0, {0}},
    {"unlinkat", SYS_unlinkat, 0, {3}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, 0, {2, 0, 0, 8}},
    {"rt_sigreturn", SYS_rt_sigreturn, NO_ERROR, {0}},
    {"futex", SYS_futex, 0, {0}},
    {"clone3", SYS_clone3, 0, {0, 88}},
    {"rseq", SYS_rseq, WITH_RSEQ | NO_ERROR, {0, 32}},
    {"set_robust_list", SYS_set_robust_list, 0, {0, 24}},
    {"prctl", SYS_prctl, 0, {PR_SET_NAME}},
    {"clock_nanosleep", SYS_clock_nanosleep, 0, {0}},
    {"socket", SYS_socket, 0, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}},
    {"bind", SYS_bind, 0, {3}},
    {"listen", SYS_listen, 0, {3}},
    {"accept4", SYS_accept4, 0, {3}},
    {"getsockopt", SYS_getsockopt, 0, {3, SOL_SOCKET, SO_PEERCRED}},
    {"recvfrom", SYS_recvfrom, 0, {3}},
    {"sendto", SYS_sendto, 0, {3}},
#ifdef SYS_poll
    {"poll", SYS_poll, 0, {0}},
#else
    {"ppoll", SYS_ppoll, 0, {0}},
#endif
    {"exit", SYS_exit, 0, {0}},
    {"memfd_create", SYS_memfd_create, IN_MEMORY, {0}},
};

static bool is_deadly(uint32_t answer, unsigned flags)
{
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP: /* to a thread of ours, which has SIGSYS blocked as all signals */
        return true;
    case SECCOMP_RET_ERRNO:
        return flags & NO_ERROR;
    default:
        return false;
    }
}

static bool has_rseq(pid_t tid)
{
    struct __ptrace_rseq_configuration c = {0};
    return ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof c, &c) > 0 && c.rseq_abi_pointer;
}

static const char *find_deadly(const struct sock_filter *code, size_t count, unsigned unused)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct wanted *w = &wanted[i];
        struct seccomp_data data = {.nr = w->number, .arch = arch_audit};
        memcpy(data.args, w->arguments, sizeof w->arguments);
        if (!(w->flags & unused) && is_deadly(seccomp_answer(code, count, &data), w->flags))
            return w->name;
    }
    return NULL;
}

const char *seccomp_forbids(pid_t tid, bool in_memory)
{
    struct sock_filter code[BPF_MAXINSNS];
    const char *name = NULL;
    unsigned unused = (in_memory ? 0 : IN_MEMORY) | (has_rseq(tid) ? 0 : WITH_RSEQ);
    for (long i = 0; i < FILTERS_MAX && !name; i++) {
        long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, code);
        if (count <= 0)
            break;
        name = find_deadly(code, (size_t)count, unused);
    }
    return name;
}
