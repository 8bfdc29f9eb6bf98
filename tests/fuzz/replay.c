/* Stands in for libFuzzer's main(): gives a fuzzer the files named, and those in directories named, each in a process of
 * its own, so that one that crashes, leaks or hangs does not keep the others from their turn. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS_EACH 20u

static unsigned passed, failed;

static void *read_all(FILE *f, size_t size)
{
    void *data = malloc(size ? size : 1);
    if (data && fread(data, 1, size, f) == size)
        return data;
    free(data);
    return NULL;
}

/* Leaks are looked for at exit(). */
static int run(const void *data, size_t size)
{
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS_EACH);
        LLVMFuzzerTestOneInput(data, size);
        exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    void *data = f ? read_all(f, size) : NULL;
    int status = data ? run(data, size) : -1;
    if (f)
        fclose(f);
    free(data);
    if (status == 0) {
        passed++;
        return;
    }
    failed++;
    if (status == -1)
        fprintf(stderr, "replay: cannot read or run %s\n", path);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "replay: %s: %s\n", path, WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "replay: %s: exit code %d\n", path, WEXITSTATUS(status));
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
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
