#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include "arch.h"
#include "block.h"
#include "remote.h"
#include "tracee.h"

/* The region: a page of code, then the block and the texts, then the stack that the stub runs on. */
#define CODE_BYTES 4096u
#define TEXTS_BYTES 16384u
#define REGION_BYTES (CODE_BYTES + (512u << 10))

#define STEP_US 1000000u /* for a system call that does not wait */
#define LOOK_NS 20000
#define LIBRARY_PATH 64

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* Linux 6.3 */
#endif

struct texts {
    struct block block;
    char text[TEXTS_BYTES - sizeof(struct block)];
};

struct run {
    const struct call *call;
    struct call_outcome *outcome;
    struct registers saved;
    uint64_t frame; /* 0: mode "trapped" */
    char copy[LIBRARY_PATH]; /* of the bundle: where it finds it */
};

/* ---- what is called ---- */

static uint64_t find_restorer(const struct images *images, const struct image *libc)
{
    for (size_t k = 0; k < images->maps.count; k++) {
        const struct mapping *m = &images->maps.mapping[k];
        if (!m->executable || m->inode != libc->inode || m->device != libc->device)
            continue;
        uint8_t *code = malloc(m->end - m->begin);
        size_t at = code && remote_read(images->pid, m->begin, code, m->end - m->begin) == 0 ? arch_find_restorer(code, m->end - m->begin) : SIZE_MAX;
        free(code);
        if (at != SIZE_MAX)
            return m->begin + at;
    }
    return 0;
}

/* Before glibc 2.34 dlopen and its relatives are in a library of their own; what wraps mmap is not wanted. */
const char *call_find(struct call_functions *f, const struct images *images, bool shadow_stack)
{
    struct image *libc = NULL;
    f->errno_location = images_symbol(images, "__errno_location", &libc);
    if (!f->errno_location)
        return "__errno_location";
    f->mmap = image_symbol(libc, "mmap");
    f->munmap = image_symbol(libc, "munmap");
    f->memfd_create = image_symbol(libc, "memfd_create");
    f->close = image_symbol(libc, "close");
    f->dlopen = images_symbol(images, "dlopen", NULL);
    f->dlsym = images_symbol(images, "dlsym", NULL);
    f->dlerror = images_symbol(images, "dlerror", NULL);
    arch_prepare();
    f->restorer = arch_has_frames() && !shadow_stack ? find_restorer(images, libc) : 0;
    if (!f->mmap || !f->munmap)
        return "mmap";
    return f->dlopen && f->dlsym && f->dlerror ? NULL : "dlopen";
}

/* ---- the frame to return to ---- */

/* Is what lies below the stack pointer stack, and enough of it? A thread's own block is at the upper end of its stack. */
static bool has_room(const struct run *r)
{
    uint64_t sp = arch_sp(&r->saved.general), room = arch_frame_room(&r->saved) + CODE_BYTES;
    const struct mapping *m = maps_find(r->call->maps, sp);
    uint64_t block = arch_thread_block(r->call->tid, &r->saved.general);
    if (!m || !m->writable || sp - m->begin < room)
        return false;
    return strcmp(m->path, "[stack]") == 0 || (block > sp && block < m->end);
}

static bool push_frame(struct run *r)
{
    int e = has_room(r) ? arch_push_frame(r->call->pid, &r->saved, r->call->functions->restorer, &r->frame) : -ENOSPC;
    if (e == 0)
        return true;
    *r->outcome = (struct call_outcome){.state = CALL_REFUSED, .error = e, .what = "room on the thread's stack"};
    return false;
}

/* Where what is called returns to; in mode "trapped" it does not get so far. */
static uint64_t return_stack(const struct run *r) { return r->frame ? r->frame : ((arch_sp(&r->saved.general) - 256) & ~15ull) - 8; }

/* ---- system calls through the thread ---- */

/* All as it was. A system call that it was in the middle of begins again only on the way out of a stop for a signal, which
 * a stop at a system call is not. */
static void restore(const struct run *r)
{
    tracee_restore(r->call->tid, &r->saved);
    tracee_interrupt_again(r->call->tid, STEP_US);
}

