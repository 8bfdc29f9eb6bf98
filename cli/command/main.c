#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "help.h"
#include "inherited.h"
#include "message.h"
#include "option.h"
#include "settings.h"
#include "text.h"
#include "version.h"

/* Files and sockets opened later must not become stdin, stdout or stderr by accident. What is to go to a stdout that is closed cannot
 * be written, and finish() says so. */
static void open_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) < 0 ? O_RDONLY : O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* What was printed must also have arrived: a full disk is an error. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return fail(EXIT_FAILED,
                "cannot write the output\n"
                "%s\n"
                "tscap COMMAND >elsewhere",
                strerror(errno));
}

static int explain(const char *name)
{
    const struct command *c = name ? command_find(name) : NULL;
    if (c)
        help_command(c);
    else if (!name)
        help_overview();
    return c || !name ? EXIT_OK : EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    struct settings settings;
    int rest;
    const struct command *c = command_find(argv[0]);
    int r = c ? option_parse(c, argc, argv, &settings, &rest) : EXIT_USAGE;
    if (r != EXIT_OK)
        return r;
    if (settings.help)
        return explain(c->name);
    return c->run ? c->run(&settings) : explain(settings.operand);
}

static int list_options(const char *name)
{
    const struct command *c = name ? command_find(name) : &command_none;
    if (!c)
        return EXIT_USAGE;
    help_list_options(c);
    return EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct settings settings;
    int rest;
    int r = option_parse(&command_none, argc, argv, &settings, &rest);
    if (r != EXIT_OK)
        return r;
    if (settings.list_options)
        return list_options(argv[rest]);
    if (settings.version)
        puts("tscap " TSCAP_VERSION);
    else if (settings.help)
        help_overview();
    else if (rest == argc)
        return fail(EXIT_USAGE,
                    "no command given\n"
                    "it needs to know what to do\n"
                    "tscap help");
    else
        return run_command(argc - rest, argv + rest);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    inherited_note();
    open_standard_files();
    signal(SIGPIPE, SIG_DFL); /* `tscap dump | head` ends quietly, whatever our parent thinks of SIGPIPE */
    text_init();
    message_invoked_as(argc, argv);
    return finish(run(argc, argv));
}
