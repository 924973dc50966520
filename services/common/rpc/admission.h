#ifndef VT_RPC_ADMISSION_H
#define VT_RPC_ADMISSION_H

#include "services/common/base/err.h"
#include "services/common/rpc/limit.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Which calls a serving thread takes on, and in what order. Unary calls wait in a queue of ours,
 * not in gRPC's, where nobody sees how long they have waited. A call that would wait too long, or
 * could not be answered before its deadline, is refused when it comes. Everything here belongs to
 * one thread; nothing allocates after _init. docs/adr/0190.
 */

enum vt__class { VT__STOREFRONT, VT__BATCH, VT__N_CLASSES };

enum vt__verdict {
    VT__ADMITTED,
    VT__REFUSED_WAIT,     /* it would wait longer than its class may */
    VT__REFUSED_DEADLINE, /* it would be answered after its deadline */
    VT__REFUSED_LIMIT,    /* so many of its method are under way (limit.h) that it would be late */
    VT__N_VERDICTS
};

/* A call, as admission sees it; embedded in the call. */
struct vt__waiting {
    struct vt__waiting *next, *previous; /* while QUEUED */
    int64_t arrived_ns, started_ns;
    int64_t deadline_ns; /* INT64_MAX: none */
    int64_t work_ns;     /* what it counts for in the queue */
    uint32_t method;     /* index */
    enum vt__class class;
    enum { VT__AWAY, VT__QUEUED, VT__STARTED } state;
};

/* What is known about one method on this thread. */
struct vt__method_load {
    int64_t work_ns;    /* usual time that the thread is busy to begin one */
    int64_t latency_ns; /* usual time from begin to answer */
    int64_t pace_ns;    /* usual time from one answer to the next, while some are under way */
    int64_t left_ns;    /* when the last was answered */
    uint32_t n_started; /* under way */
    struct vt__limit limit;
};

struct vt__class_queue {
    struct vt__waiting *first, *last;
    int64_t work_ns; /* sum over the queue */
};

struct vt__admission {
    struct vt__class_queue queues[VT__N_CLASSES];
    struct vt__method_load *methods; /* owned */
    uint32_t n_methods, n_started;
    double stretch; /* time that passes for each unit of work: the thread does other things too */
};

/* VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt__admission_init(struct vt__admission *admission, uint32_t n_methods);
void vt__admission_fini(struct vt__admission *admission);

/* A call has come: queued when VT__ADMITTED. Its method, class, arrived_ns and deadline_ns are set;
 * it is AWAY. */
enum vt__verdict vt__admission_offer(struct vt__admission *admission, struct vt__waiting *call);
/* The same without queueing it. */
enum vt__verdict vt__admission_judge(const struct vt__admission *admission,
                                     const struct vt__waiting *call);
bool vt__admission_waits(const struct vt__admission *admission);
/* The next to begin, storefronts first, each class in order; NULL: none waits. When the verdict is
 * a refusal it was taken out of the queue and must be answered so; else it is STARTED. */
struct vt__waiting *vt__admission_take(struct vt__admission *admission, int64_t now_ns,
                                       enum vt__verdict *ret_verdict);
/* Beginning a call of the method kept the thread busy for so long. */
void vt__admission_worked(struct vt__admission *admission, uint32_t method, int64_t work_ns);
/* Of `turn_ns` that passed while calls waited, `work_ns` went into beginning calls. */
void vt__admission_turned(struct vt__admission *admission, int64_t turn_ns, int64_t work_ns);
/* Its caller has gone: true when it was QUEUED, and is out. */
bool vt__admission_drop(struct vt__admission *admission, struct vt__waiting *call);
/* It is over; any state. */
void vt__admission_leave(struct vt__admission *admission, struct vt__waiting *call, int64_t now_ns);

#endif
