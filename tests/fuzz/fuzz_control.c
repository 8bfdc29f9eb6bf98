/* What comes from outside besides segments: requests at the control socket and what follows them, file names in the run directory, and text that
 * shall go to a terminal. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "fuzz.h"
#include "process.h"
#include "rundir.h"
#include "track_orders.h"

static void receive(const uint8_t *data, size_t size)
{
    int pair[2];
    struct control_request request;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    ssize_t sent = send(pair[0], data, size < 4096 ? size : 4096, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(pair[0], SHUT_WR);
    int r = control_receive(pair[1], &request, 1000);
    MUST((r == 0) <= (sent >= (ssize_t)sizeof request));
    if (r == 0) {
        MUST(request.magic == CONTROL_MAGIC && request.version == CONTROL_VERSION);
        MUST(control_command_name(request.command)[0] != '\0');
    }
    close(pair[0]);
    close(pair[1]);
}

/* As long as before, nothing a terminal would obey, and the same when it is done again. */
static void print(char *text)
{
    size_t length = strlen(text);
    process_printable(text);
    MUST(strlen(text) == length);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        MUST(*p >= 0x20 && *p != 0x7f);
        MUST(*p != 0xc2 || p[1] >= 0xa0);
    }
    char *again = strdup(text);
    MUST(again != NULL);
    process_printable(again);
    MUST(strcmp(again, text) == 0);
    free(again);
}

static void parse(const char *name)
{
    pid_t pid;
    uint64_t start_time;
    char same[64];
    if (!rundir_parse_name(name, &pid, &start_time))
        return;
    MUST(pid > 0 && rundir_segment_name(pid, start_time, same, sizeof same) == 0 && strcmp(same, name) == 0);
}

/* What it says is what is written of it, if in another form. */
static void order(const char *text)
{
    static struct track_orders o, same;
    char again[TRACK_ORDERS_TEXT];
    if (track_orders_parse(&o, text) < 0)
        return;
    MUST(o.count > 0 && o.count <= TRACK_ORDERS_MAX);
    track_orders_write(&o, again);
    MUST(track_orders_parse(&same, again) == 0 && same.count == o.count);
    for (size_t i = 0; i < o.count; i++)
        MUST(o.order[i].profiler && o.order[i].row && same.order[i].profiler == o.order[i].profiler && same.order[i].row == o.order[i].row &&
             same.order[i].on == o.order[i].on);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* exactly: one byte too far is seen */
    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    receive(data, size);
    parse(text);
    order(text);
    print(text);
    free(text);
    return 0;
}
