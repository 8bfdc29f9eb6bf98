#include "safepoint.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "arch.h"

/* ---- names ---- */

/* With any of these on the stack, locks of the allocator or the linker may be held, or a thread is coming or going. */
static const char *const vetoed[] = {
    "malloc", "free", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "cfree",
    "malloc_trim", "malloc_usable_size", "malloc_info", "malloc_stats", "mallinfo", "mallinfo2", "mallopt", "__libc_malloc", "__libc_free",
    "__libc_calloc", "__libc_realloc", "__libc_memalign", "dlopen", "dlmopen", "dlsym", "dlvsym", "dlclose", "dlerror", "dladdr", "dladdr1",
    "dlinfo", "dl_iterate_phdr", "_dl_find_object", "__libc_dlopen_mode", "__libc_dlsym", "__libc_dlclose", "pthread_create", "pthread_exit",
    "pthread_join", "pthread_detach", "pthread_timedjoin_np", "pthread_clockjoin_np", "pthread_tryjoin_np", "pthread_getattr_np",
    "pthread_setattr_default_np", "pthread_attr_init", "pthread_attr_destroy", "pthread_attr_setaffinity_np", "pthread_atfork",
    "__register_atfork", "fork", "_Fork", "vfork", "__fork", "__vfork", "posix_spawn", "posix_spawnp", "system", "popen", "pclose", "exit",
    "_exit", "_Exit", "quick_exit", "abort", "on_exit", "atexit", "__cxa_finalize", "__cxa_atexit", "__cxa_at_quick_exit",
    "__cxa_thread_atexit_impl", "__nptl_deallocate_tsd", "__call_tls_dtors", "__libc_freeres", "__tls_get_addr", "_Znwm", "_ZdlPv", "_ZdlPvm",
    "_Znam", "_ZdaPv", "__cxa_allocate_exception", "__cxa_throw", "_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_Find_FDE",
    "_Unwind_ForcedUnwind", "_Unwind_Backtrace", "__register_frame", "__deregister_frame", "__register_frame_info",
    "__deregister_frame_info", "Py_AddPendingCall", "Py_MakePendingCalls", "Py_FinalizeEx", "Py_Finalize"};

/* What waits in the kernel and holds nothing meanwhile; what they call inside the C library is theirs. */
static const char *const waits[] = {
    "pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait", "sem_wait", "sem_timedwait", "sem_clockwait",
    "pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock", "nanosleep", "clock_nanosleep", "usleep",
    "sleep", "poll", "ppoll", "__poll", "__poll_chk", "select", "pselect", "__select", "epoll_wait", "epoll_pwait", "epoll_pwait2", "accept",
    "accept4", "recv", "recvfrom", "recvmsg", "recvmmsg", "send", "sendto", "sendmsg", "sendmmsg", "read", "__read", "write", "__write", "readv",
    "writev", "pread64", "pwrite64", "connect", "__connect", "wait4", "waitpid", "__waitpid", "waitid", "wait", "sigwait", "sigwaitinfo",
    "sigtimedwait", "sigsuspend", "pause", "flock", "lockf", "fcntl", "fcntl64", "ioctl", "fsync", "fdatasync", "open", "open64", "openat",
    "openat64", "close", "__close", "syscall", "sched_yield", "getrandom", "io_getevents", "msgrcv", "msgsnd", "semop", "semtimedop", "tcdrain",
    "sendfile", "sendfile64", "splice", "copy_file_range", "__nanosleep", "__clock_nanosleep"};

/* Where the stacks of threads begin; frames below do not matter. */
static const char *const roots[] = {"_start", "__libc_start_main", "clone", "__clone", "clone3", "__clone3", "start_thread"};

