/* Erasures, links and merges at once: each opens the store again while the writer's jobs iterate.
 */
#include "services/profile/erase.h"
#include "tests/unit/profile/fixture.h"

static const unsigned char audit_key[VT_AUDIT_KEY_BYTES] = "a key for tests";
enum { THREADS = 4, PERSONS = 12 };

static int setup(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    struct fixture *f = *state;
    f->options.audit_key = audit_key;
    fixture_open(f);
    return 0;
}

static struct vt_identity id_of(enum vt_identity_type type, const char *id)
{
    return (struct vt_identity){.type = type, .id = vt_slice_str(id)};
}

struct eraser {
    pthread_t thread;
    struct fixture *f;
    unsigned number, n_done;
};

static void *erase_some(void *ctx)
{
    static const struct vt_erasure erasure = {.now = true, .actor = "a test"};
    struct eraser *eraser = ctx;
    unsigned char memory[4096];
    struct vt_arena arena;
    struct vt_diag diag = {0};
    struct vt_request request = {.arena = &arena, .diag = &diag, .deadline_ns = INT64_MAX};
    vt_arena_init(&arena, memory, sizeof memory);
    for (unsigned i = eraser->number; i < PERSONS; i += THREADS) {
        char name[32];
        snprintf(name, sizeof name, "person-%u", i);
        struct vt_identity who = id_of(VT_IDENTITY_MEMBER, name);
        struct vt_erasure_result result = {.done = false};
        if (!vt_failed(vt_profile_erase(eraser->f->profile, &request, &who, &erasure, &result)))
            eraser->n_done += result.done ? 1 : 0;
    }
    return NULL;
}

static void join_two(struct fixture *f, const char *visitor, const char *member)
{
    struct vt_identity both[] = {id_of(VT_IDENTITY_VISITOR, visitor),
                                 id_of(VT_IDENTITY_MEMBER, member)};
    struct vt_link link = {.identities = both, .n_identities = 2};
    struct vt_link_result result;
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
}

static void make_person(struct fixture *f, const char *kind, unsigned number)
{
    char visitor[48], member[48];
    snprintf(visitor, sizeof visitor, "browser-of-%s-%u", kind, number);
    snprintf(member, sizeof member, "%s-%u", kind, number);
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "", "mug");
    event.visitor_id = vt_slice_str(visitor);
    fixture_write(f, event);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, member, "cup"));
    join_two(f, visitor, member);
}

static void all_are_erased_to_the_end_and_links_go_on(void **state)
{
    struct fixture *f = *state;
    struct eraser erasers[THREADS];
    unsigned n_done = 0;
    for (unsigned i = 0; i < PERSONS; i++)
        make_person(f, "person", i);
    for (unsigned i = 0; i < THREADS; i++) {
        erasers[i] = (struct eraser){.f = f, .number = i};
        assert_int_equal(pthread_create(&erasers[i].thread, NULL, erase_some, &erasers[i]), 0);
    }
    for (unsigned i = 0; i < PERSONS; i++)
        make_person(f, "other", i);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(erasers[i].thread, NULL);
        n_done += erasers[i].n_done;
    }
    assert_int_equal(n_done, PERSONS);
    for (unsigned i = 0; i < PERSONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "person-%u", i);
        assert_false(fixture_get(f, name).found);
        snprintf(name, sizeof name, "other-%u", i);
        assert_int_equal(fixture_get(f, name).n_events, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_erased_to_the_end_and_links_go_on, setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
