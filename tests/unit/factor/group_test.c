#include "models/factor/ials.h"
#include "models/group/group.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 700, ITEMS = 500, RANKS_MAX = 4 };

/* A group of threads: a place for one message from each rank to each. */
struct room {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        const void *bytes;
        size_t size;
    } posts[RANKS_MAX][RANKS_MAX];
};

struct member {
    struct room *room;
    uint32_t rank;
};

static struct vt_err room_swap(void *self, uint32_t to, const void *sent, size_t sent_bytes,
                               uint32_t from, void *ret_received, size_t received_bytes)
{
    const struct member *member = self;
    struct room *room = member->room;
    pthread_mutex_lock(&room->lock);
    if (sent_bytes > 0) {
        room->posts[member->rank][to].bytes = sent;
        room->posts[member->rank][to].size = sent_bytes;
        pthread_cond_broadcast(&room->changed);
    }
    if (received_bytes > 0) {
        while (room->posts[from][member->rank].bytes == NULL)
            pthread_cond_wait(&room->changed, &room->lock);
        VT_ASSERT(room->posts[from][member->rank].size == received_bytes);
        memcpy(ret_received, room->posts[from][member->rank].bytes, received_bytes);
        room->posts[from][member->rank].bytes = NULL;
        pthread_cond_broadcast(&room->changed);
    }
    while (sent_bytes > 0 && room->posts[member->rank][to].bytes != NULL)
        pthread_cond_wait(&room->changed, &room->lock);
    pthread_mutex_unlock(&room->lock);
    return vt_ok();
}

struct place {
    pthread_t thread;
    struct member member;
    struct vt_group group;
    struct vt_err err;
};

static void *work(void *argument)
{
    struct place *place = argument;
    place->err = vt_ials_work(&place->group, 2);
    return NULL;
}

/* Popular items, customers with long and short histories, some dislikes, an item nobody wants and a
 * customer without events. */
static struct vt_sparse make_matrix(void)
{
    static struct vt_interaction list[USERS * ITEMS];
    struct vt_dataset_options options = {.event_weights[VT_EVENT_VIEW] = 1};
    struct vt_dataset dataset;
    uint64_t n = 0, state = 1;
    for (uint32_t user = 0; user < USERS; user++)
        for (uint32_t item = 0; item < ITEMS; item++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            const uint64_t chance = user % 50 == 0 ? 30 : 1 + 200 / (item + 5);
            if ((state >> 57) < chance || (user < 2 && item == ITEMS - 1))
                list[n++] = (struct vt_interaction){.user = user,
                                                    .item = item,
                                                    .type = VT_EVENT_VIEW,
                                                    .value = 1,
                                                    .time_ms = (int64_t)(state >> 40)};
        }
    assert_ok(vt_dataset_build(list, n, &options, NULL, &dataset));
    for (uint64_t e = 0; e < dataset.matrix.n_entries; e += 37)
        dataset.matrix.values[e] = -0.5F;
    free(dataset.user_ids);
    free(dataset.item_ids);
    return dataset.matrix;
}

static struct vt_ials_options options_of(uint32_t solver)
{
    struct vt_ials_options options;
    vt_ials_options_default(&options);
    options.factors = 19;
    options.iterations = 3;
    options.threads = 2;
    options.solver = solver;
    return options;
}

/* Trains `times` with this rank as 0 and threads as the others; keeps the last model. */
static void train_together(uint32_t n_ranks, uint32_t times, const struct vt_sparse *matrix,
                           struct vt_ials_options options, struct vt_ials_model *ret_model)
{
    struct room room = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct place places[RANKS_MAX];
    for (uint32_t rank = 0; rank < n_ranks; rank++) {
        struct place *place = &places[rank];
        *place = (struct place){.member = {&room, rank}};
        place->group = (struct vt_group){rank, n_ranks, &place->member, room_swap};
        if (rank > 0)
            assert_int_equal(pthread_create(&place->thread, NULL, work, place), 0);
    }
    options.group = &places[0].group;
    for (uint32_t time = 0; time < times; time++) {
        if (time > 0)
            vt_ials_model_free(ret_model);
        assert_ok(vt_ials_train(matrix, &options, NULL, ret_model));
    }
    if (n_ranks > 1)
        assert_ok(vt_ials_dismiss(&places[0].group));
    for (uint32_t rank = 1; rank < n_ranks; rank++) {
        pthread_join(places[rank].thread, NULL);
        assert_ok(places[rank].err);
    }
}

