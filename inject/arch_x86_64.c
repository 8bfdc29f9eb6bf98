#ifdef __x86_64__
#include "arch.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <libunwind-x86_64.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "block.h"
#include "remote.h"

const unsigned arch_machine = EM_X86_64;
const uint32_t arch_audit = AUDIT_ARCH_X86_64;
const unsigned arch_vector_note = NT_X86_XSTATE;

#define SYSCALL_BYTES 2 /* of the instruction */
#define DIRECTION_FLAG 0x400u
#define RED_ZONE 128u

/* Results of an interrupted system call that user space never sees: include/linux/errno.h of the kernel. */
enum { RESTART_SYS = -512, RESTART_NO_INTR = -513, RESTART_NO_HAND = -514, RESTART_BLOCK = -516 };

uint64_t arch_pc(const struct user_regs_struct *r) { return r->rip; }
uint64_t arch_sp(const struct user_regs_struct *r) { return r->rsp; }
void arch_set_sp(struct user_regs_struct *r, uint64_t sp) { r->rsp = sp; }
uint64_t arch_result(const struct user_regs_struct *r) { return r->rax; }
uint64_t arch_thread_block(pid_t tid, const struct user_regs_struct *r)
{
    (void)tid;
    return r->fs_base;
}

static bool will_restart(const struct user_regs_struct *r)
{
    long result = (long)r->rax;
    return (long)r->orig_rax >= 0 && (result == RESTART_SYS || result == RESTART_NO_INTR || result == RESTART_NO_HAND);
}

static bool will_resume(const struct user_regs_struct *r) { return (long)r->orig_rax >= 0 && (long)r->rax == RESTART_BLOCK; }

bool arch_in_syscall(pid_t pid, const struct user_regs_struct *r, long *number, uint64_t *second)
{
    (void)pid;
    *number = (long)r->orig_rax;
    *second = r->rsi;
    return will_restart(r) || will_resume(r) || ((long)r->orig_rax >= 0 && (long)r->rax == -EINTR);
}

bool arch_end_syscall(pid_t tid, struct user_regs_struct *r)
{
    (void)tid;
    if (!will_resume(r))
        return false;
    r->rax = (unsigned long long)-EINTR;
    return true;
}

int arch_set_call(pid_t tid, struct user_regs_struct *r, uint64_t function, const uint64_t *arguments, size_t count)
{
    unsigned long long *const argument[] = {&r->rdi, &r->rsi, &r->rdx, &r->rcx, &r->r8, &r->r9};
    (void)tid;
    for (size_t i = 0; i < count; i++)
        *argument[i] = arguments[i];
    r->rip = function;
    r->rax = 0;
    r->orig_rax = -1ull;
    r->eflags &= ~(unsigned long long)DIRECTION_FLAG;
    return 0;
}

/* ---- the stub: see call.c for what it does ---- */

#define TEXT_OF(value) #value
#define NUMBER(value) TEXT_OF(value)
/* clang-format off */
__asm__(".pushsection .rodata\n"
        ".globl arch_stub, arch_stub_trap, arch_stub_end\n"
        ".hidden arch_stub, arch_stub_trap, arch_stub_end\n"
        "arch_stub:\n"
        "    call *" NUMBER(BLOCK_ERRNO_LOCATION) "(%rbx)\n"
        "    mov %rax, %r12\n"
        "    mov (%rax), %r14d\n"
        "    mov " NUMBER(BLOCK_PATH) "(%rbx), %rdi\n"
        "    mov $2, %esi\n" /* RTLD_NOW */
        "    call *" NUMBER(BLOCK_DLOPEN) "(%rbx)\n"
        "    mov %rax, " NUMBER(BLOCK_HANDLE) "(%rbx)\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    mov %rax, %rdi\n"
        "    mov " NUMBER(BLOCK_NAME) "(%rbx), %rsi\n"
        "    call *" NUMBER(BLOCK_DLSYM) "(%rbx)\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    mov " NUMBER(BLOCK_ARGUMENT) "(%rbx), %rdi\n"
        "    call *%rax\n"
        "    mov %rax, " NUMBER(BLOCK_RESULT) "(%rbx)\n"
        "    jmp 3f\n"
        "1:  call *" NUMBER(BLOCK_DLERROR) "(%rbx)\n"
        "    test %rax, %rax\n"
        "    jz 3f\n"
        "    mov %rax, %rsi\n"
        "    lea " NUMBER(BLOCK_TEXT) "(%rbx), %rdi\n"
        "    mov $" NUMBER(BLOCK_TEXT_MAX) ", %ecx\n"
        "2:  lodsb\n"
        "    stosb\n"
        "    test %al, %al\n"
        "    jz 3f\n"
        "    dec %ecx\n"
        "    jnz 2b\n"
        "    movb $0, (%rdi)\n"
        "3:  mov %r14d, (%r12)\n"
        "    mov " NUMBER(BLOCK_FRAME) "(%rbx), %rcx\n"
        "    movl $1, " NUMBER(BLOCK_DONE) "(%rbx)\n"
        "    test %rcx, %rcx\n"
        "    jz arch_stub_trap\n"
        "    mov %rcx, %rsp\n"
        "    ret\n"
        "arch_stub_trap:\n"
        "    int3\n"
        "arch_stub_end:\n"
        ".popsection\n");
