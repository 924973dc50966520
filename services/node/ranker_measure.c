/*
 * Each thread has a ranking service of its own for each way to ask: its profile port answers with
 * the history of whoever is asked about, the rest is what `vitrine serve` runs. Answers are kept by
 * customer, so the numbers do not depend on who asked.
 */
#include "services/node/ranker_measure.h"

#include "models/kernels/parallel.h"
#include "services/node/serve_options.h"
#include "services/ranking/ranking.h"

#include <math.h>
#include <stdlib.h>

enum { PEOPLE_AT_ONCE = 16, ARENA_BYTES = 4 << 20, NO_DIVERSITY = 1 };
enum way { WITH_RANKER, WITHOUT_RANKER, N_WAYS };

struct asker {
    const struct vt_ranker_people *people;
    const struct vt_ranker_person *person; /* who is asked about */
    struct vt_ranking_service *services[N_WAYS];
    struct vt_arena arena;
};

struct measuring {
    const struct vt_ranker_people *people;
    const struct vt_calibration *calibration;
    uint32_t k;
    struct asker *askers;  /* one a thread */
    struct vt_err *errors; /* one a block */
    double *recall[N_WAYS], *ndcg[N_WAYS];
    float *probabilities, *labels; /* people × k, of WITH_RANKER; NaN: no answer in that place */
};

/* ---- asking ---- */

static void tell_history(void *self, struct vt_request *request, const struct vt_profile_key *key,
                         uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done,
                         void *ctx)
{
    (void)request, (void)key, (void)max_events, (void)deadline_ns;
    const struct asker *asker = self;
    const struct vt_profile_view view = {.found = true,
                                         .consent = true,
                                         .events = asker->people->events + asker->person->first,
                                         .n_events = asker->person->n_events};
    done(ctx, vt_ok(), &view);
}

static struct vt_err make_service(const struct vt_ranker_past *past, enum way way,
                                  struct asker *asker)
{
    struct vt_ranking_options options = {
        .profile = {.self = asker, .get = tell_history},
        .candidate = vt_candidate_local_port(past->candidates),
        .bundles = past->bundles,
        .items = past->items,
        .clock = &past->clock.clock,
        .diversity = NO_DIVERSITY,
    };
    vt_serve_default_source_weights(options.source_weights);
    if (way == WITHOUT_RANKER)
        options.source_weights[VT_SOURCE_RANKER] = 0;
    return vt_ranking_service_new(&options, &asker->services[way]);
}

struct reading {
    struct measuring *measuring;
    uint32_t place; /* of the person */
    enum way way;
    struct vt_err err;
};

/* ---- what an answer is worth ---- */

static void keep_probability(const struct measuring *measuring, uint32_t place, uint32_t rank,
                             const struct vt_ranked_item *item, bool wanted)
{
    const size_t at = (size_t)place * measuring->k + rank;
    if ((item->sources >> VT_SOURCE_RANKER & 1) == 0)
        return;
    measuring->probabilities[at] =
        vt_calibration_apply(measuring->calibration, (float)item->source_scores[VT_SOURCE_RANKER]);
    measuring->labels[at] = wanted ? 1 : 0;
}

static double ideal_gain(uint32_t n_wanted, uint32_t k)
{
    double gain = 0;
    for (uint32_t rank = 0; rank < n_wanted && rank < k; rank++)
        gain += 1 / log2((double)rank + 2);
    return gain;
}

static void on_answer(void *ctx, struct vt_err err, const struct vt_ranking_answer *answer)
{
    struct reading *reading = ctx;
    const struct measuring *measuring = reading->measuring;
    const struct vt_ranker_person *person = &measuring->people->list[reading->place];
    double gain = 0;
    uint32_t n_hits = 0;
    reading->err = err;
    for (uint32_t rank = 0; !vt_failed(err) && rank < answer->n; rank++) {
        bool wanted = vt_ranker_wanted(measuring->people, person, answer->items[rank].number);
        n_hits += wanted ? 1 : 0;
        gain += wanted ? 1 / log2((double)rank + 2) : 0;
        if (reading->way == WITH_RANKER)
            keep_probability(measuring, reading->place, rank, &answer->items[rank], wanted);
    }
    measuring->recall[reading->way][reading->place] = (double)n_hits / person->n_wanted;
    measuring->ndcg[reading->way][reading->place] =
        gain / ideal_gain(person->n_wanted, measuring->k);
}

static struct vt_err ask(struct measuring *measuring, uint32_t place, enum way way,
                         struct asker *asker)
{
    struct vt_request request = {.arena = &asker->arena, .deadline_ns = INT64_MAX};
    const struct vt_ranking_query query = {.mode = VT_RANKING_RECOMMEND,
                                           .who = {.customer_id = vt_slice_str("somebody")},
                                           .n = measuring->k,
                                           .diversity = NO_DIVERSITY};
    struct reading reading = {.measuring = measuring, .place = place, .way = way};
    asker->person = &measuring->people->list[place];
    vt_arena_reset(&asker->arena);
    vt_ranking_run(asker->services[way], &request, &query, on_answer, &reading);
    return reading.err; /* both ports finish inline, and so has the answer */
}

