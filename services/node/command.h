#ifndef VT_NODE_COMMAND_H
#define VT_NODE_COMMAND_H

/* A subcommand of `vitrine`: parses its own arguments (argv[0] is its name) and returns the exit
 * status: 0 done, 1 failed, 2 wrong usage. One file each, cmd_<name>.c. */
struct vt_command {
    const char *name;
    const char *summary; /* one line for `vitrine --help` */
    int (*run)(int argc, char **argv);
};

enum { VT_EXIT_DONE = 0, VT_EXIT_FAILED = 1, VT_EXIT_USAGE = 2 };

#endif
