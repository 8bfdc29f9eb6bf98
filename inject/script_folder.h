/* A folder in the file system of a process, with a script for it and a file for the answers. It is the process' user's alone,
 * and lies where the process finds it, whatever namespace or root it lives in. */
#ifndef TSCAP_SCRIPT_FOLDER_H
#define TSCAP_SCRIPT_FOLDER_H

#include <stddef.h>
#include <sys/types.h>

#define SCRIPT_FOLDER_PATH 64

struct script_folder {
    int parent, folder, script, answer; /* descriptors */
    char name[32];              /* in the parent */
    char script_path[SCRIPT_FOLDER_PATH], answer_path[SCRIPT_FOLDER_PATH]; /* as the process sees them */
};

/* Both files are there and empty, and still ours. `root`: of the process. 0 or -errno: of the last place tried. */
int script_folder_make(struct script_folder *f, int root);

/* Writes the script and hands all of it over to the process' user, its effective one. 0 or -errno. */
int script_folder_fill(struct script_folder *f, const char *script, uid_t uid);

/* What has been answered so far, ended by 0. Its length or -errno. */
ssize_t script_folder_read(const struct script_folder *f, char *buffer, size_t size);

void script_folder_remove(struct script_folder *f);

#endif
