/* plant FILE: writes the capture that standard input tells of, words with tabs between them:
 *
 *     duration  NS                                first
 *     python    VERSION                           clock     NUMBER          cpu  MODE
 *     note      KEY   VALUE                       lost      CALLS           incomplete
 *     process   PID                               thread    PROCESS         (index; one of each is there)
 *     function  NAME  MODULE  FILE  LINE          numbered from 1 on
 *     call      DEPTH  FUNCTION  CALLS  EXCLUSIVE  CPU */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/planted.h"

enum { WORDS = 8 };

static uint64_t number(const char *word) { return word ? strtoull(word, NULL, 10) : 0; }

static void obey_about(struct planted *p, char **word)
{
    struct recording_process *root = &p->r.process[0];
    if (strcmp(word[0], "python") == 0)
        snprintf(root->header.python, sizeof root->header.python, "%s", word[1]);
    else if (strcmp(word[0], "clock") == 0)
        root->header.clock_source = (uint32_t)number(word[1]);
    else if (strcmp(word[0], "cpu") == 0)
        p->r.cpu_mode = root->header.cpu_mode = (uint32_t)number(word[1]);
    else if (strcmp(word[0], "note") == 0)
        planted_note(p, word[1], word[2]);
    else if (strcmp(word[0], "lost") == 0)
        p->r.profile.lost = number(word[1]);
    else if (strcmp(word[0], "incomplete") == 0)
        p->r.profile.complete = false;
}

static void obey(struct planted *p, char **word)
{
    if (strcmp(word[0], "process") == 0) {
        planted_process(p, (uint32_t)number(word[1]));
        p->r.whole_tree = true;
    } else if (strcmp(word[0], "thread") == 0)
        planted_thread(p, (uint32_t)number(word[1]));
    else if (strcmp(word[0], "function") == 0)
        planted_function(p, word[1], word[2], word[3], (uint32_t)number(word[4]));
    else if (strcmp(word[0], "call") == 0)
        planted_call(p, (uint32_t)number(word[1]), (uint32_t)number(word[2]), number(word[3]), number(word[4]), number(word[5]));
    else
        obey_about(p, word);
}

int main(int argc, char **argv)
{
    struct planted p;
    char line[8192];
    int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    planted_begin(&p, 1000000000);
    while (fgets(line, sizeof line, stdin)) {
        char *word[WORDS] = {0}, *rest = line;
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < WORDS && rest; i++)
            word[i] = strsep(&rest, "\t");
        if (strcmp(word[0], "duration") == 0)
            p.r.session.stopped = 1 + number(word[1]);
        else
            obey(&p, word);
    }
    return fd < 0 || planted_write(&p, fd) < 0 || close(fd) < 0;
}
