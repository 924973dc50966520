/*
 * Arrival processes. Moments are summed in a double and rounded one by one: rounded gaps would add
 * up to another rate (33 333 ns for 30 000 a second is ten in a million off).
 */
#include "loadtest/arrivals.h"

#include <math.h>

static const double NS_PER_S = 1e9;

void arrivals_init(struct arrivals *arrivals, double rate, bool poisson, uint32_t index,
                   uint32_t n_threads, uint64_t seed)
{
    double mean_ns = NS_PER_S * n_threads / rate;
    *arrivals = (struct arrivals){
        .random.state = seed * 0x9E3779B97F4A7C15u + index,
        .mean_ns = mean_ns,
        .at_ns = poisson ? 0 : mean_ns * ((double)index / n_threads - 1),
        .poisson = poisson,
    };
}

int64_t arrivals_next_ns(struct arrivals *arrivals)
{
    arrivals->at_ns += arrivals->poisson
                           ? -log(load_random_unit(&arrivals->random)) * arrivals->mean_ns
                           : arrivals->mean_ns;
    return llround(arrivals->at_ns);
}
