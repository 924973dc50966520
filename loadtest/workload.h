#ifndef LOADTEST_WORKLOAD_H
#define LOADTEST_WORKLOAD_H

#include "loadtest/ids.h"
#include "loadtest/random.h"
#include "loadtest/zipf.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The calls that load can be made of. */
enum call_kind { CALL_RECOMMEND, CALL_RANK, CALL_SIMILAR, CALL_EVENTS, CALL_PROFILE, N_CALL_KINDS };

enum { WORKLOAD_RANK_MAX = 200 };

/* What is asked: kinds by weight, customers and items by Zipf. Immutable during a run. */
struct workload {
    uint32_t weights[N_CALL_KINDS], weights_sum;
    struct id_list customers, items;
    struct zipf customer_law, item_law;
    uint32_t n;         /* items, of a profile: events, to ask for */
    uint32_t rank_size; /* items that a Rank orders */
    uint64_t run_id;    /* part of event ids: another one in each run */
};

/* One call to make. */
struct workload_call {
    enum call_kind kind;
    struct vt_slice body;
    const char *customer; /* for the metadata vitrine-key; NULL: about nobody */
};

/* "recommend", "rank", "similar", "events", "profile". */
const char *workload_name(enum call_kind kind);
/* "/vitrine.v1.…/…" */
const char *workload_path(enum call_kind kind);
/* Of an OK answer: was it marked degraded? */
bool workload_is_degraded(enum call_kind kind, struct vt_slice answer);

/* Sets the weights from "recommend=80,similar=10,events=10"; VT_INVALID with the reason. */
VT_MUST_USE struct vt_err workload_parse_mix(const char *text, struct workload *workload,
                                             struct vt_diag *diag);
/* Does it draw items? */
bool workload_needs_items(const struct workload *workload);
/* Draws a call and serialises it. `serial` is new for every call of the run. Any thread, each with
 * its own random numbers and arena. */
VT_MUST_USE struct vt_err workload_draw(const struct workload *workload, struct load_random *random,
                                        uint64_t serial, struct vt_arena *arena,
                                        struct workload_call *ret_call);

#endif
