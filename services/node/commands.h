#ifndef VT_NODE_COMMANDS_H
#define VT_NODE_COMMANDS_H

/* Every subcommand: add a line here, a row in main.c, and a file cmd_<name>.c. */

int vt_cmd_evaluate(int argc, char **argv);

#endif