static void assert_same(const struct vt_ials_model *a, const struct vt_ials_model *b)
{
    assert_int_equal(a->n_items, b->n_items);
    assert_memory_equal(a->item_factors, b->item_factors,
                        (size_t)a->n_items * a->row_stride * sizeof(float));
    assert_memory_equal(a->gram, b->gram, (size_t)a->dim * a->dim * sizeof(double));
    assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
}

static void any_number_of_ranks_makes_the_same_bytes(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    for (uint32_t solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_model alone;
        struct vt_ials_options options = options_of(solver);
        assert_ok(vt_ials_train(&matrix, &options, NULL, &alone));
        for (uint32_t n_ranks = 1; n_ranks <= RANKS_MAX; n_ranks++) {
            struct vt_ials_model together;
            options.exchange_rows = n_ranks % 2 == 0 ? 40 : 0; /* many rounds, or one */
            train_together(n_ranks, 1, &matrix, options, &together);
            assert_same(&alone, &together);
            vt_ials_model_free(&together);
        }
        vt_ials_model_free(&alone);
    }
    vt_sparse_free(&matrix);
}

/* Keeps what it is shown, and ends training after the second iteration. */
struct seen {
    float *items;
    uint32_t iterations;
};

static bool keep_two(void *ctx, const struct vt_ials_progress *progress)
{
    struct seen *seen = ctx;
    const size_t size = (size_t)progress->n_items * progress->row_stride * sizeof *seen->items;
    free(seen->items);
    seen->items = malloc(size);
    memcpy(seen->items, progress->item_factors, size);
    return ++seen->iterations < 2;
}

static void rank_0_sees_all_items_and_ends_it_for_all(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = options_of(VT_IALS_CG);
    struct vt_ials_model alone, together;
    struct seen of_alone = {0}, of_together = {0};
    options.progress = keep_two;
    options.progress_ctx = &of_alone;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &alone));
    options.progress_ctx = &of_together;
    train_together(3, 1, &matrix, options, &together);
    assert_int_equal(of_together.iterations, 2);
    assert_memory_equal(of_alone.items, of_together.items,
                        (size_t)alone.n_items * alone.row_stride * sizeof(float));
    assert_same(&alone, &together);
    free(of_alone.items);
    free(of_together.items);
    vt_ials_model_free(&alone);
    vt_ials_model_free(&together);
    vt_sparse_free(&matrix);
}

static void ranks_take_part_in_one_training_after_the_other(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = options_of(VT_IALS_SUBSPACE);
    struct vt_ials_model first, warm, together;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &first));
    options.start_items = first.item_factors;
    options.start_stride = first.row_stride;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &warm));
    train_together(2, 2, &matrix, options, &together);
    assert_same(&warm, &together);
    vt_ials_model_free(&first);
    vt_ials_model_free(&warm);
    vt_ials_model_free(&together);
    vt_sparse_free(&matrix);
}

static void more_ranks_than_rows_leave_some_idle(void **state)
{
    (void)state;
    uint64_t starts[] = {0, 2, 3};
    uint32_t columns[] = {0, 1, 1};
    float values[] = {1, 1, 2};
    const struct vt_sparse matrix = {2, 2, 3, starts, columns, values};
    struct vt_ials_options options = options_of(VT_IALS_CHOLESKY);
    struct vt_ials_model alone, together;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &alone));
    train_together(4, 1, &matrix, options, &together);
    assert_same(&alone, &together);
    vt_ials_model_free(&alone);
    vt_ials_model_free(&together);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_makes_the_same_bytes),
        cmocka_unit_test(rank_0_sees_all_items_and_ends_it_for_all),
        cmocka_unit_test(ranks_take_part_in_one_training_after_the_other),
        cmocka_unit_test(more_ranks_than_rows_leave_some_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
