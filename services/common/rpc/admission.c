/*
 * The queue of one serving thread and the rule of who gets into it.
 *
 * Under overload a first-in-first-out queue without a bound serves only calls whose callers have
 * given up. So the queue is bounded by time: what waits ahead of a call is known (each counts for
 * what its method usually costs), and a call that would wait longer than half of the time it has
 * left, or than the bound, is refused at once, while its caller can still do something else. Batch
 * calls wait behind all storefront calls and for a quarter of the time, so they are refused first.
 *
 * An estimate can be wrong for ever if it refuses what would correct it: a thread with nothing to
 * do takes any call whose deadline has not passed, and the usual latency of a method only counts
 * while another of its calls is under way.
 *
 * Costs some tens of nanoseconds a call; no clock is read here.
 */
#include "services/common/rpc/admission.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    AVERAGE_SHARE = 8,             /* a new sample is 1/8 of an average */
    PACE_SHARE = 32,               /* 1/32 of a pace: answers come in bursts after a pause */
    DEADLINE_SHARE = 2,            /* of the time left, 1/2 may be waited away */
    BATCH_SHARE = 4,               /* of a storefront's wait, 1/4 for batch */
    BATCH_LIMIT_SHARE = 2,         /* and 1/2 of a method's limit */
    WORK_SAMPLE_MAX_NS = 20000000, /* one call that took longer says little about the others */
};
#define WAIT_MAX_NS INT64_C(500000000) /* the longest wait, whatever the deadline */
#define STRETCH_MAX 8.0
#define STRETCH_SHARE 0.1

struct vt_err vt__admission_init(struct vt__admission *admission, uint32_t n_methods)
{
    *admission = (struct vt__admission){.n_methods = n_methods, .stretch = 1};
    admission->methods = calloc(n_methods, sizeof *admission->methods);
    VT_CHECK(admission->methods != NULL, VT_EXHAUSTED, "no memory for admission");
    for (uint32_t i = 0; i < n_methods; i++)
        vt__limit_init(&admission->methods[i].limit);
    return vt_ok();
}

void vt__admission_fini(struct vt__admission *admission)
{
    free(admission->methods);
    admission->methods = NULL;
}

/* ---- the queues ---- */

static void push(struct vt__class_queue *queue, struct vt__waiting *call)
{
    call->next = NULL;
    call->previous = queue->last;
    if (queue->last != NULL)
        queue->last->next = call;
    else
        queue->first = call;
    queue->last = call;
    queue->work_ns += call->work_ns;
    call->state = VT__QUEUED;
}

static void take_out(struct vt__class_queue *queue, struct vt__waiting *call)
{
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        queue->first = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    else
        queue->last = call->previous;
    queue->work_ns -= call->work_ns;
    call->state = VT__AWAY;
}

bool vt__admission_waits(const struct vt__admission *admission)
{
    return admission->queues[VT__STOREFRONT].first != NULL ||
           admission->queues[VT__BATCH].first != NULL;
}

/* ---- who gets in ---- */

static int64_t expected_wait_ns(const struct vt__admission *admission, enum vt__class class)
{
    int64_t work_ns = admission->queues[VT__STOREFRONT].work_ns;
    if (class == VT__BATCH)
        work_ns += admission->queues[VT__BATCH].work_ns;
    return (int64_t)((double)work_ns * admission->stretch);
}

static int64_t longest_wait_ns(enum vt__class class, int64_t left_ns)
{
    int64_t wait_ns =
        left_ns / DEADLINE_SHARE < WAIT_MAX_NS ? left_ns / DEADLINE_SHARE : WAIT_MAX_NS;
    return class == VT__BATCH ? wait_ns / BATCH_SHARE : wait_ns;
}

enum vt__verdict vt__admission_judge(const struct vt__admission *admission,
                                     const struct vt__waiting *call)
{
    int64_t left_ns = call->deadline_ns - call->arrived_ns;
    if (left_ns <= 0)
        return VT__REFUSED_DEADLINE;
    if (!vt__admission_waits(admission) && admission->n_started == 0)
        return VT__ADMITTED;
    const struct vt__method_load *method = &admission->methods[call->method];
    int64_t wait_ns = expected_wait_ns(admission, call->class);
    int64_t answer_ns = method->n_started > 0 ? method->latency_ns : method->work_ns;
    if (wait_ns + answer_ns > left_ns)
        return VT__REFUSED_DEADLINE;
    return wait_ns > longest_wait_ns(call->class, left_ns) ? VT__REFUSED_WAIT : VT__ADMITTED;
}

