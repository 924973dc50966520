/*
 * Gradient2 of Netflix' concurrency-limits (github.com/Netflix/concurrency-limits, which Envoy's
 * adaptive concurrency filter resembles): the limit follows the ratio of the usual latency to the
 * latest one. A ratio of one lets the limit rise by a little each window; a falling one takes the
 * limit down with it, by half at most. Latency may vary by the tolerance before that counts. Where
 * we differ: a latest latency is the mean of a window of calls, not one call, for one slow request
 * says nothing; a limit also rises by a share of itself, as windows are fewer than calls; and the
 * floor is high, because a method's calls are of many sizes.
 */
#include "services/common/rpc/limit.h"

#define TOLERANCE 1.5         /* Netflix' rttTolerance */
#define SMOOTHING 0.2         /* share of a new limit in the next one, as there */
#define HEADROOM 4.0          /* calls that a limit rises by when nothing is late (queueSize) … */
#define HEADROOM_SHARE 0.0625 /* … and this share of itself, so that it is soon back */
#define USUAL_SHARE 0.1       /* of one window in the usual latency: 640 calls, theirs are 600 */
#define RECOVERY 0.95 /* of a usual latency that is twice the latest: it was an overload's */
#define GRADIENT_MIN 0.5

void vt__limit_init(struct vt__limit *limit)
{
    *limit = (struct vt__limit){.limit = VT__LIMIT_MAX};
}

static double between(double low, double value, double high)
{
    return value < low ? low : value > high ? high : value;
}

static void close_window(struct vt__limit *limit)
{
    double latest_ns = (double)limit->sum_ns / limit->n + 1;
    double usual_ns = limit->usual_ns > 0 ? limit->usual_ns : latest_ns;
    usual_ns += (latest_ns - usual_ns) * USUAL_SHARE;
    if (usual_ns > 2 * latest_ns)
        usual_ns *= RECOVERY;
    limit->usual_ns = usual_ns;
    double gradient = between(GRADIENT_MIN, TOLERANCE * usual_ns / latest_ns, 1);
    double next = limit->limit * (gradient + HEADROOM_SHARE) + HEADROOM;
    /* A limit that nobody came near says nothing about more calls than there were. */
    if (gradient < 1 || limit->n_at_max >= limit->limit / 2)
        limit->limit =
            between(VT__LIMIT_MIN, limit->limit + (next - limit->limit) * SMOOTHING, VT__LIMIT_MAX);
    limit->sum_ns = 0;
    limit->n = limit->n_at_max = 0;
}

void vt__limit_observe(struct vt__limit *limit, int64_t latency_ns, uint32_t n_under_way)
{
    limit->sum_ns += latency_ns;
    limit->n++;
    if (n_under_way > limit->n_at_max)
        limit->n_at_max = n_under_way;
    if (limit->n == VT__LIMIT_WINDOW)
        close_window(limit);
}
