#ifndef VT_RANKING_FANS_H
#define VT_RANKING_FANS_H

#include "services/candidate/candidate.h"
#include "services/profile/profile.h"

/*
 * Who would like an item: the customers for whom the model scores it highest, found by scoring it
 * for each of them with the code that answers storefronts. The score is the model's, in deviations
 * above its mean over all items for that customer, so it compares between customers. One thread.
 */
struct vt_fans;

enum { VT_FANS_MAX = 10000, VT_FANS_ITEMS_MAX = 100 };

struct vt_fans_query {
    const uint32_t *items; /* numbers, 1 to VT_FANS_ITEMS_MAX; copied */
    uint32_t n_items;
    uint32_t n;              /* customers wanted, 1 to VT_FANS_MAX */
    bool include_buyers;     /* else an item is not for those who bought it */
    struct vt_slice version; /* the model's that judges; copied; empty: there is none yet */
};

struct vt_fan {
    double score;
    uint64_t customer_number;
    uint32_t item; /* of those asked for the one with the highest score; ties to the lower number */
    char customer_id[VT_ID_BYTES_MAX + 1];
};

/* The service is borrowed. VT_EXHAUSTED without memory for 2 n fans. */
VT_MUST_USE struct vt_err vt_fans_new(struct vt_candidate_service *candidate,
                                      const struct vt_fans_query *query, struct vt_fans **ret_fans);
void vt_fans_free(struct vt_fans *fans); /* NULL is allowed */

/* Judges one customer; who gave no consent, has no history that the model knows, or dislikes or
 * bought every item is none. Customers come by ascending number, each once. Works in the request's
 * arena. VT_PRECONDITION: the version is not held any more; else as vt_candidate_get. */
VT_MUST_USE struct vt_err vt_fans_look(struct vt_fans *fans, struct vt_request *request,
                                       const struct vt_profile_view *view);
/* The fans, best first, ties by customer number: at most n. Until the next call. */
const struct vt_fan *vt_fans_best(struct vt_fans *fans, uint32_t *ret_n);

#endif