static bool give_up(struct run *r, enum call_state state, int error, const char *what)
{
    struct call_outcome *o = r->outcome;
    o->state = state;
    o->error = error;
    o->what = what;
    if (state != CALL_GONE)
        restore(r);
    return false;
}

/* Stops of a system call come in pairs. */
static bool run_to_syscall_end(struct run *r, const char *what)
{
    struct tracee_wait w = {.timeout_us = STEP_US};
    for (int i = 0; i < 2; i++) {
        enum tracee_event e = tracee_run(r->call->tid, true, &w);
        if (e == TRACEE_SYSCALL)
            continue;
        r->outcome->signal = e == TRACEE_SIGNAL ? w.signal : 0;
        if (e == TRACEE_TIMEOUT && tracee_interrupt(r->call->tid, STEP_US) == TRACEE_GONE)
            e = TRACEE_GONE;
        return give_up(r, e == TRACEE_GONE ? CALL_GONE : CALL_REFUSED, e == TRACEE_SIGNAL ? -EPERM : -ETIMEDOUT, what);
    }
    return true;
}

static bool remote_syscall(struct run *r, uint64_t function, const uint64_t *arguments, size_t count, const char *what, uint64_t *result)
{
    pid_t tid = r->call->tid;
    struct user_regs_struct general = r->saved.general;
    int e = arch_set_call(tid, &general, function, arguments, count);
    arch_set_sp(&general, return_stack(r));
    if (e == 0)
        e = tracee_set_general(tid, &general);
    if (e == 0)
        e = tracee_block_signals(tid);
    if (e < 0)
        return give_up(r, e == -ESRCH ? CALL_GONE : CALL_REFUSED, e, what);
    if (!run_to_syscall_end(r, what))
        return false;
    e = tracee_get_general(tid, &general);
    *result = arch_result(&general);
    if (e == 0 && *result > -4096ull)
        e = (int)*result;
    return e == 0 || give_up(r, CALL_REFUSED, e, what);
}

static bool map_region(struct run *r)
{
    struct call_outcome *o = r->outcome;
    const uint64_t mmap = r->call->functions->mmap;
    uint64_t data;
    const uint64_t all[] = {0, REGION_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1ull, 0};
    if (!remote_syscall(r, mmap, all, 6, "mmap(PROT_EXEC)", &o->region))
        return false;
    o->region_size = REGION_BYTES;
    const uint64_t writable[] = {o->region + CODE_BYTES, REGION_BYTES - CODE_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1ull, 0};
    return remote_syscall(r, mmap, writable, 6, "mmap", &data);
}

static void unmap_region(struct run *r)
{
    uint64_t unused;
    const uint64_t arguments[] = {r->outcome->region, REGION_BYTES};
    if (r->outcome->region && remote_syscall(r, r->call->functions->munmap, arguments, 2, "munmap", &unused))
        r->outcome->region = 0;
}

/* ---- a file in memory ---- */

/* Where the kernel wants to be told that it is to be executed, ours says so. */
static unsigned memory_flags(void)
{
    int fd = memfd_create("tscap", MFD_CLOEXEC | MFD_EXEC);
    if (fd < 0)
        return MFD_CLOEXEC;
    close(fd);
    return MFD_CLOEXEC | MFD_EXEC;
}

static int copy_all(int from, int to)
{
    off_t at = 0;
    ssize_t n;
    while ((n = sendfile(to, from, &at, 1u << 30)) > 0)
        ;
    return n < 0 ? -errno : 0;
}

static int fill(const struct run *r, uint64_t fd)
{
    char path[LIBRARY_PATH];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)r->call->pid, (int)fd);
    int to = open(path, O_WRONLY | O_CLOEXEC);
    if (to < 0)
        return -errno;
    int e = copy_all(r->call->bundle, to);
    close(to);
    return e;
}

