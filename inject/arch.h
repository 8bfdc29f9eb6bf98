/* All that differs between machines, one file each: arch_x86_64.c, arch_aarch64.c. */
#ifndef TSCAP_ARCH_H
#define TSCAP_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#if !defined __x86_64__ && !defined __aarch64__
#error "x86-64 and aarch64 are supported"
#endif

/* What a stopped thread is: all that must be as it was when it goes on. */
struct registers {
    struct user_regs_struct general;
    uint8_t *vector; /* its whole vector state, as ptrace(2) hands it out; from malloc */
    size_t vector_size;
    uint64_t signal_mask;
};

extern const unsigned arch_machine;     /* e_machine of our own */
extern const uint32_t arch_audit;       /* the same for seccomp */
extern const unsigned arch_vector_note; /* the register set of `vector` */

uint64_t arch_pc(const struct user_regs_struct *r);
uint64_t arch_sp(const struct user_regs_struct *r);
void arch_set_sp(struct user_regs_struct *r, uint64_t sp);
uint64_t arch_result(const struct user_regs_struct *r);

/* A thread inside a system call that it will go on with: its number and second argument. False: it is not in one. */
bool arch_in_syscall(pid_t pid, const struct user_regs_struct *r, long *number, uint64_t *second);

/* Is it in one that the kernel would go on with by restart_syscall(2), which takes what is left of a time: then it ends with
 * EINTR. False: it is not. */
bool arch_end_syscall(pid_t tid, struct user_regs_struct *r);

/* Registers for the call of a function with up to six arguments. Where it returns to is not set. Through the stopped
 * thread the kernel is told that no system call is to be restarted. */
int arch_set_call(pid_t tid, struct user_regs_struct *r, uint64_t function, const uint64_t *arguments, size_t count);

/* Registers for the stub (see call.c) with its block; it ends on the stack it is given. */
int arch_set_stub(pid_t tid, struct user_regs_struct *r, uint64_t stub, uint64_t block, uint64_t stack);

/* The stub's machine code, and the offset of the instruction where it ends by a trap. */
extern const uint8_t arch_stub[], arch_stub_end[], arch_stub_trap[];
bool arch_stub_trapped(const struct user_regs_struct *r, uint64_t stub);

/* ---- a signal frame that nobody sent (mode R); -ENOSYS where we do not know how ---- */

/* To be called before a thread is stopped that gets a frame. */
void arch_prepare(void);

/* The code that a signal handler returns to, in memory of the process. 0: not found. */
bool arch_has_frames(void);
size_t arch_find_restorer(const uint8_t *code, size_t size); /* offset in it; SIZE_MAX: not there */

/* Writes a frame of `r` below the thread's stack pointer: who returns to *frame continues as `r` says, as if a signal
 * handler had returned. */
int arch_push_frame(pid_t pid, const struct registers *r, uint64_t restorer, uint64_t *frame);
size_t arch_frame_room(const struct registers *r); /* bytes it takes below the stack pointer */

/* Has a thread returned through the frame of `saved`, and will now execute again the system call that it was in? */
bool arch_begins_again(const struct user_regs_struct *now, const struct user_regs_struct *saved);

/* The thread's own block, which its stack is below of. */
uint64_t arch_thread_block(pid_t tid, const struct user_regs_struct *r);

/* ---- for unwinding ---- */

#define ARCH_UNWIND_REGISTERS 64 /* libunwind's numbers of those that we know are below */
unsigned long long *arch_unwind_register(struct user_regs_struct *r, int number); /* NULL: not one of them */

/* What CPython (-X perf) copies into memory of no file, to be in the place of its interpreter's function on the stack: it
 * keeps two words there, the second of which is where it returns to, and calls. `code`: around where that call returns to,
 * no more of it than a trampoline has: it may be the first or the last in that memory. */
#ifdef __x86_64__
enum { ARCH_TRAMPOLINE_BEFORE = 6, ARCH_TRAMPOLINE_AFTER = 5 };
#else
enum { ARCH_TRAMPOLINE_BEFORE = 12, ARCH_TRAMPOLINE_AFTER = 8 };
#endif
bool arch_is_trampoline(const uint8_t code[ARCH_TRAMPOLINE_BEFORE + ARCH_TRAMPOLINE_AFTER], bool *keeps_frame_pointer);

/* To where it returns, which is within its caller's call. */
void arch_leave_trampoline(struct user_regs_struct *r, const uint64_t words[2], bool keeps_frame_pointer);

#endif
