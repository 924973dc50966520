#ifndef VT_NODE_COMMAND_H
#define VT_NODE_COMMAND_H

#include "services/common/base/options.h"

#include <jansson.h>

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

/* Prints "vitrine train: <where and why>" on standard error; returns VT_EXIT_FAILED. `diag` may be
 * NULL. */
int vt_command_fail(const char *command, struct vt_err err, const struct vt_diag *diag);
/* The same for arguments that make no sense together; points to --help, returns VT_EXIT_USAGE. */
int vt_command_refuse(const char *command, struct vt_err err, const struct vt_diag *diag);

/* What --json prints: `object` on one line of standard output, and nothing else there. Takes the
 * reference. VT_INTERNAL when it is NULL, which is what jansson makes of a number that is not
 * finite, or without memory. */
VT_MUST_USE struct vt_err vt_command_print_json(json_t *object);

#endif
