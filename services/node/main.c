/*
 * The `vitrine` program: a table of subcommands, each in its own cmd_*.c. OpenBLAS reads its thread
 * count when it is loaded, so main executes itself once more with OPENBLAS_NUM_THREADS=1.
 */
#include "services/common/base/options.h"
#include "services/node/command.h"
#include "services/node/commands.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("vitrine " VT_VERSION);
    return VT_EXIT_DONE;
}

/* In the order of a first day: make data, load it, train, serve, ask. */
static const struct vt_command commands[] = {
    {"demo-data", "write a generated storefront to try everything with", vt_cmd_demo_data},
    {"import", "clean, map and load data, with a scorecard", vt_cmd_import},
    {"train", "make a model from the events and put it into service", vt_cmd_train},
    {"tune", "look for the settings of an algorithm that suit the data", vt_cmd_tune},
    {"models", "list, verify, activate, roll back and export model versions", vt_cmd_models},
    {"evaluate", "measure how well an algorithm finds held-out items", vt_cmd_evaluate},
    {"rules", "find what is bought together", vt_cmd_rules},
    {"serve", "serve a data folder over gRPC", vt_cmd_serve},
    {"recommend", "ask for the best items for somebody", vt_cmd_recommend},
    {"rank", "order given items for somebody", vt_cmd_rank},
    {"similar", "ask for items alike to given ones", vt_cmd_similar},
    {"recommend-all", "a list for every customer, for e-mail", vt_cmd_recommend_all},
    {"who-would-like", "the customers for an item", vt_cmd_who_would_like},
    {"explain", "replay an answer from its token", vt_cmd_explain},
    {"profile", "show what is known about a customer", vt_cmd_profile},
    {"event", "send one event", vt_cmd_event},
    {"link", "join ids of one person into one customer, or part them", vt_cmd_link},
    {"backup", "back a data folder up, while it serves", vt_cmd_backup},
    {"restore", "bring a backup back", vt_cmd_restore},
    {"verify", "read everything and check every reference", vt_cmd_verify},
    {"doctor", "say what is wrong with a machine or a folder", vt_cmd_doctor},
    {"health", "ask a server whether it serves", vt_cmd_health},
    {"export", "write everything held about a customer", vt_cmd_export},
    {"erase", "forget a customer", vt_cmd_erase},
    {"version", "print the version", cmd_version},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("vitrine: a recommendation cluster for storefronts\n\n"
          "usage: vitrine COMMAND [options]      vitrine COMMAND --help\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
}

static const struct vt_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = vt_nearest_name(name, names, N_COMMANDS);
    fprintf(stderr, "vitrine: unknown command '%s'%s%s%s; see vitrine --help\n", name,
            nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
            nearest != NULL ? "'?" : "");
    return VT_EXIT_USAGE;
}

/* Returns only when no second start is needed, or when it failed (then BLAS may use more threads
 * than we want, which is slower but not wrong). */
static void restart_with_single_threaded_blas(char **argv)
{
    const char *set = getenv("OPENBLAS_NUM_THREADS");
    if (set != NULL && strcmp(set, "1") == 0)
        return;
    char path[PATH_MAX]; /* the real name, so that ps and top show it */
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len > 0 && setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) {
        path[len] = '\0';
        execv(path, argv);
    }
    perror("vitrine: cannot execute itself again with OPENBLAS_NUM_THREADS=1");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return VT_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return VT_EXIT_DONE;
    }
    const struct vt_command *command = find_command(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    restart_with_single_threaded_blas(argv);
    return command->run(argc - 1, argv + 1);
}
