#include "tether.h"

#include "python.h"

#include <stdint.h>
#include <unistd.h>

#include "command.h"
#include "hook.h"
#include "own_fd.h"
#include "session.h"

static struct {
    struct own_fd fd;
    uint32_t session; /* its number */
} tethers[TETHERS] = {{.fd.fd = -1}, {.fd.fd = -1}};

void tether_hold(enum tether which, int fd)
{
    own_fd_close(&tethers[which].fd);
    if (fd >= 0 && !own_fd_set(&tethers[which].fd, fd))
        tethers[which].fd.fd = -1;
    tethers[which].session = session_number();
}

void tether_end(enum tether which)
{
    bool lasts = session_running() && session_number() == tethers[which].session;
    own_fd_close(&tethers[which].fd);
    if (lasts && command_stop() == CONSUMERS_FAILED)
        PyErr_Clear();
    hook_check();
}

void tether_drop_all(void)
{
    for (int i = 0; i < TETHERS; i++)
        own_fd_close(&tethers[i].fd);
}

void tether_drop_stale(void)
{
    for (int i = 0; i < TETHERS; i++)
        if (tethers[i].session != session_number())
            own_fd_close(&tethers[i].fd);
}

void tether_inherit(bool heir)
{
    if (!heir)
        tether_drop_all();
    for (int i = 0; i < TETHERS; i++)
        tethers[i].session = session_number();
}

/* Its number may be the program's by now, which closed it: then the session goes on as if it had none. Nothing is stored here, for
 * another thread may be about to hold one. */
struct pollfd tether_poll(enum tether which)
{
    struct own_fd f = tethers[which].fd;
    return (struct pollfd){.fd = own_fd_is_ours(&f) ? f.fd : -1, .events = POLLIN};
}

void tether_heed(enum tether which, short events)
{
    bool goes_on = which == TETHER_KEEPER && events & POLLIN;
    if (!events || !own_fd_is_ours(&tethers[which].fd))
        return;
    PyGILState_STATE state = PyGILState_Ensure();
    if (goes_on)
        own_fd_close(&tethers[which].fd);
    else
        tether_end(which);
    PyGILState_Release(state);
}
