/* The `vitrine-bench` program: a table of subcommands, each in files of its own. */
#include "tests/perf/bench.h"

#include "services/node/command.h"

#include <stdio.h>
#include <string.h>

static const struct vt_command commands[] = {
    {"ingest", "events a second through StreamEvents, beside a bare RocksDB loop", bench_ingest},
    {"fill", "a large store to measure memory, disk and reads with", bench_fill},
    {"interactions", "an adjacency file as large as asked, to train on", bench_interactions},
    {"ials", "seconds of an iteration of iALS, and its share of a matrix product", bench_ials},
    {"fold-in", "from a history to a customer's vector", bench_fold_in},
    {"ranker", "what ranking by trees adds to an answer", bench_ranker},
    {"retrieval", "the exact search for the best items", bench_retrieval},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static int print_help(FILE *out, int status)
{
    fputs("vitrine-bench: what single parts of Vitrine do on this machine, beside a baseline\n\n"
          "usage: vitrine-bench COMMAND [options]      vitrine-bench COMMAND --help\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return print_help(stderr, VT_EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout, VT_EXIT_DONE);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "vitrine-bench: unknown command '%s'; see vitrine-bench --help\n", argv[1]);
    return VT_EXIT_USAGE;
}