/* Its descriptor stays open in the process: who attaches again finds it by that. */
static bool bring_bundle(struct run *r)
{
    const struct call *c = r->call;
    uint64_t name = r->outcome->region + CODE_BYTES, fd, unused;
    if (!c->bundle)
        return true;
    if (!c->functions->memfd_create || !c->functions->close)
        return give_up(r, CALL_REFUSED, -ENOSYS, "memfd_create");
    int e = remote_write(c->pid, name, c->library, strlen(c->library) + 1);
    if (e < 0)
        return give_up(r, CALL_REFUSED, e, "writing into it");
    const uint64_t arguments[] = {name, memory_flags()};
    if (!remote_syscall(r, c->functions->memfd_create, arguments, 2, "memfd_create", &fd))
        return false;
    snprintf(r->copy, sizeof r->copy, "/proc/self/fd/%d", (int)fd);
    e = fill(r, fd);
    if (e == 0)
        return true;
    return remote_syscall(r, c->functions->close, &fd, 1, "close", &unused) && give_up(r, CALL_REFUSED, e, "writing into its memfd");
}

/* ---- the stub ---- */

static uint64_t add_text(struct texts *t, size_t *used, uint64_t address, const char *text)
{
    size_t n = strlen(text) + 1, at = *used;
    if (at + n > sizeof t->text)
        return 0;
    memcpy(t->text + at, text, n);
    *used += n;
    return address + offsetof(struct texts, text) + at;
}

static int write_block(const struct run *r, uint64_t address)
{
    const struct call_functions *f = r->call->functions;
    struct texts *t = calloc(1, sizeof *t);
    size_t used = 0;
    if (!t)
        return -ENOMEM;
    t->block = (struct block){
        .errno_location = f->errno_location, .dlopen = f->dlopen, .dlsym = f->dlsym, .dlerror = f->dlerror, .frame = r->frame};
    t->block.path = add_text(t, &used, address, r->copy[0] ? r->copy : r->call->library);
    t->block.name = add_text(t, &used, address, r->call->function);
    t->block.argument = add_text(t, &used, address, r->call->argument);
    bool fits = t->block.path && t->block.name && t->block.argument;
    int e = fits ? remote_write(r->call->pid, address, t, offsetof(struct texts, text) + used) : -ENAMETOOLONG;
    free(t);
    return e;
}

static int start_stub(const struct run *r)
{
    uint64_t code = r->outcome->region;
    struct user_regs_struct general = r->saved.general;
    int e = remote_poke(r->call->tid, code, arch_stub, (size_t)(arch_stub_end - arch_stub));
    if (e == 0)
        e = write_block(r, code + CODE_BYTES);
    if (e == 0)
        e = arch_set_stub(r->call->tid, &general, code, code + CODE_BYTES, code + REGION_BYTES);
    return e < 0 ? e : tracee_set_general(r->call->tid, &general);
}

static void read_block(const struct run *r)
{
    struct block b;
    struct call_outcome *o = r->outcome;
    int e = remote_read(r->call->pid, o->region + CODE_BYTES, &b, sizeof b);
    if (e < 0) {
        *o = (struct call_outcome){.state = CALL_GONE, .error = e};
        return;
    }
    o->state = b.result ? CALL_DONE : CALL_LOADER;
    o->result = b.result;
    memcpy(o->text, b.text, sizeof o->text - 1);
}

static bool is_done(const struct run *r)
{
    uint32_t done = 0;
    return remote_read(r->call->pid, r->outcome->region + CODE_BYTES + offsetof(struct block, done), &done, sizeof done) == 0 && done;
}

static bool is_in_code(const struct run *r)
{
    struct user_regs_struct general;
    return tracee_get_general(r->call->tid, &general) == 0 && arch_pc(&general) - r->outcome->region < CODE_BYTES;
}

/* A signal that came while the thread was ours must end the system call that it was in, as it would have without us: the
 * handler runs, and the program sees EINTR. Where the thread is about to begin that again it gets its interrupted state
 * back, from which the kernel goes on when it leaves the stop: with a handler to EINTR, with none to the same again. */
