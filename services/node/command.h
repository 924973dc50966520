#ifndef VT_NODE_COMMAND_H
#define VT_NODE_COMMAND_H

#include "services/common/base/options.h"

/* A subcommand of `vitrine`: parses its own arguments (argv[0] is its name) and returns the exit
 * status. One file each, cmd_<name>.c. */
struct vt_command {
    const char *name;
    const char *summary; /* one line for `vitrine --help` */
    int (*run)(int argc, char **argv);
};

enum { VT_EXIT_DONE = 0, VT_EXIT_FAILED = 1, VT_EXIT_USAGE = 2 };

/* What every subcommand does around its work: parses the arguments into `target` (zeroed, laid out
 * as the table says), prints help or the mistake, otherwise runs `run` and returns its status. */
int vt_command_run(const struct vt_options_spec *spec, int argc, char **argv, void *target,
                   int (*run)(void *target, const struct vt_options *options));

/* Prints "vitrine train: <where and why>" on standard error; VT_EXIT_USAGE for VT_INVALID options
 * is the caller's to decide: this returns VT_EXIT_FAILED. `diag` may be NULL. */
int vt_command_fail(const char *command, struct vt_err err, const struct vt_diag *diag);

#endif
