#ifndef TESTS_PERF_BENCH_H
#define TESTS_PERF_BENCH_H

/* The subcommands of vitrine-bench: argv[0] is the name; returns the exit status. */
int bench_ingest(int argc, char **argv);
int bench_fill(int argc, char **argv);
int bench_interactions(int argc, char **argv);
int bench_fold_in(int argc, char **argv);
int bench_ials(int argc, char **argv);
int bench_ranker(int argc, char **argv);
int bench_retrieval(int argc, char **argv);

#endif
