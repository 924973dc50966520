/* The `vitrine-load` program: a table of commands, each in its own file. */
#include "loadtest/load.h"
#include "services/common/base/options.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"recommend", "ask for recommendations at a rate, and report the latencies", load_run},
    {"rank", "have lists of items ordered", load_run},
    {"similar", "ask for items alike to others", load_run},
    {"events", "write events", load_run},
    {"profile", "ask for customers' profiles", load_run},
    {"mixed", "all of these by weight, as a storefront calls", load_run},
    {"sweep", "raise the rate to find the knee, and draw throughput against latency", load_sweep},
    {"compare", "two targets in turn, or two reports: ratios and their noise", load_compare},
    {"prices", "update prices by field mask, call after call", load_prices},
    {"floor", "serve a bare gRPC echo: the ceiling of this machine", load_floor},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("vitrine-load: open-loop load on a Vitrine cell\n\n"
          "usage: vitrine-load COMMAND [options]      vitrine-load COMMAND --help\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
}

static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = vt_nearest_name(name, names, N_COMMANDS);
    fprintf(stderr, "vitrine-load: unknown command '%s'; did you mean '%s'? see --help\n", name,
            nearest != NULL ? nearest : names[0]);
    return LOAD_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return LOAD_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return LOAD_EXIT_DONE;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
