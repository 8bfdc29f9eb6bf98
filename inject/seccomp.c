#include "seccomp.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch.h"
#include "tracee.h"

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

/* ---- what is called in the process because of us ----
 *
 * One row for each system call; several, where what is asked of it differs. tests/inject/test_sandbox.py hears of all that
 * are made from attaching to detaching, and fails for one that is not here; what is seldom made (a name is taken already, an
 * old segment is removed, the descriptors were closed by others) is from reading the code. */

enum {
    NO_ERROR = 1,  /* even an error is the end */
    WITH_RSEQ = 2, /* only if the thread has registered itself: then its C library does so for new ones */
};

enum {
    ATTACHING = SECCOMP_ATTACHING,
    RECORDING = SECCOMP_RECORDING,
    OBEYING = SECCOMP_OBEYING,
    DETACHING = SECCOMP_DETACHING,
    ALWAYS = RECORDING | OBEYING | DETACHING,
};

#define THREAD_FLAGS 0x3d0f00 /* what pthread_create(3) asks of clone(2), where it does not get clone3 */

static const struct wanted {
    const char *name;
    int number;
    unsigned use, flags;
    uint64_t arguments[4];
} wanted[] = {
    /* memory */
    {"mmap", SYS_mmap, ATTACHING, 0, {0, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
    {"mmap", SYS_mmap, ATTACHING, 0, {0, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED}},
    {"mmap", SYS_mmap, ALWAYS, 0, {0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
    {"mmap", SYS_mmap, RECORDING, 0, {0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED}},
    {"mprotect", SYS_mprotect, ATTACHING, 0, {0, 4096, PROT_READ}},
    {"mprotect", SYS_mprotect, ALWAYS, 0, {0, 4096, PROT_READ | PROT_WRITE}},
    {"mremap", SYS_mremap, ALWAYS, 0, {0, 65536, 131072, MREMAP_MAYMOVE}},
    {"munmap", SYS_munmap, ALWAYS, 0, {0, 65536}},
    {"madvise", SYS_madvise, RECORDING | DETACHING, 0, {0, 65536, MADV_DONTNEED}},
    {"madvise", SYS_madvise, RECORDING, 0, {0, 65536, MADV_POPULATE_WRITE}},
    {"madvise", SYS_madvise, RECORDING, 0, {0, 65536, MADV_REMOVE}},
    {"madvise", SYS_madvise, ATTACHING, 0, {0, 4096, MADV_WIPEONFORK}},
    {"brk", SYS_brk, ALWAYS, 0, {0}},
    {"fallocate", SYS_fallocate, RECORDING, 0, {3}},
    {"memfd_create", SYS_memfd_create, SECCOMP_IN_MEMORY, 0, {0}},

    /* files */
    {"openat", SYS_openat, RECORDING, 0, {(uint32_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
    {"openat", SYS_openat, ATTACHING, 0, {3, 0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600}},
    {"newfstatat", SYS_newfstatat, ALWAYS, 0, {(uint32_t)AT_FDCWD}},
    {"read", SYS_read, ALWAYS, 0, {3}},
    {"pread64", SYS_pread64, RECORDING, 0, {3}},
    {"write", SYS_write, RECORDING, 0, {3}},
    {"lseek", SYS_lseek, RECORDING, 0, {3}},
    {"close", SYS_close, ALWAYS, 0, {3}},
    {"fcntl", SYS_fcntl, ATTACHING, 0, {3, F_GETFL}},
    {"fcntl", SYS_fcntl, RECORDING, 0, {3, F_DUPFD_CLOEXEC}},
    {"ioctl", SYS_ioctl, ATTACHING, 0, {3, TCGETS}},
    {"fchmod", SYS_fchmod, ATTACHING, 0, {3, 0600}},
    {"getdents64", SYS_getdents64, ATTACHING, 0, {3}},
    {"getcwd", SYS_getcwd, ATTACHING, 0, {0}},
    {"linkat", SYS_linkat, ATTACHING, 0, {3}},
    {"unlinkat", SYS_unlinkat, ATTACHING, 0, {3}},
    {"renameat", SYS_renameat, ATTACHING, 0, {3}},
#ifdef SYS_mkdir
    {"mkdir", SYS_mkdir, ATTACHING, 0, {0, 0700}},
    {"rename", SYS_rename, ATTACHING, 0, {0}},
    {"unlink", SYS_unlink, DETACHING, 0, {0}},
    {"readlink", SYS_readlink, ATTACHING, 0, {0}},
    {"access", SYS_access, RECORDING, 0, {0, F_OK}},
#else
    {"unlinkat", SYS_unlinkat, DETACHING, 0, {(uint32_t)AT_FDCWD}},
    {"mkdirat", SYS_mkdirat, ATTACHING, 0, {(uint32_t)AT_FDCWD, 0, 0700}},
    {"readlinkat", SYS_readlinkat, ATTACHING, 0, {(uint32_t)AT_FDCWD}},
    {"faccessat", SYS_faccessat, RECORDING, 0, {(uint32_t)AT_FDCWD, 0, F_OK}},
#endif

    /* threads */
    {"rt_sigaction", SYS_rt_sigaction, ATTACHING, 0, {33, 0, 0, 8}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, DETACHING, 0, {2, 0, 0, 8}},
    {"rt_sigreturn", SYS_rt_sigreturn, ATTACHING, NO_ERROR, {0}},
    {"restart_syscall", SYS_restart_syscall, ALWAYS, NO_ERROR, {0}},
    {"futex", SYS_futex, ALWAYS, 0, {0}},
    {"clone3", SYS_clone3, ATTACHING, 0, {0, 88}},
    {"clone", SYS_clone, ATTACHING, 0, {THREAD_FLAGS}},
    {"rseq", SYS_rseq, ATTACHING, WITH_RSEQ | NO_ERROR, {0, 32}},
    {"set_robust_list", SYS_set_robust_list, ATTACHING, 0, {0, 24}},
    {"prctl", SYS_prctl, RECORDING, 0, {PR_SET_NAME}},
    {"prctl", SYS_prctl, RECORDING, 0, {PR_GET_NAME}},
    {"sched_yield", SYS_sched_yield, ALWAYS, 0, {0}},
    {"sched_getaffinity", SYS_sched_getaffinity, RECORDING, 0, {0}},
    {"tgkill", SYS_tgkill, ATTACHING, 0, {0}},
    {"exit", SYS_exit, DETACHING, 0, {0}},

    /* time, numbers, limits */
    {"clock_gettime", SYS_clock_gettime, ALWAYS, 0, {CLOCK_THREAD_CPUTIME_ID}},
    {"clock_nanosleep", SYS_clock_nanosleep, RECORDING, 0, {0}},
    {"getrusage", SYS_getrusage, RECORDING, 0, {RUSAGE_THREAD}},
    {"prlimit64", SYS_prlimit64, RECORDING, 0, {0, RLIMIT_FSIZE}},
    {"getpid", SYS_getpid, RECORDING, 0, {0}},
    {"getppid", SYS_getppid, ATTACHING, 0, {0}},
    {"gettid", SYS_gettid, ALWAYS, 0, {0}},
    {"geteuid", SYS_geteuid, ATTACHING, 0, {0}},

    /* sockets */
    {"socket", SYS_socket, ATTACHING, 0, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}},
    {"socket", SYS_socket, ATTACHING | OBEYING, 0, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK}},
    {"socketpair", SYS_socketpair, ATTACHING, 0, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK}},
    {"bind", SYS_bind, ATTACHING, 0, {3}},
    {"setsockopt", SYS_setsockopt, ATTACHING, 0, {3, SOL_SOCKET, SO_SNDBUF}},
    {"connect", SYS_connect, ATTACHING | OBEYING, 0, {3}}, /* is there a listener to what a dead process left? */
    {"listen", SYS_listen, ATTACHING, 0, {3}},
    {"accept4", SYS_accept4, OBEYING, 0, {3}},
    {"getsockopt", SYS_getsockopt, OBEYING, 0, {3, SOL_SOCKET, SO_PEERCRED}},
    {"recvfrom", SYS_recvfrom, OBEYING, 0, {3}},
    {"sendto", SYS_sendto, ATTACHING | RECORDING | OBEYING, 0, {3}},
#ifdef SYS_poll
    {"poll", SYS_poll, OBEYING, 0, {0}},
#else
    {"ppoll", SYS_ppoll, OBEYING, 0, {0}},
#endif
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

static const char *find_deadly(const struct sock_filter *code, size_t count, unsigned use, unsigned unused)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct wanted *w = &wanted[i];
        struct seccomp_data data = {.nr = w->number, .arch = arch_audit};
        memcpy(data.args, w->arguments, sizeof w->arguments);
        if (w->use & use && !(w->flags & unused) && is_deadly(seccomp_answer(code, count, &data), w->flags))
            return w->name;
    }
    return NULL;
}

/* Has a filter been found that kills a system call which the kernel itself would make for the thread, to go on with the one
 * that we have stopped, that one ends with EINTR, as by a signal. */
static void spare(pid_t tid, const struct sock_filter *code, size_t count)
{
    struct user_regs_struct r;
    const struct seccomp_data data = {.nr = SYS_restart_syscall, .arch = arch_audit};
    if (is_deadly(seccomp_answer(code, count, &data), NO_ERROR) && tracee_get_general(tid, &r) == 0 && arch_end_syscall(tid, &r))
        tracee_set_general(tid, &r);
}

const char *seccomp_forbids(pid_t tid, unsigned use)
{
    struct sock_filter code[BPF_MAXINSNS];
    const char *name = NULL;
    unsigned unused = has_rseq(tid) ? 0 : WITH_RSEQ;
    for (long i = 0; i < FILTERS_MAX; i++) {
        long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, code);
        if (count <= 0)
            break;
        if (!name)
            name = find_deadly(code, (size_t)count, use, unused);
        spare(tid, code, (size_t)count);
    }
    return name;
}