#define IS_ONE_OF(list, name) is_one_of(list, sizeof(list) / sizeof *(list), name)
static bool is_one_of(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* ---- roles of files ---- */

enum role { ROLE_OTHER, ROLE_LIBC, ROLE_ALLOCATOR, ROLE_LINKER, ROLE_PYTHON };

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* Whatever exports malloc is an allocator to us (LD_PRELOAD); but the interpreter may define one that it does not use. */
static enum role role_of(const struct image *i, const struct image *python)
{
    const char *name = image_name(i);
    if (begins(name, "ld-linux") || begins(name, "ld-2.") || begins(name, "ld64.so") || image_symbol(i, "_dl_rtld_di_serinfo"))
        return ROLE_LINKER;
    if (i == python)
        return ROLE_PYTHON;
    if (begins(name, "libc.so") || begins(name, "libc-2.") || begins(name, "ld-musl"))
        return ROLE_LIBC;
    return image_symbol(i, "malloc") ? ROLE_ALLOCATOR : ROLE_OTHER;
}

int safepoint_init(struct safepoint *s, struct images *images, struct image *python)
{
    *s = (struct safepoint){.images = images, .python = python, .unwinder = unwinder_new(images), .role = malloc(images->count + 1)};
    if (!s->unwinder || !s->role) {
        safepoint_free(s);
        return -ENOMEM;
    }
    for (size_t i = 0; i < images->count; i++) {
        s->role[i] = (uint8_t)role_of(&images->image[i], python);
        if (s->role[i] != ROLE_OTHER || i == 0)
            image_keep_unwind(&images->image[i], images->pid);
    }
    return 0;
}

void safepoint_free(struct safepoint *s)
{
    unwinder_delete(s->unwinder);
    free(s->role);
    s->unwinder = NULL;
    s->role = NULL;
}

/* ---- frames ---- */

static enum role frame_role(const struct safepoint *s, size_t i)
{
    const struct image *image = s->frame[i].image;
    return image ? (enum role)s->role[image - s->images->image] : ROLE_OTHER;
}

/* Exported names only: what is static inside a library may be anything. */
static const char *frame_name(const struct safepoint *s, size_t i)
{
    const struct stack_frame *f = &s->frame[i];
    const struct image_symbol *symbol = f->image ? image_symbol_at(f->image, f->pc) : NULL;
    return symbol ? symbol->name : NULL;
}

static bool is_library(enum role r) { return r == ROLE_LIBC || r == ROLE_ALLOCATOR || r == ROLE_LINKER; }

/* By any of its names: libraries export a function under several, tcmalloc its free() under ten. */
static bool is_vetoed(const struct safepoint *s, size_t i)
{
    const struct stack_frame *f = &s->frame[i];
    const struct image_symbol *found = f->image ? image_symbol_at(f->image, f->pc) : NULL, *name = found;
    if (!found)
        return false;
    while (name > f->image->symbol && name[-1].address == found->address)
        name--;
    for (; name < f->image->symbol + f->image->symbols && name->address == found->address; name++)
        if (IS_ONE_OF(vetoed, name->name))
            return true;
    return false;
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct safepoint *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_frame(struct safepoint *s, size_t i, const char *name)
{
    static const char *const forks[] = {"fork", "_Fork", "vfork", "__fork", "__vfork", "posix_spawn", "posix_spawnp"};
    const struct image *image = s->frame[i].image;
    s->forks = IS_ONE_OF(forks, name);
    return refuse(s, "%s in %s", name ? name : "an inner function", image ? image_name(image) : "code of no file");
}

/* ---- the rules ---- */

/* Whoever calls __libc_start_main is where the program begins: _start, which few programs export. The number of frames
 * above its caller; of all, where nobody calls it, as in threads. */
static size_t above_entry(const struct safepoint *s)
{
    for (size_t n = s->frames; n > 0; n--) {
        const char *name = is_library(frame_role(s, n - 1)) ? frame_name(s, n - 1) : NULL;
        if (name && strcmp(name, "__libc_start_main") == 0)
            return n;
    }
    return s->frames;
}

/* The outermost library frames are those that every thread has: __libc_start_main, start_thread, clone. The number of
 * frames above them; 0: the thread is in nothing else, it is coming or going. */
static size_t above_root(const struct safepoint *s)
{
    size_t n = above_entry(s);
    while (n > 0 && is_library(frame_role(s, n - 1)))
        n--;
    return n;
}

/* Frames [begin, end) are the library's, called by what is no library. An allocator may export what it does inside of it. */
static bool check_run(struct safepoint *s, size_t begin, size_t end)
{
    bool inner = false;
    for (size_t i = begin; i < end; i++) {
        const char *name = frame_name(s, i);
        if (frame_role(s, i) == ROLE_LINKER || is_vetoed(s, i))
            return refuse_frame(s, i, name);
        if (!name || frame_role(s, i) == ROLE_ALLOCATOR)
            inner = true;
    }
    const char *outermost = frame_name(s, end - 1);
    return !inner || IS_ONE_OF(waits, outermost) || refuse_frame(s, end - 1, outermost);
}

static bool check_frames(struct safepoint *s)
{
    size_t end, count = above_root(s);
    if (count == 0)
        return refuse(s, "the thread is starting or ending");
    for (size_t i = 0; i < count; i = end) {
        const char *name = frame_name(s, i);
        end = i + 1;
        if (s->frame[i].signal)
            return refuse(s, "a signal handler");
        if (!is_library(frame_role(s, i))) {
            if (is_vetoed(s, i))
                return refuse_frame(s, i, name);
            continue;
        }
        while (end < count && is_library(frame_role(s, end)))
            end++;
        if (!check_run(s, i, end))
            return false;
    }
    return true;
}

/* Waiting in the kernel for what neither an allocator nor a linker ever waits for there. Their locks are plain FUTEX_WAIT;
 * semaphores and conditions of glibc use the bitset form. */
static bool waits_in_kernel(pid_t tid, const struct user_regs_struct *r)
{
    static const long calls[] = {
#ifdef SYS_poll
        SYS_poll, SYS_select, SYS_epoll_wait, SYS_pause,
#endif
        SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_accept, SYS_accept4, SYS_recvfrom, SYS_recvmsg, SYS_nanosleep, SYS_clock_nanosleep,
        SYS_wait4, SYS_waitid, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_flock, SYS_connect, SYS_msgrcv, SYS_semtimedop, SYS_io_getevents};
    long number;
    uint64_t second;
    if (!arch_in_syscall(tid, r, &number, &second))
        return false;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i] == number)
            return true;
    return number == SYS_futex && (second & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
}

/* A constructor or a handler may wait like that with the linker below it: what is seen of the stack must not say so. */
static bool check_visible(struct safepoint *s)
{
    size_t count = above_root(s);
    for (size_t i = 0; i < (count ? count : s->frames); i++) {
        const char *name = frame_name(s, i);
        if (s->frame[i].signal)
            return refuse(s, "a signal handler");
        if (frame_role(s, i) == ROLE_LINKER || (i < count && is_vetoed(s, i)))
            return refuse_frame(s, i, name);
    }
    return true;
}

static bool has_root(const struct safepoint *s, enum stack_end end)
{
    if (end == STACK_BOTTOM)
        return true;
    for (size_t i = 0; i < s->frames; i++)
        if (is_library(frame_role(s, i)) && IS_ONE_OF(roots, frame_name(s, i)))
            return true;
    return false;
}

static const char *describe(enum stack_end end)
{
    switch (end) {
    case STACK_UNKNOWN:
        return "code of no known file";
    case STACK_NO_TABLE:
        return "code without unwind tables";
    case STACK_DEEP:
        return "a very deep stack";
    default:
        return "a stack that leads nowhere";
    }
}

/* Recursion is deep in Python frames: had the linker or the allocator called back into the interpreter, it would have to be
 * this many levels up. Not seen to the end is not proven, though: such a thread is taken only while it waits. */
bool safepoint_check(struct safepoint *s, pid_t tid, const struct user_regs_struct *r)
{
    enum stack_end end = unwinder_walk(s->unwinder, r, s->frame, SAFEPOINT_FRAMES, &s->frames);
    s->why[0] = '\0';
    s->forks = false;
    if (waits_in_kernel(tid, r))
        return check_visible(s);
    if (!has_root(s, end))
        return refuse(s, "%s", describe(end));
    return check_frames(s);
}