static void put_back_into_syscall(const struct run *r)
{
    struct user_regs_struct general;
    if (tracee_get_general(r->call->tid, &general) == 0 && arch_begins_again(&general, &r->saved.general))
        tracee_set_general(r->call->tid, &r->saved.general);
}

/* Signals that were blocked meanwhile come as soon as it has returned; by then a fault is its own, too. */
static bool is_its_own(const struct run *r, int signal) { return !tracee_is_fault(signal) || is_done(r); }

static void give_up_returning(struct run *r, enum tracee_event e, int signal)
{
    r->outcome->signal = e == TRACEE_SIGNAL ? signal : 0;
    if (e == TRACEE_GONE)
        give_up(r, CALL_GONE, -ESRCH, "the thread");
    else
        give_up(r, CALL_FAULT, -EFAULT, "loading");
}

/* A returning one needs nobody: while we look it is on its way already. When it says that it is done it may be a few
 * instructions from having left our code; it is left stopped outside of that. */
static void wait_returning(struct run *r)
{
    const pid_t tid = r->call->tid;
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = tracee_now_us() + r->call->timeout_us;
    bool told = false;
    int number = 0;
    while (tracee_now_us() < deadline) {
        enum tracee_event e = tracee_poll(tid, &number);
        if (e == TRACEE_GONE || (e == TRACEE_SIGNAL && !is_its_own(r, number))) {
            give_up_returning(r, e, number);
            return;
        }
        if (e != TRACEE_TIMEOUT)
            put_back_into_syscall(r);
        if (told && e == TRACEE_STOPPED && !is_in_code(r))
            return;
        if (e != TRACEE_TIMEOUT)
            tracee_continue_with(tid, e == TRACEE_SIGNAL ? number : 0);
        if (is_done(r) && (!told || e == TRACEE_STOPPED)) {
            if (!told)
                deadline = tracee_now_us() + STEP_US;
            told = true;
            read_block(r);
            tracee_tell_to_stop(tid);
        } else
            nanosleep(&pause, NULL);
    }
    if (told)
        return;
    r->outcome->state = CALL_LATE;
    if (tracee_interrupt(tid, STEP_US) == TRACEE_STOPPED)
        tracee_detach(tid);
}

static void wait_trapped(struct run *r)
{
    struct tracee_wait w = {.timeout_us = r->call->timeout_us};
    struct user_regs_struct general;
    enum tracee_event e = tracee_run(r->call->tid, false, &w);
    if (e == TRACEE_SIGNAL && tracee_get_general(r->call->tid, &general) == 0 && arch_stub_trapped(&general, r->outcome->region)) {
        read_block(r);
        enum call_state state = r->outcome->state;
        unmap_region(r);
        r->outcome->state = state;
        restore(r);
        return;
    }
    r->outcome->signal = e == TRACEE_SIGNAL ? w.signal : 0;
    if (e == TRACEE_TIMEOUT && tracee_interrupt(r->call->tid, STEP_US) == TRACEE_GONE)
        e = TRACEE_GONE;
    give_up(r, e == TRACEE_GONE ? CALL_GONE : CALL_FAULT, e == TRACEE_TIMEOUT ? -ETIMEDOUT : -EFAULT, "loading");
}

static void run_stub(struct run *r)
{
    int e = start_stub(r);
    if (e == 0 && r->frame)
        e = tracee_continue(r->call->tid);
    if (e < 0)
        give_up(r, e == -ESRCH ? CALL_GONE : CALL_REFUSED, e, "writing into it");
    else if (r->frame)
        wait_returning(r);
    else
        wait_trapped(r);
}

void call_run(const struct call *c, struct call_outcome *o)
{
    struct run r = {.call = c, .outcome = o};
    *o = (struct call_outcome){.state = CALL_REFUSED};
    int e = tracee_save(c->tid, &r.saved);
    if (e < 0)
        *o = (struct call_outcome){.state = e == -ESRCH ? CALL_GONE : CALL_REFUSED, .error = e, .what = "its registers"};
    else if ((!c->functions->restorer || push_frame(&r)) && map_region(&r) && bring_bundle(&r))
        run_stub(&r);
    tracee_forget(&r.saved);
}
