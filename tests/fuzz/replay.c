/* Stands in for libFuzzer's main(): gives a fuzzer the files named, and those in directories named, one after the other. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS_EACH 20u

static unsigned passed, failed;
static const char *current = "";

/* Only here when a sanitizer is. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_current(void)
{
    static const char text[] = "replay: this was ";
    bool all = write(STDERR_FILENO, text, sizeof text - 1) > 0 && write(STDERR_FILENO, current, strlen(current)) > 0;
    (void)(all && write(STDERR_FILENO, "\n", 1) > 0);
}

static void *read_all(FILE *f, size_t size)
{
    void *data = malloc(size ? size : 1);
    if (data && fread(data, 1, size, f) == size)
        return data;
    free(data);
    return NULL;
}

static void replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    void *data = f ? read_all(f, size) : NULL;
    if (f)
        fclose(f);
    if (!data) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        failed++;
        return;
    }
    current = path;
    alarm(SECONDS_EACH); /* ends us: who tests sees that it hung */
    LLVMFuzzerTestOneInput(data, size);
    alarm(0);
    free(data);
    passed++;
}

static void replay(const char *path);

static void replay_directory(const char *path)
{
    struct dirent **entry = NULL;
    int count = scandir(path, &entry, NULL, alphasort);
    if (count < 0)
        failed++;
    for (int i = 0; i < count; i++) {
        char below[4096];
        int n = snprintf(below, sizeof below, "%s/%s", path, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.' && n > 0 && (size_t)n < sizeof below)
            replay(below);
        free(entry[i]);
    }
    free(entry);
}

static void replay(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0) {
        fprintf(stderr, "replay: cannot find %s\n", path);
        failed++;
    } else if (S_ISDIR(s.st_mode))
        replay_directory(path);
    else
        replay_file(path, (size_t)s.st_size);
}

int main(int argc, char **argv)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_current);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
