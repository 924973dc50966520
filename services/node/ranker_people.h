#ifndef VT_NODE_RANKER_PEOPLE_H
#define VT_NODE_RANKER_PEOPLE_H

#include "models/dataset/dataset.h"
#include "models/dataset/interactions.h"

/*
 * Customers at a moment: the history that serving would have had of each, and what each wanted
 * afterwards. The two come from different lists, so a history cannot hold what came later.
 */
struct vt_ranker_person {
    uint64_t user;
    uint64_t hash;                   /* seeded; decides which part of a split a customer is in */
    uint32_t first, n_events;        /* of `events`, newest first */
    uint32_t first_wanted, n_wanted; /* of `wanted`, ascending */
};

struct vt_ranker_people {
    struct vt_ranker_person *list; /* owned, by hash */
    struct vt_history_event *events;
    uint32_t *wanted; /* item numbers, each once; what the history has is not among them */
    uint32_t n;
};

struct vt_ranker_people_options {
    const float *event_weights; /* above 0: wanted, unless it is a dislike */
    uint32_t history_max;       /* newest events of a customer that serving knows */
    uint32_t people_max;        /* of those with a history and something wanted, by hash */
    uint64_t seed;
};

/* `known` before the moment, `later` behind it; any order. Same input, same bytes. Owned result, n
 * may be 0. VT_EXHAUSTED. O(n log n). */
VT_MUST_USE struct vt_err vt_ranker_people_make(const struct vt_interaction *known,
                                                uint64_t n_known,
                                                const struct vt_interaction *later,
                                                uint64_t n_later,
                                                const struct vt_ranker_people_options *options,
                                                struct vt_ranker_people *ret_people);
void vt_ranker_people_free(struct vt_ranker_people *people); /* zeroed is allowed */

/* Whether the person wanted the item afterwards. O(log n_wanted). */
bool vt_ranker_wanted(const struct vt_ranker_people *people, const struct vt_ranker_person *person,
                      uint32_t item);

#endif
