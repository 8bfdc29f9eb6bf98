/* How often `tscap diff` errs. Captures of 100 functions are made up with the noise that machines have: captures differ by 2 % as a
 * whole, each function by half a percent to 3 %, and one in a hundred is disturbed by up to a quarter of its time. They are written to
 * files and compared by the command.
 *
 * A/A: 200 times seven captures against seven of the same program: FAIL at most as often as the level says.
 * 20 %: one function of those that are tested is slower by so much: it is found in at least 95 of 100 trials.
 *
 * On a busy machine, where one capture in ten is 5 to 20 % slower as a whole, and one function in fifty is disturbed by up to half,
 * A/A keeps to its level, too; how many are found is said, but not asked for. The same numbers each time; it fails if they do not
 * keep to that. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/planted.h"
#include "../support/random.h"
#include "command.h"
#include "comparison.h"
#include "exit_code.h"
#include "option.h"
#include "settings.h"

enum { FUNCTIONS = 100, A_SIDE = 7, PAIRS = 200, TRIALS = 100, NONE = FUNCTIONS, FOUND_LEAST = 95 };

/* How time is spread over functions, and how noisy they are. */
struct program {
    const char *name;
    double time[FUNCTIONS];  /* ns of a function in a capture */
    double noise[FUNCTIONS]; /* standard deviation, as a share of it */
    bool busy;               /* the machine */
};

static char folder[] = "/tmp/bench_diff.XXXXXX";
static char path[2 * A_SIDE][64], out[64];

static double uniform(struct random *r) { return (double)(random_next(r) >> 11) / 9007199254740992.0; }

/* Normal enough: the sum of twelve (Irwin and Hall). */
static double normal(struct random *r)
{
    double sum = -6;
    for (unsigned i = 0; i < 12; i++)
        sum += uniform(r);
    return sum;
}

static double positive(double value) { return value > 0.1 ? value : 0.1; }

static int write_capture(const char *to, const struct program *program, unsigned slower, struct random *r)
{
    struct planted p;
    double machine = positive(1 + 0.02 * normal(r)) * (program->busy && random_chance(r, 10) ? 1.05 + 0.15 * uniform(r) : 1);
    const double often = program->busy ? 0.02 : 0.01, most = program->busy ? 0.5 : 0.25;
    planted_begin(&p, 10000000000u);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "function_%u", i);
        uint32_t function = planted_function(&p, name, "app", "/srv/app.py", 10 + i);
        double calls = 1000 * positive(1 + 0.05 * normal(r)), disturbed = uniform(r) < often ? 1 + most * uniform(r) : 1;
        double time = program->time[i] * (i == slower ? 1.2 : 1) * machine * positive(1 + program->noise[i] * normal(r)) * disturbed;
        planted_call(&p, 0, function, (uint64_t)calls, (uint64_t)(time * calls / 1000), (uint64_t)(time * calls / 1000));
    }
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int e = fd < 0 ? -1 : planted_write(&p, fd);
    if (fd >= 0)
        close(fd);
    return e;
}

/* The comparison is in `out`, as JSON. */
static bool diff(void)
{
    struct settings s;
    char *argv[2 * A_SIDE + 16];
    char *const form[] = {"diff", "--json", "--no-trees", "--force", "-o", out};
    int argc = 0, rest;
    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        argv[argc++] = form[i];
    for (unsigned i = 0; i < 2 * A_SIDE; i++) {
        if (i == A_SIDE)
            argv[argc++] = "--";
        argv[argc++] = path[i];
    }
    argv[argc] = NULL;
    return option_parse(command_find("diff"), argc, argv, &s, &rest) == EXIT_OK && cmd_diff(&s) == EXIT_OK;
}

static bool compare(const struct program *program, unsigned slower, struct random *r)
{
    for (unsigned i = 0; i < 2 * A_SIDE; i++)
        if (write_capture(path[i], program, i < A_SIDE ? NONE : slower, r) < 0)
            return false;
    return diff();
}

/* Is there a line that has both of these? */
static bool is_told(const char *one, const char *other)
{
    char line[4096];
    bool told = false;
    FILE *file = fopen(out, "r");
    while (file && !told && fgets(line, sizeof line, file))
        told = strstr(line, one) && strstr(line, other);
    if (file)
        fclose(file);
    return told;
}

static bool study_nothing(const struct program *program)
{
    struct random r = random_seeded(1);
    unsigned failed = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        if (!compare(program, NONE, &r))
            return false;
        failed += is_told("\"verdict\": ", "\"FAIL\"");
    }
    printf("%-26s A/A  %3u of %d say FAIL, at most %.0f\n", program->name, failed, PAIRS, PAIRS * COMPARISON_LEVEL);
    return failed <= PAIRS * COMPARISON_LEVEL;
}

static bool study_slower(const struct program *program, unsigned tested)
{
    struct random r = random_seeded(2);
    unsigned found = 0;
    for (unsigned i = 0; i < TRIALS; i++) {
        char name[64];
        unsigned function = random_below(&r, tested);
        snprintf(name, sizeof name, "\"name\": \"function_%u\"", function);
        found += compare(program, function, &r) && is_told(name, "\"outcome\": \"slower\"") && is_told("\"verdict\": ", "\"FAIL\"");
    }
    printf("%-26s 20 %% %3u of %d found", program->name, found, TRIALS);
    if (!program->busy)
        printf(", at least %d", FOUND_LEAST);
    putchar('\n');
    return program->busy || found >= FOUND_LEAST;
}

/* Those that have 1 % of the time are the first `tested`. */
static bool study(struct program *program, unsigned tested)
{
    for (unsigned i = 0; i < FUNCTIONS; i++)
        program->noise[i] = 0.005 * (1 + i % 6);
    bool kept = study_nothing(program);
    return study_slower(program, tested) && kept;
}

static bool study_all(void)
{
    struct program even = {.name = "equal functions"}, steep = {.name = "a few take most of it"};
    struct program busy = {.name = "the same, busy machine", .busy = true};
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        even.time[i] = i < 80 ? 110e6 : 60e6;
        busy.time[i] = steep.time[i] = 1e9 / (i + 3);
    }
    bool kept = study(&even, 80);
    kept = study(&steep, 25) && kept;
    return study(&busy, 25) && kept;
}

int main(void)
{
    bool made = mkdtemp(folder) != NULL;
    for (unsigned i = 0; i < 2 * A_SIDE; i++)
        snprintf(path[i], sizeof path[i], "%s/%u.tscap", folder, i);
    snprintf(out, sizeof out, "%s/out.json", folder);
    bool kept = made && study_all();
    for (unsigned i = 0; i < 2 * A_SIDE; i++)
        unlink(path[i]);
    unlink(out);
    rmdir(folder);
    return kept ? 0 : 1;
}