enum vt__verdict vt__admission_offer(struct vt__admission *admission, struct vt__waiting *call)
{
    enum vt__verdict verdict = vt__admission_judge(admission, call);
    if (verdict != VT__ADMITTED)
        return verdict;
    call->work_ns = admission->methods[call->method].work_ns;
    push(&admission->queues[call->class], call);
    return VT__ADMITTED;
}

/* ---- who begins ---- */

/* Over its limit a call still begins while those under way, at the pace at which they are answered,
 * leave it as much of its time as a queue would: another service that paused for a moment is no
 * reason to refuse who can wait for it. */
static bool over_limit(const struct vt__method_load *method, const struct vt__waiting *call,
                       int64_t now_ns)
{
    double limit = method->limit.limit / (call->class == VT__BATCH ? BATCH_LIMIT_SHARE : 1);
    if (method->n_started < limit)
        return false;
    return method->n_started >= VT__LIMIT_MAX ||
           method->n_started * method->pace_ns >
               longest_wait_ns(call->class, call->deadline_ns - now_ns);
}

static enum vt__verdict judge_again(const struct vt__admission *admission,
                                    const struct vt__waiting *call, int64_t now_ns)
{
    if (call->deadline_ns <= now_ns)
        return VT__REFUSED_DEADLINE;
    return over_limit(&admission->methods[call->method], call, now_ns) ? VT__REFUSED_LIMIT
                                                                       : VT__ADMITTED;
}

struct vt__waiting *vt__admission_take(struct vt__admission *admission, int64_t now_ns,
                                       enum vt__verdict *ret_verdict)
{
    struct vt__class_queue *queue = &admission->queues[VT__STOREFRONT];
    if (queue->first == NULL)
        queue = &admission->queues[VT__BATCH];
    struct vt__waiting *call = queue->first;
    if (call == NULL)
        return NULL;
    take_out(queue, call);
    *ret_verdict = judge_again(admission, call, now_ns);
    if (*ret_verdict != VT__ADMITTED)
        return call;
    call->state = VT__STARTED;
    call->started_ns = now_ns;
    admission->n_started++;
    admission->methods[call->method].n_started++;
    return call;
}

/* ---- what is learned ---- */

static int64_t averaged(int64_t average_ns, int64_t sample_ns, int share)
{
    return average_ns == 0 ? sample_ns : average_ns + (sample_ns - average_ns) / share;
}

void vt__admission_worked(struct vt__admission *admission, uint32_t method, int64_t work_ns)
{
    struct vt__method_load *load = &admission->methods[method];
    load->work_ns = averaged(
        load->work_ns, work_ns < WORK_SAMPLE_MAX_NS ? work_ns : WORK_SAMPLE_MAX_NS, AVERAGE_SHARE);
}

void vt__admission_turned(struct vt__admission *admission, int64_t turn_ns, int64_t work_ns)
{
    double sample = work_ns > 0 ? (double)turn_ns / (double)work_ns : STRETCH_MAX;
    sample = sample < 1 ? 1 : sample > STRETCH_MAX ? STRETCH_MAX : sample;
    admission->stretch += (sample - admission->stretch) * STRETCH_SHARE;
}

bool vt__admission_drop(struct vt__admission *admission, struct vt__waiting *call)
{
    if (call->state != VT__QUEUED)
        return false;
    take_out(&admission->queues[call->class], call);
    return true;
}

void vt__admission_leave(struct vt__admission *admission, struct vt__waiting *call, int64_t now_ns)
{
    vt__admission_drop(admission, call);
    if (call->state != VT__STARTED)
        return;
    struct vt__method_load *method = &admission->methods[call->method];
    int64_t latency_ns = now_ns - call->started_ns;
    vt__limit_observe(&method->limit, latency_ns, method->n_started);
    method->latency_ns = averaged(method->latency_ns, latency_ns, AVERAGE_SHARE);
    int64_t since_ns = method->left_ns > call->started_ns ? method->left_ns : call->started_ns;
    method->pace_ns = averaged(method->pace_ns, now_ns - since_ns, PACE_SHARE);
    method->left_ns = now_ns;
    method->n_started--;
    admission->n_started--;
    call->state = VT__AWAY;
}
