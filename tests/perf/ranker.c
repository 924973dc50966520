/*
 * vitrine-bench ranker: what a learned ranker costs an answer: making the rows of its candidates,
 * and asking its trees about them, beside the walk from node to node that any tree could be asked
 * by. Trees and rows are random, so that no branch can be predicted; processor time, the best of
 * many rounds.
 */
#include "models/dataset/mix.h"
#include "models/rank/row.h"
#include "models/rank/trees_internal.h"
#include "services/node/command.h"
#include "tests/perf/bench.h"
#include "tests/perf/samples.h"

#include <math.h>
#include <stdlib.h>

struct ranker_options {
    uint32_t trees, depth, candidates;
};

#define AT(field_) offsetof(struct ranker_options, field_)
static const struct vt_option option_table[] = {
    {.name = "trees",
     .kind = VT_OPTION_U32,
     .offset = AT(trees),
     .argument = "N",
     .help = "full trees",
     .fallback = "60",
     .min = 1,
     .max = 1000,
     .flag_only = true},
    {.name = "depth",
     .kind = VT_OPTION_U32,
     .offset = AT(depth),
     .argument = "N",
     .help = "levels of splits",
     .fallback = "4",
     .min = 1,
     .max = 8,
     .flag_only = true},
    {.name = "candidates",
     .kind = VT_OPTION_U32,
     .offset = AT(candidates),
     .argument = "N",
     .help = "of an answer",
     .fallback = "200",
     .min = 1,
     .max = 2000,
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine-bench ranker",
    .summary = "measures what ranking by trees adds to an answer",
    .example = "vitrine-bench ranker --trees 60 --depth 4 --candidates 200",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

enum { ROUNDS = 300 };

struct ranker_bench {
    const struct ranker_options *options;
    struct vt_rank_features features;
    struct vt_rank_customer customer;
    struct vt_rank_bests bests;
    struct vt_rank_candidate *candidates;
    uint32_t *starts, *nodes;
    float *values, *rows, *scores;
    uint64_t seed;
};

static double uniform(struct ranker_bench *bench)
{
    bench->seed += VT_MIX64_STEP;
    return (double)(vt_mix64(bench->seed) >> 11) * 0x1p-53;
}

static void make_trees(struct ranker_bench *bench)
{
    const uint32_t n_nodes = (2U << bench->options->depth) - 1, n_splits = n_nodes / 2;
    for (uint32_t i = 0; i < bench->options->trees * n_nodes; i++) {
        const uint32_t start = i - i % n_nodes, place = i % n_nodes;
        uint32_t *node = bench->nodes + (size_t)i * VT_TREES_NODE_WORDS;
        bench->values[i] = (float)(2 * uniform(bench) - 1);
        if (place >= n_splits)
            continue;
        node[0] = (uint32_t)(uniform(bench) * bench->features.n);
        node[1] = start + 2 * place + 1;
        node[2] = start + 2 * place + 2;
        node[3] = uniform(bench) < 0.5;
    }
    for (uint32_t tree = 0; tree <= bench->options->trees; tree++)
        bench->starts[tree] = tree * n_nodes;
}

static void make_candidates(struct ranker_bench *bench)
{
    for (uint32_t i = 0; i < bench->options->candidates; i++) {
        struct vt_rank_candidate *candidate = &bench->candidates[i];
        for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++)
            candidate->scores[s] = uniform(bench) < 0.2 ? (double)NAN : 2 * uniform(bench) - 1;
        candidate->price = 1 + 100 * uniform(bench);
        candidate->create_time_ms = 1 + (int64_t)(1e12 * uniform(bench));
    }
    vt_rank_bests_add(bench->candidates, bench->options->candidates, &bench->bests);
    bench->customer = (struct vt_rank_customer){INT64_C(2000000000000), 1, 0.5, 2};
}

static void make_rows(struct ranker_bench *bench)
{
    vt_rank_rows(&bench->features, &bench->customer, &bench->bests, bench->candidates,
                 bench->options->candidates, bench->rows);
}

static struct vt_trees trees_of(const struct ranker_bench *bench)
{
    return (struct vt_trees){bench->options->trees, bench->starts, bench->nodes, bench->values};
}

static void ask(struct ranker_bench *bench)
{
    const struct vt_trees trees = trees_of(bench);
    vt_trees_predict(&trees, bench->rows, bench->options->candidates, bench->features.n,
                     bench->scores);
}

static void walk(struct ranker_bench *bench)
{
    const struct vt_trees trees = trees_of(bench);
    vt__trees_walk(&trees, bench->rows, bench->options->candidates, bench->features.n,
                   bench->scores);
}

/* Microseconds of processor time, of the best round. */
static double measure(struct ranker_bench *bench, void (*work)(struct ranker_bench *bench))
{
    double best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = bench_thread_cpu_ns();
        work(bench);
        best = fmin(best, (double)(bench_thread_cpu_ns() - begin_ns) / 1e3);
    }
    return best;
}

static bool allocate(struct ranker_bench *bench)
{
    const size_t n_nodes = (size_t)bench->options->trees * (2U << bench->options->depth);
    const size_t n = bench->options->candidates;
    bench->candidates = calloc(n, sizeof *bench->candidates);
    bench->starts = calloc((size_t)bench->options->trees + 1, sizeof *bench->starts);
    bench->nodes = calloc(n_nodes * VT_TREES_NODE_WORDS, sizeof *bench->nodes);
    bench->values = calloc(n_nodes, sizeof *bench->values);
    bench->rows = calloc(n * VT_RANK_FEATURES_MAX, sizeof *bench->rows);
    bench->scores = calloc(n, sizeof *bench->scores);
    return bench->candidates != NULL && bench->starts != NULL && bench->nodes != NULL &&
           bench->values != NULL && bench->rows != NULL && bench->scores != NULL;
}

static struct vt_err run(struct ranker_bench *bench)
{
    vt_rank_features_all(&bench->features);
    VT_CHECK(allocate(bench), VT_EXHAUSTED, "out of memory");
    make_trees(bench);
    make_candidates(bench);
    const double rows_us = measure(bench, make_rows), trees_us = measure(bench, ask);
    const double walk_us = measure(bench, walk);
    return vt_command_print_json(json_pack(
        "{s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "trees", (json_int_t)bench->options->trees, "depth",
        (json_int_t)bench->options->depth, "candidates", (json_int_t)bench->options->candidates,
        "rows_us", rows_us, "trees_us", trees_us, "walk_us", walk_us, "ns_per_candidate",
        (rows_us + trees_us) * 1e3 / bench->options->candidates));
}

static int run_ranker(void *target, const struct vt_options *options)
{
    (void)options;
    struct ranker_bench bench = {.options = target, .seed = 1};
    struct vt_err err = run(&bench);
    free(bench.candidates);
    free(bench.starts);
    free(bench.nodes);
    free(bench.values);
    free(bench.rows);
    free(bench.scores);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, NULL) : VT_EXIT_DONE;
}

int bench_ranker(int argc, char **argv)
{
    struct ranker_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_ranker);
}
