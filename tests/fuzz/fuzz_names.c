/* Names of files in the run directory and texts for the terminal come from others, too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "rundir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printable stays so, and holds no control character. */
static void check_printable(char *text)
{
    size_t length = strlen(text);
    process_printable(text);
    if (strlen(text) != length)
        abort();
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            abort();
    char *again = strdup(text);
    process_printable(again);
    if (strcmp(again, text) != 0)
        abort();
    free(again);
}

/* A name that is accepted is exactly the name that would be given. */
static void check_name(const char *name)
{
    char made[64];
    pid_t pid;
    uint64_t start_time;
    if (rundir_parse_name(name, &pid, &start_time) &&
        (rundir_segment_name(pid, start_time, made, sizeof made) < 0 || strcmp(made, name) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_name(text);
    check_printable(text);
    free(text);
    return 0;
}
