#ifndef LOADTEST_LOAD_H
#define LOADTEST_LOAD_H

/* The commands of vitrine-load: argv[0] is the command's name; the exit status comes back. */
enum { LOAD_EXIT_DONE = 0, LOAD_EXIT_FAILED = 1, LOAD_EXIT_USAGE = 2 };

/* An echo server on the bare gRPC C core, until SIGTERM or SIGINT. */
int load_floor(int argc, char **argv);
/* Load at a rate, or as fast as answers come, of the kind that argv[0] names: recommend, rank,
 * similar, events, profile, mixed; prints what happened. */
int load_run(int argc, char **argv);
/* The same at rising rates. */
int load_sweep(int argc, char **argv);
/* Two targets in turn, or two reports. */
int load_compare(int argc, char **argv);
/* UpsertItems with a mask, call after call; prints how fast. */
int load_prices(int argc, char **argv);

#endif
