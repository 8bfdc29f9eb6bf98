#ifdef __aarch64__
#include "arch.h"

#include <elf.h>
#include <errno.h>
#include <libunwind-aarch64.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "block.h"
#include "remote.h"

const unsigned arch_machine = EM_AARCH64;
const uint32_t arch_audit = AUDIT_ARCH_AARCH64;
const unsigned arch_vector_note = NT_FPREGSET;

#define SVC_INSTRUCTION 0xd4000001u

uint64_t arch_pc(const struct user_regs_struct *r) { return r->pc; }
uint64_t arch_sp(const struct user_regs_struct *r) { return r->sp; }
void arch_set_sp(struct user_regs_struct *r, uint64_t sp) { r->sp = sp & ~15ull; }
uint64_t arch_result(const struct user_regs_struct *r) { return r->regs[0]; }

uint64_t arch_thread_block(pid_t tid, const struct user_regs_struct *r)
{
    uint64_t block = 0;
    struct iovec v = {&block, sizeof block};
    (void)r;
    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_TLS, &v) == 0 ? block : 0;
}

/* In a stop the program counter is back at the instruction already. */
bool arch_in_syscall(pid_t pid, const struct user_regs_struct *r, long *number, uint64_t *second)
{
    uint32_t instruction;
    *number = (long)r->regs[8];
    *second = r->regs[1];
    return remote_read(pid, r->pc, &instruction, sizeof instruction) == 0 && instruction == SVC_INSTRUCTION;
}

/* What it was interrupted with is not told, and it may be about to make the call for the first time, which does no harm to
 * one that sleeps. A futex may be to wake others: that is not ended. */
bool arch_end_syscall(pid_t tid, struct user_regs_struct *r)
{
    long number;
    uint64_t second;
    if (!arch_in_syscall(tid, r, &number, &second))
        return false;
    if (number != SYS_nanosleep && number != SYS_clock_nanosleep && number != SYS_ppoll)
        return false;
    r->regs[0] = (unsigned long long)-EINTR;
    r->pc += sizeof(uint32_t);
    return true;
}

static int forget_syscall(pid_t tid)
{
    int none = -1;
    struct iovec v = {&none, sizeof none};
    return ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &v) == 0 ? 0 : -errno;
}

int arch_set_call(pid_t tid, struct user_regs_struct *r, uint64_t function, const uint64_t *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        r->regs[i] = arguments[i];
    r->pc = function;
    return forget_syscall(tid);
}

/* ---- the stub: see call.c for what it does ---- */

#define TEXT_OF(value) #value
#define NUMBER(value) TEXT_OF(value)
/* clang-format off */
__asm__(".pushsection .rodata\n"
        ".globl arch_stub, arch_stub_trap, arch_stub_end\n"
        ".hidden arch_stub, arch_stub_trap, arch_stub_end\n"
        ".balign 8\n"
        "arch_stub:\n"
        "    ldr x9, [x19, #" NUMBER(BLOCK_ERRNO_LOCATION) "]\n"
        "    blr x9\n"
        "    mov x20, x0\n"
        "    ldr w21, [x0]\n"
        "    ldr x0, [x19, #" NUMBER(BLOCK_PATH) "]\n"
        "    mov w1, #2\n" /* RTLD_NOW */
        "    ldr x9, [x19, #" NUMBER(BLOCK_DLOPEN) "]\n"
        "    blr x9\n"
        "    str x0, [x19, #" NUMBER(BLOCK_HANDLE) "]\n"
        "    cbz x0, 1f\n"
        "    ldr x1, [x19, #" NUMBER(BLOCK_NAME) "]\n"
        "    ldr x9, [x19, #" NUMBER(BLOCK_DLSYM) "]\n"
        "    blr x9\n"
        "    cbz x0, 1f\n"
        "    mov x9, x0\n"
        "    ldr x0, [x19, #" NUMBER(BLOCK_ARGUMENT) "]\n"
        "    blr x9\n"
        "    str x0, [x19, #" NUMBER(BLOCK_RESULT) "]\n"
        "    b 3f\n"
        "1:  ldr x9, [x19, #" NUMBER(BLOCK_DLERROR) "]\n"
        "    blr x9\n"
        "    cbz x0, 3f\n"
        "    add x1, x19, #" NUMBER(BLOCK_TEXT) "\n"
        "    mov w2, #" NUMBER(BLOCK_TEXT_MAX) "\n"
        "2:  ldrb w9, [x0], #1\n"
        "    strb w9, [x1], #1\n"
        "    cbz w9, 3f\n"
        "    subs w2, w2, #1\n"
        "    b.ne 2b\n"
        "    strb wzr, [x1]\n"
        "3:  str w21, [x20]\n"
        "    mov w9, #1\n"
        "    str w9, [x19, #" NUMBER(BLOCK_DONE) "]\n"
        "arch_stub_trap:\n"
        "    brk #0\n"
        "arch_stub_end:\n"
        ".popsection\n");
/* clang-format on */

int arch_set_stub(pid_t tid, struct user_regs_struct *r, uint64_t stub, uint64_t block, uint64_t stack)
{
    int e = arch_set_call(tid, r, stub, NULL, 0);
    r->regs[19] = block;
    r->regs[29] = 0;
    r->sp = stack & ~15ull;
    return e;
}

bool arch_stub_trapped(const struct user_regs_struct *r, uint64_t stub) { return r->pc == stub + (uint64_t)(arch_stub_trap - arch_stub); }

/* Its frames hold records of varying kinds (SVE, ZA, GCS): not known to us. */
void arch_prepare(void) {}
bool arch_has_frames(void) { return false; }

size_t arch_find_restorer(const uint8_t *code, size_t size)
{
    (void)code, (void)size;
    return SIZE_MAX;
}

size_t arch_frame_room(const struct registers *r)
{
    (void)r;
    return 0;
}

int arch_push_frame(pid_t pid, const struct registers *r, uint64_t restorer, uint64_t *frame)
{
    (void)pid, (void)r, (void)restorer, (void)frame;
    return -ENOSYS;
}

bool arch_begins_again(const struct user_regs_struct *now, const struct user_regs_struct *saved)
{
    (void)now, (void)saved;
    return false;
}

unsigned long long *arch_unwind_register(struct user_regs_struct *r, int number)
{
    if (number >= UNW_AARCH64_X0 && number <= UNW_AARCH64_X30)
        return &r->regs[number - UNW_AARCH64_X0];
    switch (number) {
    case UNW_AARCH64_SP:
        return &r->sp;
    case UNW_AARCH64_PC:
        return &r->pc;
    case UNW_AARCH64_PSTATE:
        return &r->pstate;
    default:
        return NULL;
    }
}

/* Python/asm_trampoline.S */
bool arch_is_trampoline(const uint8_t code[ARCH_TRAMPOLINE_BEFORE + ARCH_TRAMPOLINE_AFTER], bool *keeps_frame_pointer)
{
    static const uint32_t framed[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0060, 0xa8c17bfd, 0xd65f03c0}; /* stp, mov, blr x3; ldp, ret */
    *keeps_frame_pointer = true;
    return memcmp(code, framed, sizeof framed) == 0;
}

void arch_leave_trampoline(struct user_regs_struct *r, const uint64_t words[2], bool keeps_frame_pointer)
{
    (void)keeps_frame_pointer;
    r->regs[29] = words[0];
    r->sp += 2 * sizeof *words;
    r->pc = words[1] - 1;
}
#endif
