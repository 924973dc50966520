/* How busy the machine was while we measured: on a machine without free cores a latency is also the
 * time that a thread waited for one, whoever took it. */
#include "loadtest/machine.h"

#include <stdio.h>

enum { FIELDS = 8, IDLE = 3, IO_WAIT = 4 };

struct machine_cpu machine_cpu_now(void)
{
    struct machine_cpu cpu = {0};
    unsigned long long ticks[FIELDS] = {0};
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return cpu;
    int n = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
                   &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    fclose(file);
    for (int i = 0; n == FIELDS && i < FIELDS; i++) {
        cpu.all += (double)ticks[i];
        cpu.busy += i == IDLE || i == IO_WAIT ? 0 : (double)ticks[i];
    }
    return cpu;
}

double machine_cpu_share(struct machine_cpu before, struct machine_cpu after)
{
    double all = after.all - before.all;
    return before.all > 0 && all > 0 ? (after.busy - before.busy) / all : 0;
}
