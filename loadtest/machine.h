#ifndef LOADTEST_MACHINE_H
#define LOADTEST_MACHINE_H

/* What the processors of this machine have done so far, all programs together. */
struct machine_cpu {
    double busy, all; /* in clock ticks; all 0: not known here */
};

/* Reads /proc/stat. */
struct machine_cpu machine_cpu_now(void);
/* Share of all cores that was in use between two looks, 0 to 1; 0 when it is not known. */
double machine_cpu_share(struct machine_cpu before, struct machine_cpu after);

#endif
