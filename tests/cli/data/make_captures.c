/* Makes the committed captures of version 1. They are not made anew: what was written once must open for ever.
 *
 *   cc -std=c11 -D_GNU_SOURCE -iquote shared tests/cli/data/make_captures.c build/release/libtscap-shared.a -lzstd -o make_captures
 *   ./make_captures tests/cli/data */
#include <fcntl.h>
#include <unistd.h>

#include "../../support/recordings.h"
#include "capture_file.h"

static int write_file(const char *folder, const char *name, capture_compressor *compress)
{
    char path[4096];
    struct capture_writer *w;
    struct recording r = make_recording();
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int e = fd < 0 ? -1 : capture_writer_open(&w, fd, compress, false);
    if (e == 0)
        e = capture_writer_look(w, &r);
    if (e == 0)
        e = capture_writer_finish(w);
    return e;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "tests/cli/data";
    return write_file(folder, "v1.tscap", capture_zstd) || write_file(folder, "v1-uncompressed.tscap", NULL);
}