static void ask_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct measuring *measuring = ctx;
    uint32_t first = block * PEOPLE_AT_ONCE, end = first + PEOPLE_AT_ONCE;
    struct vt_err err = vt_ok();
    for (uint32_t p = first; p < end && p < measuring->people->n; p++)
        for (unsigned way = 0; way < N_WAYS && !vt_failed(err); way++)
            err = ask(measuring, p, way, &measuring->askers[thread]);
    measuring->errors[block] = err;
}

static struct vt_err ask_all(struct measuring *measuring, uint32_t threads)
{
    const uint32_t n_blocks = (measuring->people->n + PEOPLE_AT_ONCE - 1) / PEOPLE_AT_ONCE;
    struct vt_err err = vt_ok();
    measuring->errors = calloc((size_t)n_blocks + 1, sizeof *measuring->errors);
    VT_CHECK(measuring->errors != NULL, VT_EXHAUSTED, "out of memory to measure a ranker");
    vt_parallel(n_blocks, threads, ask_block, measuring);
    for (uint32_t block = 0; block < n_blocks && !vt_failed(err); block++)
        err = measuring->errors[block];
    free(measuring->errors);
    return err;
}

/* ---- the numbers ---- */

static struct vt_err measure_calibration(struct measuring *measuring, double *ret_error)
{
    uint32_t n = 0;
    const size_t n_places = (size_t)measuring->people->n * measuring->k;
    for (size_t i = 0; i < n_places; i++)
        if (!isnan(measuring->probabilities[i])) {
            measuring->probabilities[n] = measuring->probabilities[i];
            measuring->labels[n++] = measuring->labels[i];
        }
    *ret_error = (double)NAN;
    return n > 0 ? vt_calibration_error(measuring->probabilities, measuring->labels, n, ret_error)
                 : vt_ok();
}

static struct vt_err compare(struct measuring *measuring, uint32_t threads,
                             struct vt_ranker_measured *measured)
{
    struct vt_bootstrap_options bootstrap;
    const uint32_t n = measuring->people->n;
    vt_bootstrap_options_default(&bootstrap);
    bootstrap.threads = threads;
    VT_TRY(vt_bootstrap_paired(measuring->recall[WITH_RANKER], measuring->recall[WITHOUT_RANKER], n,
                               &bootstrap, &measured->recall));
    VT_TRY(vt_bootstrap_paired(measuring->ndcg[WITH_RANKER], measuring->ndcg[WITHOUT_RANKER], n,
                               &bootstrap, &measured->ndcg));
    return measuring->calibration->n > 0
               ? measure_calibration(measuring, &measured->calibration_error)
               : vt_ok();
}

/* ---- life ---- */

static struct vt_err prepare(const struct vt_ranker_past *past, uint32_t threads,
                             struct measuring *measuring)
{
    const size_t n = (size_t)measuring->people->n + 1, n_places = n * measuring->k;
    bool got = true;
    measuring->askers = calloc(threads, sizeof *measuring->askers);
    measuring->probabilities = malloc(n_places * sizeof(float));
    measuring->labels = calloc(n_places, sizeof(float));
    for (unsigned way = 0; way < N_WAYS; way++) {
        measuring->recall[way] = calloc(n, sizeof(double));
        measuring->ndcg[way] = calloc(n, sizeof(double));
        got = got && measuring->recall[way] != NULL && measuring->ndcg[way] != NULL;
    }
    VT_CHECK(got && measuring->askers != NULL && measuring->probabilities != NULL &&
                 measuring->labels != NULL,
             VT_EXHAUSTED, "out of memory to measure a ranker");
    for (size_t i = 0; i < n_places; i++)
        measuring->probabilities[i] = NAN;
    for (uint32_t t = 0; t < threads; t++) {
        struct asker *asker = &measuring->askers[t];
        asker->people = measuring->people;
        VT_CHECK(vt_arena_init_owned(&asker->arena, ARENA_BYTES), VT_EXHAUSTED,
                 "out of memory to measure a ranker");
        for (unsigned way = 0; way < N_WAYS; way++)
            VT_TRY(make_service(past, way, asker));
    }
    return vt_ok();
}

static void finish(uint32_t threads, struct measuring *measuring)
{
    for (uint32_t t = 0; measuring->askers != NULL && t < threads; t++) {
        vt_arena_fini(&measuring->askers[t].arena);
        for (unsigned way = 0; way < N_WAYS; way++)
            vt_ranking_service_free(measuring->askers[t].services[way]);
    }
    for (unsigned way = 0; way < N_WAYS; way++) {
        free(measuring->recall[way]);
        free(measuring->ndcg[way]);
    }
    free(measuring->askers);
    free(measuring->probabilities);
    free(measuring->labels);
}

struct vt_err vt_ranker_measure(const struct vt_ranker_past *past,
                                const struct vt_ranker_people *people,
                                const struct vt_calibration *calibration, uint32_t k,
                                uint32_t threads, struct vt_ranker_measured *ret_measured)
{
    struct measuring measuring = {.people = people, .calibration = calibration, .k = k};
    struct vt_ranker_measured measured = {.calibration_error = (double)NAN};
    struct vt_err err = prepare(past, threads, &measuring);
    if (!vt_failed(err))
        err = ask_all(&measuring, threads);
    if (!vt_failed(err))
        err = compare(&measuring, threads, &measured);
    finish(threads, &measuring);
    if (!vt_failed(err))
        *ret_measured = measured;
    return err;
}