/* clang-format on */

int arch_set_stub(pid_t tid, struct user_regs_struct *r, uint64_t stub, uint64_t block, uint64_t stack)
{
    arch_set_call(tid, r, stub, NULL, 0);
    r->rbx = block;
    r->rbp = 0;
    r->rsp = stack;
    return 0;
}

/* The trap has been executed: the program counter is behind its one byte. */
bool arch_stub_trapped(const struct user_regs_struct *r, uint64_t stub) { return r->rip == stub + (uint64_t)(arch_stub_trap - arch_stub) + 1; }

/* ---- signal frames: arch/x86/kernel/signal.c, struct rt_sigframe; asm/sigcontext.h ---- */

struct frame {
    uint64_t restorer; /* what the handler returns to */
    ucontext_t context;
};
#define CONTEXT_BYTES offsetof(ucontext_t, __fpregs_mem) /* what the kernel knows of it, the mask cut to 8 bytes */

enum { CONTEXT_XSTATE = 1, CONTEXT_SS = 2, CONTEXT_STRICT_SS = 4 }; /* UC_FP_XSTATE ... of asm/ucontext.h */

#define XSTATE_SOFTWARE 464 /* bytes that software may use, in the legacy area */
#define XSTATE_HEADER 512
#define XSTATE_MAGIC1 0x46505853u
#define XSTATE_MAGIC2 0x46505845u
#define XSTATE_TILES (1ull << 18) /* AMX: not in the frame of a thread that has not used it */

struct xstate_software { /* struct _fpx_sw_bytes */
    uint32_t magic, extended_size;
    uint64_t features;
    uint32_t size;
    uint32_t padding[7];
};

bool arch_has_frames(void) { return true; }

/* mov $15, %rax; syscall: what glibc and musl have restorers of */
size_t arch_find_restorer(const uint8_t *code, size_t size)
{
    static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
    const uint8_t *found = memmem(code, size, restorer, sizeof restorer);
    return found ? (size_t)(found - code) : SIZE_MAX;
}

