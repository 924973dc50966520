/*
 * People stand in the order of their parts and fill slots of one size on any thread; then the slots
 * are moved together, and columns that say nothing are taken out. Everything about a candidate
 * comes from the candidate service and services/ranking/features.c, so an example is what serving
 * would have seen, by construction.
 */
#include "services/node/ranker_examples.h"

#include "models/kernels/parallel.h"
#include "services/ranking/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEOPLE_AT_ONCE = 16,
    ARENA_BYTES = 2 << 20, /* 200 candidates and a history take a tenth of it */
    TENTHS = 10,
};

static enum vt_ranker_part part_of(const struct vt_ranker_person *person)
{
    unsigned tenth = (unsigned)(person->hash % TENTHS);
    return tenth == 9 ? VT_RANKER_CALIBRATE : tenth == 8 ? VT_RANKER_CHOOSE : VT_RANKER_LEARN;
}

struct slot {
    uint32_t n_rows, n_hits;
};

struct making {
    const struct vt_ranker_past *past;
    const struct vt_ranker_people *people;
    const struct vt_ranker_person **order; /* by part */
    struct vt_rank_features features;
    float *rows, *labels; /* VT_RANKER_CANDIDATES a slot */
    struct slot *slots;
    struct vt_arena *arenas; /* one a thread */
    struct vt_err *errors;   /* one a block */
};

/* ---- one customer ---- */

static struct vt_err ask(const struct making *making, const struct vt_ranker_person *person,
                         struct vt_arena *arena, struct vt_candidate_list *ret_list)
{
    struct vt_request request = {.arena = arena, .deadline_ns = INT64_MAX};
    const struct vt_candidate_query query = {.history = making->people->events + person->first,
                                             .n_history = person->n_events,
                                             .n = VT_RANKER_CANDIDATES};
    vt_arena_reset(arena);
    return vt_candidate_get(making->past->candidates, &request, &query, ret_list);
}

static struct vt_err fill_slot(const struct making *making, uint32_t place, struct vt_arena *arena)
{
    const struct vt_ranker_person *person = making->order[place];
    const size_t first = (size_t)place * VT_RANKER_CANDIDATES;
    struct vt_candidate_list found = {0};
    VT_TRY(ask(making, person, arena, &found));
    struct vt_bundle *bundle = vt_bundle_set_current(making->past->bundles);
    bool can = vt_ranking_can_rank(vt_bundle_view(bundle), found.candidates, found.n);
    vt_bundle_release(bundle);
    if (!can)
        return vt_ok(); /* serving would not ask the ranker either */
    struct vt_ranking_fact *facts = vt_arena_array(arena, found.n, sizeof *facts);
    VT_CHECK(facts != NULL, VT_EXHAUSTED, "out of memory for the examples of a ranker");
    struct vt_ranking_list list = {.candidates = found.candidates, .facts = facts, .n = found.n};
    struct vt_sight sight = {.items = making->past->items};
    unsigned ticket = vt_item_table_enter(making->past->items);
    vt_ranking_facts_read(&sight, found.candidates, found.n, facts);
    vt_ranking_list_make(&sight, making->people->events + person->first, person->n_events,
                         vt_clock_unix_ms(&making->past->clock.clock), &list);
    vt_ranking_list_rows(&list, &making->features, 0, found.n,
                         making->rows + first * making->features.n);
    vt_item_table_leave(making->past->items, ticket);
    struct slot *slot = &making->slots[place];
    slot->n_rows = found.n;
    for (uint32_t i = 0; i < found.n; i++) {
        bool wanted = vt_ranker_wanted(making->people, person, found.candidates[i].item);
        making->labels[first + i] = wanted ? 1 : 0;
        slot->n_hits += wanted ? 1 : 0;
    }
    return vt_ok();
}

static void fill_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct making *making = ctx;
    uint32_t first = block * PEOPLE_AT_ONCE, end = first + PEOPLE_AT_ONCE;
    struct vt_err err = vt_ok();
    for (uint32_t p = first; p < end && p < making->people->n && !vt_failed(err); p++)
        err = fill_slot(making, p, &making->arenas[thread]);
    making->errors[block] = err;
}

/* ---- all of them ---- */

static void put_in_order(struct making *making)
{
    uint32_t n = 0;
    for (unsigned part = 0; part < VT_RANKER_PARTS; part++)
        for (uint32_t p = 0; p < making->people->n; p++)
            if (part_of(&making->people->list[p]) == part)
                making->order[n++] = &making->people->list[p];
}

static struct vt_err fill_all(struct making *making, uint32_t threads)
{
    const uint32_t n_blocks = (making->people->n + PEOPLE_AT_ONCE - 1) / PEOPLE_AT_ONCE;
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the examples of a ranker");
    bool got = true;
    making->arenas = calloc(threads, sizeof *making->arenas);
    making->errors = calloc((size_t)n_blocks + 1, sizeof *making->errors);
    for (uint32_t t = 0; making->arenas != NULL && t < threads; t++)
        got = vt_arena_init_owned(&making->arenas[t], ARENA_BYTES) && got;
    if (making->arenas != NULL && making->errors != NULL && got) {
        vt_parallel(n_blocks, threads, fill_block, making);
        err = vt_ok();
    }
    for (uint32_t block = 0; block < n_blocks && !vt_failed(err); block++)
        err = making->errors[block];
    for (uint32_t t = 0; making->arenas != NULL && t < threads; t++)
        vt_arena_fini(&making->arenas[t]);
    free(making->arenas);
    free(making->errors);
    return err;
}

