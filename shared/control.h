/* Messages between tscap and the listener in the target: one request, one reply, each a fixed struct, over a unix stream
 * socket in the run directory (rundir.h). Either side treats the other's as hostile. The kernel tells who asks
 * (SO_PEERCRED, unix(7)): the same user or root, nobody else. */
#ifndef TSCAP_CONTROL_H
#define TSCAP_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_MAGIC 0x70616373u
#define CONTROL_VERSION 1u
#define CONTROL_TEXT 256

enum control_command {
    CONTROL_START = 1,
    CONTROL_STOP,
    CONTROL_RESET,
    CONTROL_STATUS,
    CONTROL_ATTACH,
    CONTROL_DETACH,
    CONTROL_TRACKS,
    CONTROL_COMMANDS
};

/* What follows a request for CONTROL_ATTACH: lines that say which functions are to be recorded that are not decorated. */
#define CONTROL_RULES_MAX 65536 /* bytes */
#define CONTROL_RULE_MATCH "match="
#define CONTROL_RULE_EXCLUDE "exclude="
#define CONTROL_RULE_ALL "all"           /* the standard library and what is installed, too */
#define CONTROL_RULE_BUILTINS "builtins" /* C functions, too */
#define CONTROL_RULE_LABELS "labels"     /* calls of C functions are told of, too, to whoever gives calls their labels, wanted or not */
#define CONTROL_RULE_START "start"       /* begin to record */
#define CONTROL_RULE_TETHER "tether"     /* detach when this connection ends, which stays open after the reply; closed on detaching */
#define CONTROL_RULE_SUBPROCESSES "subprocesses" /* those that it starts from now on, too */
#define CONTROL_RULE_KEEPER "keeper="    /* "PID START": as long as that process lives, what was recorded stays when the process ends */
#define CONTROL_RULE_STAYS "stays"       /* so it does for whoever looks, also when the attachment ends */
#define CONTROL_RULE_ALONE "alone"       /* only if nobody is attached: else nothing is done, and the answer is ALREADY */

/* What follows a request for CONTROL_TRACKS: track_orders.h. */

enum control_argument {
    CONTROL_SUBPROCESSES = 1, /* children made from now on record, too */
    CONTROL_TETHER = 2,       /* what this begins ends when the connection does, which stays open after the reply */
};

enum control_result {
    CONTROL_OK = 0,     /* done */
    CONTROL_ALREADY,    /* it was so before: started, stopped */
    CONTROL_FAILED,     /* `text` says why */
    CONTROL_UNKNOWN,    /* not a command of this version */
    CONTROL_BUSY,       /* the client had gone before the interpreter's lock was free: nothing was done */
};

struct control_request {
    uint32_t magic, version;
    uint32_t command; /* enum control_command */
    uint32_t argument; /* of CONTROL_START: bits of enum control_argument; CONTROL_ATTACH, CONTROL_TRACKS: bytes that follow; others: 0 */
};

struct control_reply {
    uint32_t magic, version;
    uint32_t result; /* enum control_result */
    uint32_t running;
    uint64_t sites;     /* decorated functions and blocks */
    uint64_t consumers; /* sessions and collectors that want records */
    uint64_t armed;     /* functions armed now */
    char text[CONTROL_TEXT]; /* printable, ends with 0 */
};

/* Whose listener: the process as it is named in the run directory `dirfd`, which is as it sees itself. */
struct control_address {
    int dirfd;
    pid_t pid;
    uint64_t start_time;
    pid_t peer; /* as we see it: nobody else may answer; 0: whoever does */
};

/* Connects to the listener, sends, waits. 0, -ENOENT no socket, -ECONNREFUSED nobody listens, -ESRCH another process does,
 * -ETIMEDOUT, -EPROTO not a listener, -EACCES ... */
int control_ask(const struct control_address *to, const struct control_request *request, struct control_reply *reply, int timeout_ms);

/* The same in two steps, for who has other things to wait for. The request is on its way: a descriptor that becomes
 * readable when there is a reply; closing it gives up. Or -errno. */
int control_send(const struct control_address *to, const struct control_request *request, int timeout_ms);
int control_take_reply(int fd, struct control_reply *reply, int timeout_ms); /* closes it. 0 or -errno */

/* As control_send(), with a text behind the request, whose argument is set to its length. NULL: none. */
int control_send_text(const struct control_address *to, const struct control_request *request, const char *text, int timeout_ms);
int control_read_reply(int fd, struct control_reply *reply, int timeout_ms); /* as control_take_reply(); leaves it open */

/* A listening socket of that name, mode 0600. The descriptor or -errno. Names longer than sun_path go through
 * /proc/self/fd. */
int control_listen(int dirfd, const char *name);

/* Takes one request from a connected client, checked; replies. 0 or -errno. */
int control_receive(int fd, struct control_request *request, int timeout_ms);
int control_receive_text(int fd, char *text, size_t length, int timeout_ms); /* text[length] becomes 0 */
int control_reply_send(int fd, const struct control_reply *reply);

const char *control_command_name(uint32_t command);

#endif
