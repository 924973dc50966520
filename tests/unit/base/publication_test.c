/* Readers keep what they took while it is replaced, and the last one frees it. */
#include "services/common/base/publication.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdlib.h>

enum { READERS = 3, SWAPS = 2000 };

struct thing {
    struct vt_published published; /* first */
    int value, double_of_it;
};

static atomic_int n_alive;

static void free_thing(struct vt_published *published)
{
    struct thing *thing = (struct thing *)published;
    thing->value = thing->double_of_it = -1;
    atomic_fetch_sub(&n_alive, 1);
    free(thing);
}

static struct thing *make(int value)
{
    struct thing *thing = calloc(1, sizeof *thing);
    assert_non_null(thing);
    vt_published_init(&thing->published, free_thing);
    thing->value = value;
    thing->double_of_it = 2 * value;
    atomic_fetch_add(&n_alive, 1);
    return thing;
}

static void nothing_is_taken_before_something_is_put(void **state)
{
    (void)state;
    struct vt_publication publication;
    vt_publication_init(&publication);
    assert_null(vt_publication_take(&publication));
    vt_published_release(NULL);
    vt_publication_fini(&publication);
}

static void what_is_held_outlives_its_replacement_and_the_end(void **state)
{
    (void)state;
    struct vt_publication publication;
    vt_publication_init(&publication);
    assert_ok(vt_publication_put(&publication, &make(1)->published));
    struct thing *first = (struct thing *)vt_publication_take(&publication);
    assert_ok(vt_publication_put(&publication, &make(2)->published));
    assert_int_equal(first->value, 1);
    struct thing *second = (struct thing *)vt_publication_take(&publication);
    assert_int_equal(second->value, 2);
    vt_publication_fini(&publication);
    assert_int_equal(second->double_of_it, 4);
    assert_int_equal(atomic_load(&n_alive), 2);
    vt_published_release(&first->published);
    vt_published_release(&second->published);
    assert_int_equal(atomic_load(&n_alive), 0);
}

static void more_than_the_slots_in_use_is_exhausted_until_one_is_given_back(void **state)
{
    (void)state;
    struct vt_publication publication;
    struct vt_published *held[VT_PUBLICATION_SLOTS];
    vt_publication_init(&publication);
    for (int i = 0; i < VT_PUBLICATION_SLOTS - 1; i++) {
        assert_ok(vt_publication_put(&publication, &make(i)->published));
        held[i] = vt_publication_take(&publication);
    }
    struct thing *one_more = make(99);
    assert_code(vt_publication_put(&publication, &one_more->published), VT_EXHAUSTED);
    vt_published_release(held[0]);
    assert_ok(vt_publication_put(&publication, &one_more->published));
    for (int i = 1; i < VT_PUBLICATION_SLOTS - 1; i++)
        vt_published_release(held[i]);
    vt_publication_fini(&publication);
    assert_int_equal(atomic_load(&n_alive), 0);
}

struct shared {
    struct vt_publication publication;
    atomic_bool stop;
    atomic_int n_torn;
};

static void *read_on(void *arg)
{
    struct shared *shared = arg;
    while (!atomic_load(&shared->stop)) {
        struct thing *thing = (struct thing *)vt_publication_take(&shared->publication);
        if (thing->double_of_it != 2 * thing->value || thing->value < 0)
            atomic_fetch_add(&shared->n_torn, 1);
        vt_published_release(&thing->published);
    }
    return NULL;
}

static void readers_never_see_a_freed_or_half_made_one(void **state)
{
    (void)state;
    struct shared shared = {0};
    pthread_t readers[READERS];
    vt_publication_init(&shared.publication);
    assert_ok(vt_publication_put(&shared.publication, &make(0)->published));
    for (int r = 0; r < READERS; r++)
        assert_int_equal(pthread_create(&readers[r], NULL, read_on, &shared), 0);
    for (int i = 1; i < SWAPS; i++) {
        struct thing *thing = make(i);
        while (vt_failed(vt_publication_put(&shared.publication, &thing->published)))
            ; /* readers were stopped holding old ones */
    }
    atomic_store(&shared.stop, true);
    for (int r = 0; r < READERS; r++)
        pthread_join(readers[r], NULL);
    vt_publication_fini(&shared.publication);
    assert_int_equal(atomic_load(&shared.n_torn), 0);
    assert_int_equal(atomic_load(&n_alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_before_something_is_put),
        cmocka_unit_test(what_is_held_outlives_its_replacement_and_the_end),
        cmocka_unit_test(more_than_the_slots_in_use_is_exhausted_until_one_is_given_back),
        cmocka_unit_test(readers_never_see_a_freed_or_half_made_one),
    };
    return cmocka_run_group_tests_name("base/publication", tests, NULL, NULL);
}