/* ---- moving together ---- */

static bool is_used(const struct slot *slot, enum vt_ranker_part part)
{
    return slot->n_rows > 0 && (slot->n_hits > 0 || part == VT_RANKER_CALIBRATE);
}

/* Closes the gaps between slots and between groups that are of use. */
static void move_together(const struct making *making, struct vt_ranker_examples *examples)
{
    const size_t n_features = making->features.n;
    size_t n_rows = 0, n_groups = 0;
    for (uint32_t p = 0; p < making->people->n; p++) {
        const struct slot *slot = &making->slots[p];
        const enum vt_ranker_part part = part_of(making->order[p]);
        const size_t first = (size_t)p * VT_RANKER_CANDIDATES;
        struct vt_boost_examples *view = &examples->part[part];
        if (!is_used(slot, part))
            continue;
        if (view->n_groups == 0)
            *view = (struct vt_boost_examples){.features = making->rows + n_rows * n_features,
                                               .labels = making->labels + n_rows,
                                               .group_sizes = examples->group_sizes + n_groups};
        memmove(making->rows + n_rows * n_features, making->rows + first * n_features,
                slot->n_rows * n_features * sizeof(float));
        memmove(making->labels + n_rows, making->labels + first, slot->n_rows * sizeof(float));
        examples->group_sizes[n_groups++] = slot->n_rows;
        n_rows += slot->n_rows;
        view->n_groups++;
        view->n_rows += slot->n_rows;
    }
}

/* ---- columns ---- */

static bool is_known(const struct vt_boost_examples *part, uint32_t n_features, uint32_t feature)
{
    for (size_t row = 0; row < part->n_rows; row++)
        if (!isnan(part->features[row * n_features + feature]))
            return true;
    return false;
}

/* A feature that no example has can split nothing, and serving must not wait for it. */
static void keep_known(struct vt_ranker_examples *examples, const struct vt_rank_features *all)
{
    size_t n_rows = 0, at = 0;
    uint32_t places[VT_RANK_FEATURES_MAX];
    struct vt_rank_features *kept = &examples->features;
    for (uint32_t f = 0; f < all->n; f++)
        if (is_known(&examples->part[VT_RANKER_LEARN], all->n, f)) {
            places[kept->n] = f;
            kept->ids[kept->n++] = all->ids[f];
        }
    for (unsigned part = 0; part < VT_RANKER_PARTS; part++) {
        examples->part[part].features = examples->rows + n_rows * kept->n;
        examples->part[part].n_features = kept->n;
        n_rows += examples->part[part].n_rows;
    }
    for (size_t row = 0; row < n_rows; row++) /* in place: never ahead of what is read */
        for (uint32_t f = 0; f < kept->n; f++)
            examples->rows[at++] = examples->rows[row * all->n + places[f]];
}

/* ---- the whole ---- */

static struct vt_err allocate(const struct vt_ranker_people *people, struct making *making,
                              struct vt_ranker_examples *examples)
{
    const size_t n_slots = (size_t)people->n + 1, n_rows = n_slots * VT_RANKER_CANDIDATES;
    examples->rows = calloc(n_rows, making->features.n * sizeof(float));
    examples->labels = calloc(n_rows, sizeof *examples->labels);
    examples->group_sizes = calloc(n_slots, sizeof *examples->group_sizes);
    making->order = calloc(n_slots, sizeof *making->order);
    making->slots = calloc(n_slots, sizeof *making->slots);
    making->rows = examples->rows;
    making->labels = examples->labels;
    VT_CHECK(examples->rows != NULL && examples->labels != NULL && examples->group_sizes != NULL &&
                 making->order != NULL && making->slots != NULL,
             VT_EXHAUSTED, "out of memory for the examples of a ranker");
    return vt_ok();
}

static struct vt_err make(struct making *making, uint32_t threads, struct vt_diag *diag,
                          struct vt_ranker_examples *examples)
{
    VT_TRY(allocate(making->people, making, examples));
    put_in_order(making);
    VT_TRY(fill_all(making, threads));
    move_together(making, examples);
    keep_known(examples, &making->features);
    if (examples->part[VT_RANKER_LEARN].n_groups > 0)
        return vt_ok();
    vt_diag_set(diag, "ranker",
                "none of %u customers wanted a candidate afterwards: there is nothing to learn",
                making->people->n);
    return VT_ERR(VT_INVALID, "there are no examples for a ranker");
}

struct vt_err vt_ranker_examples_make(const struct vt_ranker_past *past,
                                      const struct vt_ranker_people *people, uint32_t threads,
                                      struct vt_diag *diag, struct vt_ranker_examples *ret_examples)
{
    struct making making = {.past = past, .people = people};
    struct vt_ranker_examples examples = {0};
    vt_rank_features_all(&making.features);
    struct vt_err err = make(&making, threads, diag, &examples);
    free(making.order);
    free(making.slots);
    if (vt_failed(err))
        vt_ranker_examples_free(&examples);
    else
        *ret_examples = examples;
    return err;
}

void vt_ranker_examples_free(struct vt_ranker_examples *examples)
{
    free(examples->rows);
    free(examples->labels);
    free(examples->group_sizes);
    *examples = (struct vt_ranker_examples){0};
}
