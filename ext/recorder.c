#include "recorder.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    bool available;
    bool supported; /* but for the segment nothing stands in the way */
    int error;
    struct segment segment;
    struct sites *sites;
    struct tracks *tracks;
    struct lanes *lanes;
    uint32_t generation;
} r;

static __thread bool measuring; /* this thread's calls are the recorder's own: none of them is a loss */

bool recorder_available(void) { return r.available; }
bool recorder_supported(void) { return r.supported; }
struct segment *recorder_segment(void) { return &r.segment; }
struct sites *recorder_sites(void) { return r.sites; }
struct tracks *recorder_tracks(void) { return r.tracks; }
struct lanes *recorder_lanes(void) { return r.lanes; }
uint32_t recorder_generation(void) { return r.generation; }

const char *recorder_problem(void)
{
    switch (r.error) {
    case 0:
        return "";
    case -ECANCELED:
        return "TSCAP_DISABLE is set";
    case -ENOTSUP:
        return "free-threaded builds of Python are not supported: run the program with the usual build";
    case -ENOTCONN:
        return "tscap detached from this process";
    case -EPERM:
        return "the run directory is not private to this user (TSCAP_DIR, else /dev/shm/tscap-<uid>): wrong owner, mode or a link";
    case -ENOENT:
        return "the run directory cannot be made: its parent does not exist (TSCAP_DIR, else /dev/shm)";
    case -ENOSPC:
        return "no space left for the segment in the run directory";
    case -EFBIG:
        return "the file-size limit (RLIMIT_FSIZE) is too small for a segment";
    default:
        return strerror(-r.error);
    }
}

/* ---- the segment ---- */

void recorder_support(void) { r.supported = true; }
void recorder_next_generation(void) { r.generation++; }

void recorder_refuse(int error)
{
    r.available = false;
    r.error = error;
}

static int open_segment(const struct segment_options *segment, const struct lanes_options *lanes)
{
    int error = segment_create(&r.segment, segment);
    if (error < 0)
        return error;
    r.sites = sites_new(&r.segment);
    r.tracks = tracks_new(&r.segment, r.sites);
    r.lanes = lanes_new(&r.segment, lanes);
    if (r.sites && r.tracks && r.lanes)
        return 0;
    segment_unlink(&r.segment);
    return -ENOMEM;
}

int recorder_open(const struct segment_options *segment, const struct lanes_options *lanes)
{
    r.error = open_segment(segment, lanes);
    r.available = r.error == 0;
    return r.error;
}

void recorder_forget(void (*forget_lanes)(struct lanes *l))
{
    forget_lanes(r.lanes);
    tracks_delete(r.tracks);
    sites_delete(r.sites);
    segment_close(&r.segment);
}

/* ---- what is lost ---- */

void recorder_measuring_here(bool on) { measuring = on; }

void recorder_count_thread_lost(void)
{
    static __thread uint64_t counted; /* in which segment: no two have the same anchor */
    struct segment_header *h = r.segment.header;
    if (measuring || counted == h->anchor_ticks)
        return;
    counted = h->anchor_ticks;
    atomic_fetch_add_explicit(&h->lost_lanes, 1, memory_order_relaxed);
}

void recorder_count_call_lost(void)
{
    if (!measuring)
        atomic_fetch_add_explicit(&r.segment.header->lost_calls, 1, memory_order_relaxed);
}
