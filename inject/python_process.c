#include "python_process.h"

#include <errno.h>

#include "image.h"
#include "remote.h"
#include "target.h"

/* With Py_DEBUG its structures differ; since 3.13 that does not matter, for the process tells. */
static bool is_known_build(const struct images *images, uint32_t version)
{
    return version >= 0x030d0000 || !images_symbol(images, "_Py_NegativeRefcount", NULL);
}

/* Stripped or not: by the symbol, else by its section. */
static uint64_t find_runtime(const struct images *images)
{
    uint64_t runtime = images_symbol(images, "_PyRuntime", NULL);
    for (size_t i = 0; i < images->count && !runtime; i++)
        runtime = images->image[i].python_runtime;
    return runtime;
}

int python_process_find(struct python_process *p, pid_t pid)
{
    struct target target;
    struct images images;
    *p = (struct python_process){.pid = pid};
    int r = target_inspect(pid, &target);
    if (r == 0 && !target.python)
        r = -ENOEXEC;
    p->version = r == 0 ? target.version : 0;
    if (r == 0)
        r = images_read(&images, pid, ELF_EXPORTED);
    if (r < 0)
        return r;
    p->runtime = find_runtime(&images);
    if (!p->runtime)
        r = -ENOEXEC;
    else if (!is_known_build(&images, p->version))
        r = -EPROTONOSUPPORT;
    images_free(&images);
    return r;
}

int python_process_read(void *process, uint64_t address, void *buffer, size_t size)
{
    return remote_read(((const struct python_process *)process)->pid, address, buffer, size);
}