static uint64_t word_at(const uint8_t *bytes, size_t offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

/* Where each part of the state ends. Asked beforehand: in a virtual machine each answer takes as long as a system call. */
static unsigned part_end[63];

void arch_prepare(void)
{
    for (unsigned i = 2; i < 63; i++) {
        unsigned bytes, offset, unused1, unused2;
        if (__get_cpuid_count(0xd, i, &bytes, &offset, &unused1, &unused2))
            part_end[i] = offset + bytes;
    }
}

/* How much of the state a frame may have: the kernel refuses, and loses the upper halves of the vectors, where it is more
 * than the thread has room for. It makes room for tiles when a thread uses them first. */
static size_t frame_xstate_size(const struct registers *r, uint64_t features)
{
    size_t size = XSTATE_HEADER + 64;
    for (unsigned i = 2; i < 63; i++)
        if (features >> i & 1 && part_end[i] > size)
            size = part_end[i];
    return size < r->vector_size ? size : r->vector_size;
}

static uint64_t frame_features(const struct registers *r)
{
    uint64_t enabled = word_at(r->vector, XSTATE_SOFTWARE), used = word_at(r->vector, XSTATE_HEADER);
    return used & XSTATE_TILES ? enabled : enabled & ~XSTATE_TILES;
}

/* The state as a signal frame has it: the same bytes, with the words that vouch for them. */
static uint8_t *frame_xstate(const struct registers *r, size_t *size)
{
    uint64_t features = frame_features(r);
    size_t bytes = frame_xstate_size(r, features);
    uint8_t *state = malloc(bytes + sizeof(uint32_t));
    struct xstate_software software = {
        .magic = XSTATE_MAGIC1, .extended_size = (uint32_t)(bytes + sizeof(uint32_t)), .features = features, .size = (uint32_t)bytes};
    uint32_t magic2 = XSTATE_MAGIC2;
    if (!state)
        return NULL;
    memcpy(state, r->vector, bytes);
    memcpy(state + XSTATE_SOFTWARE, &software, sizeof software);
    memcpy(state + bytes, &magic2, sizeof magic2);
    *size = bytes + sizeof magic2;
    return state;
}

/* What the kernel would do with an interrupted system call when no handler runs: begin it again; but one that counts down
 * a time it cannot know any more ends with EINTR, as after any handler. */
static void settle_syscall(struct user_regs_struct *r)
{
    if (will_restart(r)) {
        r->rip -= SYSCALL_BYTES;
        r->rax = r->orig_rax;
    } else if (will_resume(r)) {
        r->rax = (unsigned long long)-EINTR;
    }
}

bool arch_begins_again(const struct user_regs_struct *now, const struct user_regs_struct *saved)
{
    return will_restart(saved) && now->rip == saved->rip - SYSCALL_BYTES && now->rax == saved->orig_rax && now->rsp == saved->rsp;
}

static void fill_context(ucontext_t *c, const struct registers *saved, uint64_t xstate)
{
    struct user_regs_struct r = saved->general;
    settle_syscall(&r);
    const uint64_t general[NGREG] = {
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx, r.rax, r.rcx, r.rsp, r.rip, r.eflags,
        (r.cs & 0xffff) | (r.ss & 0xffff) << 48, 0, 0, saved->signal_mask, 0};
    memset(c, 0, sizeof *c);
    c->uc_flags = CONTEXT_XSTATE | CONTEXT_SS | CONTEXT_STRICT_SS;
    c->uc_stack.ss_flags = 0x40000055; /* no such flags: the thread's alternate stack stays what it is */
    memcpy(c->uc_mcontext.gregs, general, sizeof general);
    c->uc_mcontext.fpregs = (fpregset_t)(uintptr_t)xstate;
    memcpy(&c->uc_sigmask, &saved->signal_mask, sizeof saved->signal_mask);
}

size_t arch_frame_room(const struct registers *r) { return RED_ZONE + r->vector_size + 64 + sizeof(struct frame) + 64; }

int arch_push_frame(pid_t pid, const struct registers *r, uint64_t restorer, uint64_t *frame)
{
    struct frame f = {.restorer = restorer};
    size_t size;
    uint8_t *state = r->vector_size >= XSTATE_HEADER + 64 ? frame_xstate(r, &size) : NULL;
    if (!state)
        return r->vector_size ? -ENOMEM : -ENOSYS;
    uint64_t at = (r->general.rsp - RED_ZONE - size) & ~63ull;
    *frame = ((at - offsetof(struct frame, context) - CONTEXT_BYTES) & ~15ull) - 8; /* as a call leaves the stack */
    fill_context(&f.context, r, at);
    int e = remote_write(pid, at, state, size);
    if (e == 0)
        e = remote_write(pid, *frame, &f, offsetof(struct frame, context) + CONTEXT_BYTES);
    free(state);
    return e;
}

/* ---- unwinding ---- */

unsigned long long *arch_unwind_register(struct user_regs_struct *r, int number)
{
    switch (number) {
#define CASE(name, field)  \
    case UNW_X86_64_##name: \
        return &r->field;
        CASE(RAX, rax) CASE(RDX, rdx) CASE(RCX, rcx) CASE(RBX, rbx) CASE(RSI, rsi) CASE(RDI, rdi) CASE(RBP, rbp) CASE(RSP, rsp)
        CASE(R8, r8) CASE(R9, r9) CASE(R10, r10) CASE(R11, r11) CASE(R12, r12) CASE(R13, r13) CASE(R14, r14) CASE(R15, r15) CASE(RIP, rip)
#undef CASE
    default:
        return NULL;
    }
}

/* Python/asm_trampoline.S of CPython 3.12 and 3.13; of later ones. */
bool arch_is_trampoline(const uint8_t code[ARCH_TRAMPOLINE_BEFORE + ARCH_TRAMPOLINE_AFTER], bool *keeps_frame_pointer)
{
    static const uint8_t plain[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3}; /* sub, call *%rcx, add, ret */
    static const uint8_t framed[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd1, 0x5d, 0xc3}; /* push %rbp, mov, call *%rcx, pop, ret */
    *keeps_frame_pointer = memcmp(code, framed, sizeof framed) == 0;
    return *keeps_frame_pointer || memcmp(code, plain, sizeof plain) == 0;
}

void arch_leave_trampoline(struct user_regs_struct *r, const uint64_t words[2], bool keeps_frame_pointer)
{
    if (keeps_frame_pointer)
        r->rbp = words[0];
    r->rsp += 2 * sizeof *words;
    r->rip = words[1] - 1;
}
#endif
