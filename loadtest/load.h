#ifndef LOADTEST_LOAD_H
#define LOADTEST_LOAD_H

/* The commands of vitrine-load: argv[0] is the command's name; the exit status comes back. */
enum { LOAD_EXIT_DONE = 0, LOAD_EXIT_FAILED = 1, LOAD_EXIT_USAGE = 2 };

int load_floor(int argc, char **argv);
int load_recommend(int argc, char **argv);

#endif
