/* LinkIdentities through the domain: who becomes one customer, what follows them, what does not. */
#include "tests/unit/profile/fixture.h"

#include <sched.h>
#include <stdatomic.h>

static struct vt_identity id_of(const char *text)
{
    struct vt_identity identity = {.type = VT_IDENTITY_UNSPECIFIED};
    assert_true(vt_identity_parse(vt_slice_str(text), &identity));
    return identity;
}

enum { JOIN = 0, MERGE_MEMBERS = 1, UNLINK = 2, VALIDATE_ONLY = 4 };

/* The ids as one text: "member:ann device:d1". */
static struct vt_err try_link(struct fixture *f, const char *ids, unsigned how,
                              struct vt_link_result *result)
{
    static struct vt_identity identities[VT_LINK_IDENTITIES_MAX];
    struct vt_link link = {.identities = identities,
                           .merge_members = (how & MERGE_MEMBERS) != 0,
                           .unlink = (how & UNLINK) != 0};
    char *rest, *text = (char *)vt_arena_printf(&f->arena, "%s", ids).data;
    for (char *id = strtok_r(text, " ", &rest); id != NULL; id = strtok_r(NULL, " ", &rest))
        identities[link.n_identities++] = id_of(id);
    struct vt_profile_write write = f->write;
    write.validate_only = (how & VALIDATE_ONLY) != 0;
    vt_profile_link_identities(f->profile, &write, &link, result);
    return fixture_wait(f);
}

static struct vt_link_result join(struct fixture *f, const char *ids, unsigned how)
{
    struct vt_link_result result = {0};
    assert_ok(try_link(f, ids, how, &result));
    return result;
}

static void event_of(struct fixture *f, const char *id, const char *item)
{
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "", item);
    event.identity = id_of(id);
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
}

static struct vt_profile_view look(struct fixture *f, const char *id)
{
    struct vt_profile_key key = {.identity = id_of(id)};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(f->profile, &f->request, &key, VT_HISTORY_MAX, &view));
    return view;
}

static void describe(struct fixture *f, const char *id, int consent, const char *key,
                     const char *value)
{
    struct vt_attribute attribute = {vt_slice_str(key), vt_slice_str(value)};
    struct vt_customer customer = {.id = vt_slice_str(id),
                                   .consent = consent,
                                   .attributes = &attribute,
                                   .n_attributes = key != NULL};
    struct vt_upsert_result result;
    vt_profile_upsert_customers(f->profile, &f->write, &customer, 1, &result);
    assert_ok(fixture_wait(f));
}

static const char *attribute(const struct vt_profile_view *view, const char *key)
{
    static char text[64];
    for (uint32_t i = 0; i < view->customer.n_attributes; i++)
        if (vt_slice_equal(view->customer.attributes[i].key, vt_slice_str(key))) {
            snprintf(text, sizeof text, "%.*s", (int)view->customer.attributes[i].value.len,
                     view->customer.attributes[i].value.data);
            return text;
        }
    return "";
}

static void ids_of_three_channels_become_the_member(void **state)
{
    struct fixture *f = *state;
    event_of(f, "loyalty_card:4711@pos", "mug");
    event_of(f, "visitor:v1", "cup");
    event_of(f, "member:ann", "pot");
    struct vt_link_result result =
        join(f, "loyalty_card:4711@pos visitor:v1 member:ann device:d1@app", JOIN);
    assert_true(result.changed);
    assert_int_equal(result.n_merged, 2);
    assert_int_equal(result.n_added, 1);
    assert_int_equal(result.customer_number, 3); /* the member's, though not the oldest */
    static const char *const ids[] = {"loyalty_card:4711@pos", "visitor:v1", "member:ann",
                                      "device:d1@app"};
    for (size_t i = 0; i < 4; i++) {
        struct vt_profile_view view = look(f, ids[i]);
        assert_int_equal(view.customer_number, 3);
        assert_int_equal(view.n_events, 3);
        assert_true(vt_slice_equal(view.customer.id, vt_slice_str("ann")));
    }
    assert_int_equal(look(f, "device:d1@app").customer_number, 3);
    assert_false(look(f, "device:d1").found); /* another id than that of the app */
}

static void linking_twice_is_nothing(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    join(f, "visitor:v1 device:d1", JOIN);
    event_of(f, "member:bob", "mug"); /* the mention of an item takes a sequence too */
    uint64_t before = fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "bob", "mug")).sequence;
    struct vt_link_result again = join(f, "device:d1 visitor:v1 device:d1", JOIN);
    assert_false(again.changed);
    assert_int_equal(again.customer_number, 1);
    uint64_t after = fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "bob", "mug")).sequence;
    assert_int_equal(after, before + 1); /* it took no sequence */
}

static void events_after_a_link_go_to_the_survivor(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    event_of(f, "visitor:v2", "mug");
    join(f, "visitor:v2 visitor:v1", JOIN);
    vt_clock_fake_advance_ms(&f->clock, 1000);
    event_of(f, "visitor:v2", "pot"); /* known to the writer's cache as customer 2 */
    assert_int_equal(look(f, "visitor:v1").n_events, 3);
    assert_int_equal(look(f, "visitor:v2").customer_number, 1);
    fixture_open(f);
    assert_int_equal(look(f, "visitor:v2").n_events, 3);
}

static void two_ids_of_one_customer_in_one_batch_make_one_history(void **state)
{
    struct fixture *f = *state;
    join(f, "visitor:v1 device:d1", JOIN);
    struct vt_event events[2] = {fixture_event(f, VT_EVENT_VIEW, "", "mug"),
                                 fixture_event(f, VT_EVENT_VIEW, "", "cup")};
    events[0].identity = id_of("visitor:v1");
    events[1].identity = id_of("device:d1");
    struct vt_event_result results[2];
    vt_profile_write_events(f->profile, &f->write, events, 2, results);
    assert_ok(fixture_wait(f));
    assert_int_equal(look(f, "device:d1").n_events, 2);
}

static void two_members_need_the_flag(void **state)
{
    struct fixture *f = *state;
    event_of(f, "member:ann", "mug");
    event_of(f, "member:bob", "cup");
    struct vt_link_result result;
    assert_code(try_link(f, "member:ann member:bob", JOIN, &result), VT_PRECONDITION);
    assert_string_equal(f->diag.field, "merge_members");
    assert_int_equal(look(f, "member:bob").customer_number, 2);
    /* also when the second is not known yet, or comes by another id */
    assert_code(try_link(f, "member:ann member:eve", JOIN, &result), VT_PRECONDITION);
    join(f, "member:bob device:d1", JOIN);
    assert_code(try_link(f, "member:ann device:d1", JOIN, &result), VT_PRECONDITION);
    result = join(f, "member:bob member:ann", MERGE_MEMBERS);
    assert_int_equal(result.customer_number, 1);
    assert_int_equal(look(f, "device:d1").n_events, 2);
    /* once merged they are one member */
    assert_false(join(f, "member:bob member:ann", JOIN).changed);
}

static void a_refused_link_leaves_the_writer_at_work(void **state)
{
    struct fixture *f = *state;
    struct vt_link_result result;
    assert_code(try_link(f, "member:ann@a member:bob@b", JOIN, &result), VT_PRECONDITION);
    event_of(f, "member:ann", "mug");
    assert_int_equal(look(f, "member:ann").n_events, 1);
}

static void validate_only_tells_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    struct vt_link_result result = join(f, "visitor:v1 device:d1", VALIDATE_ONLY);
    assert_true(result.changed);
    assert_int_equal(result.n_added, 1);
    assert_false(look(f, "device:d1").found);
    assert_code(try_link(f, "member:a member:b", VALIDATE_ONLY, &result), VT_PRECONDITION);
    join(f, "visitor:v1 device:d2", JOIN);
    assert_true(join(f, "visitor:v1", UNLINK | VALIDATE_ONLY).changed);
    assert_true(look(f, "visitor:v1").found);
}

static void the_number_of_identities_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct vt_identity many[VT_LINK_IDENTITIES_MAX + 1];
    char texts[VT_LINK_IDENTITIES_MAX + 1][16];
    struct vt_link_result result;
    for (unsigned i = 0; i <= VT_LINK_IDENTITIES_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "v%u", i);
        many[i] = (struct vt_identity){.type = VT_IDENTITY_VISITOR, .id = vt_slice_str(texts[i])};
    }
    const struct {
        uint32_t n;
        bool unlink;
        enum vt_code code;
    } rows[] = {{0, false, VT_INVALID},  {1, false, VT_INVALID}, {0, true, VT_INVALID},
                {17, false, VT_INVALID}, {17, true, VT_INVALID}, {1, true, VT_OK},
                {16, false, VT_OK}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_link link = {
            .identities = many, .n_identities = rows[i].n, .unlink = rows[i].unlink};
        vt_profile_link_identities(f->profile, &f->write, &link, &result);
        assert_int_equal(fixture_wait(f).code, rows[i].code);
    }
    many[3].id.len = 0;
    struct vt_link link = {.identities = many, .n_identities = 16};
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_code(fixture_wait(f), VT_INVALID);
    assert_string_equal(f->diag.field, "identities[3].id");
}

/* Links 16 at a time until the customer has n ids. */
static void grow(struct fixture *f, uint32_t n)
{
    struct vt_identity ids[VT_LINK_IDENTITIES_MAX];
    char texts[VT_LINK_IDENTITIES_MAX][16];
    struct vt_link_result result;
    ids[0] = id_of("member:ann");
    for (uint32_t made = 1; made < n;) {
        struct vt_link link = {.identities = ids, .n_identities = 1};
        for (; link.n_identities < VT_LINK_IDENTITIES_MAX && made < n; made++) {
            uint32_t i = link.n_identities++;
            snprintf(texts[i], sizeof texts[i], "d%u", made);
            ids[i] = (struct vt_identity){.type = VT_IDENTITY_DEVICE, .id = vt_slice_str(texts[i])};
        }
        vt_profile_link_identities(f->profile, &f->write, &link, &result);
        assert_ok(fixture_wait(f));
    }
}

static void a_customer_has_at_most_1000_ids(void **state)
{
    struct fixture *f = *state;
    struct vt_link_result result;
    grow(f, 999);
    assert_true(join(f, "member:ann visitor:last", JOIN).changed);
    assert_code(try_link(f, "member:ann visitor:more", JOIN, &result), VT_EXHAUSTED);
    assert_string_equal(f->diag.field, "identities");
    assert_int_equal(join(f, "device:d1", UNLINK).n_unlinked, 1);
    assert_true(join(f, "member:ann visitor:more", JOIN).changed);
}

static void of_two_consents_the_stricter_wins(void **state)
{
    struct fixture *f = *state;
    enum { SAID_NOTHING, GRANTED, DENIED };
    const struct {
        int ann, bob, expected; /* of two members */
    } rows[] = {
        {SAID_NOTHING, SAID_NOTHING, SAID_NOTHING},
        {SAID_NOTHING, GRANTED, GRANTED},
        {GRANTED, SAID_NOTHING, GRANTED},
        {SAID_NOTHING, DENIED, DENIED},
        {GRANTED, DENIED, DENIED},
        {DENIED, GRANTED, DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char a[16], b[16], ids[64];
        snprintf(a, sizeof a, "ann%zu", i);
        snprintf(b, sizeof b, "bob%zu", i);
        snprintf(ids, sizeof ids, "member:%s member:%s", a, b);
        describe(f, a, rows[i].ann, NULL, NULL);
        describe(f, b, rows[i].bob, NULL, NULL);
        join(f, ids, MERGE_MEMBERS);
        assert_int_equal(fixture_get(f, b).customer.consent, rows[i].expected);
    }
}

static void a_denial_that_comes_by_linking_deletes_the_history(void **state)
{
    struct fixture *f = *state;
    describe(f, "ann", 2, NULL, NULL);
    event_of(f, "visitor:v1", "cup");
    join(f, "visitor:v1 member:ann", JOIN);
    assert_false(look(f, "visitor:v1").consent);
    event_of(f, "visitor:v1", "mug");
    describe(f, "ann", 1, NULL, NULL);
    assert_int_equal(look(f, "visitor:v1").n_events, 0); /* neither the old nor the new is kept */
    event_of(f, "visitor:v1", "pot");
    assert_int_equal(look(f, "visitor:v1").n_events, 1);
}

static void a_members_denial_reaches_every_id(void **state)
{
    struct fixture *f = *state;
    join(f, "visitor:v1 member:ann", JOIN);
    event_of(f, "visitor:v1", "cup"); /* the writer's cache knows: may be kept */
    describe(f, "ann", 2, NULL, NULL);
    event_of(f, "visitor:v1", "mug");
    describe(f, "ann", 1, NULL, NULL);
    assert_int_equal(look(f, "visitor:v1").n_events, 0);
}

static void the_survivors_attributes_win_and_gaps_are_filled(void **state)
{
    struct fixture *f = *state;
    describe(f, "ann", 0, "city", "Bern");
    describe(f, "bob", 0, "city", "Basel");
    describe(f, "eve", 0, "tier", "gold");
    join(f, "member:eve member:bob member:ann", MERGE_MEMBERS);
    struct vt_profile_view view = fixture_get(f, "eve");
    assert_int_equal(view.customer.n_attributes, 2);
    assert_string_equal(attribute(&view, "city"), "Bern");
    assert_string_equal(attribute(&view, "tier"), "gold");
}

static void first_and_last_seen_span_all(void **state)
{
    struct fixture *f = *state;
    describe(f, "ann", 0, "a", "1");
    vt_clock_fake_advance_ms(&f->clock, 5000);
    describe(f, "bob", 0, "b", "2");
    join(f, "member:bob member:ann", MERGE_MEMBERS);
    struct vt_profile_view view = fixture_get(f, "bob");
    assert_int_equal(view.customer.first_seen_ms, FIXTURE_NOW_MS);
    assert_int_equal(view.customer.last_seen_ms, FIXTURE_NOW_MS + 5000);
}

static void unlinking_concerns_future_events_only(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    join(f, "visitor:v1 member:ann", JOIN);
    struct vt_link_result result = join(f, "visitor:v1", UNLINK);
    assert_true(result.changed);
    assert_int_equal(result.n_unlinked, 1);
    assert_int_equal(result.customer_number, 1);
    assert_false(look(f, "visitor:v1").found);
    assert_int_equal(fixture_get(f, "ann").n_events, 1); /* what was recorded stays */
    event_of(f, "visitor:v1", "mug");
    assert_int_equal(look(f, "visitor:v1").n_events, 1);
    assert_int_not_equal(look(f, "visitor:v1").customer_number, 1);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    assert_false(join(f, "device:nobody", UNLINK).changed);
}

static void a_customer_keeps_an_id_and_a_member_a_members(void **state)
{
    struct fixture *f = *state;
    struct vt_link_result result;
    event_of(f, "visitor:v1", "cup");
    assert_code(try_link(f, "visitor:v1", UNLINK, &result), VT_PRECONDITION);
    join(f, "visitor:v1 device:d1", JOIN);
    join(f, "visitor:v1", UNLINK);
    assert_true(vt_slice_equal(look(f, "device:d1").customer.id, vt_slice_str("d1")));
    join(f, "device:d1 member:ann", JOIN);
    assert_code(try_link(f, "member:ann", UNLINK, &result), VT_PRECONDITION);
    join(f, "member:ann member:bob", MERGE_MEMBERS);
    join(f, "member:ann", UNLINK);
    assert_true(vt_slice_equal(look(f, "device:d1").customer.id, vt_slice_str("bob")));
}

static void a_merged_customer_is_listed_no_more(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    event_of(f, "visitor:v2", "mug");
    join(f, "visitor:v1 visitor:v2", JOIN);
    struct vt_customer customers[4];
    uint64_t numbers[4];
    uint32_t n = 0;
    bool more = false;
    assert_ok(
        vt_profile_list_customers(f->profile, &f->request, 0, 4, customers, numbers, &n, &more));
    assert_int_equal(n, 1);
    assert_int_equal(numbers[0], 1);
}

struct learned {
    uint64_t customers[8];
    unsigned n;
};

static struct vt_err learn(void *ctx, const struct vt_logged_event *event)
{
    struct learned *learned = ctx;
    learned->customers[learned->n++] = event->customer_number;
    return vt_ok();
}

static void training_sees_one_customer_through_merges_of_merges(void **state)
{
    struct fixture *f = *state;
    event_of(f, "visitor:v1", "cup");
    event_of(f, "visitor:v2", "mug");
    event_of(f, "visitor:v3", "pot");
    event_of(f, "member:ann", "jug");
    join(f, "visitor:v2 visitor:v3", JOIN); /* 3 → 2 */
    join(f, "visitor:v1 visitor:v2", JOIN); /* 2 → 1, and so 3 → 1 */
    join(f, "visitor:v3 member:ann", JOIN); /* all → 4 */
    struct learned learned = {.n = 0};
    assert_ok(vt_profile_each_event(f->profile, learn, &learned));
    assert_int_equal(learned.n, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(learned.customers[i], 4);
    assert_int_equal(look(f, "visitor:v1").n_events, 4);
}

static void linking_creates_somebody_without_asking_for_a_default(void **state)
{
    struct fixture *f = *state;
    f->options.consent_default = false;
    fixture_open(f);
    event_of(f, "visitor:v1", "cup");
    assert_false(look(f, "visitor:v1").found); /* nothing is kept of who said nothing */
    assert_int_equal(join(f, "visitor:v1 member:ann", JOIN).customer_number, 1);
    assert_false(look(f, "visitor:v1").consent);
    describe(f, "ann", 1, NULL, NULL);
    event_of(f, "visitor:v1", "mug");
    assert_int_equal(look(f, "visitor:v1").n_events, 1);
}

static void an_identity_of_a_channel_too_many_is_nobodys(void **state)
{
    struct fixture *f = *state;
    static struct vt_event events[VT_EVENT_BATCH_MAX];
    static struct vt_event_result results[VT_EVENT_BATCH_MAX];
    for (unsigned i = 0; i < VT_EVENT_BATCH_MAX; i++) { /* as many as there may be channels */
        events[i] = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
        events[i].channel = vt_arena_printf(&f->arena, "channel %u", i);
    }
    vt_profile_write_events(f->profile, &f->write, events, VT_EVENT_BATCH_MAX, results);
    assert_ok(fixture_wait(f));
    event_of(f, "device:d1@one-more", "cup");
    assert_false(look(f, "device:d1@one-more").found);
    assert_false(look(f, "device:d1").found);
    struct vt_link_result result;
    assert_code(try_link(f, "member:ann device:d1@one-more", JOIN, &result), VT_EXHAUSTED);
}

/* ---- reading while it happens ---- */

struct reader {
    struct fixture *f;
    struct vt_profile_key key;
    atomic_bool stop;    /* relaxed: only ends the loop */
    atomic_uint n_looks; /* relaxed: merges begin after the first */
    unsigned n_lost;
};

/* The history of the id only grows: a look between two rows of a merge would find it empty. */
static void *read_on(void *context)
{
    struct reader *reader = context;
    struct vt_arena arena;
    struct vt_diag diag;
    uint32_t n_before = 1;
    assert_true(vt_arena_init_owned(&arena, 1 << 20));
    struct vt_request request = {.arena = &arena, .diag = &diag, .deadline_ns = INT64_MAX};
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed)) {
        struct vt_profile_view view;
        vt_arena_reset(&arena);
        assert_ok(
            vt_profile_get(reader->f->profile, &request, &reader->key, VT_HISTORY_MAX, &view));
        reader->n_lost += !view.found || view.n_events < n_before;
        n_before = view.n_events;
        atomic_fetch_add_explicit(&reader->n_looks, 1, memory_order_relaxed);
    }
    vt_arena_fini(&arena);
    return NULL;
}

static void a_reader_never_sees_half_a_merge(void **state)
{
    struct fixture *f = *state;
    enum { N_MERGES = 60 };
    struct reader reader = {.f = f, .key.identity = id_of("device:last")};
    pthread_t thread;
    for (unsigned i = 0; i < N_MERGES; i++) {
        char id[32];
        snprintf(id, sizeof id, "visitor:v%u", i);
        vt_clock_fake_advance_ms(&f->clock, 1);
        event_of(f, id, "mug");
    }
    vt_clock_fake_advance_ms(&f->clock, 1);
    event_of(f, "device:last", "cup");
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
    while (atomic_load_explicit(&reader.n_looks, memory_order_relaxed) == 0)
        sched_yield();
    for (unsigned i = N_MERGES; i-- > 0;) { /* each into the one before: the number changes */
        char ids[64];
        snprintf(ids, sizeof ids, "visitor:v%u device:last", i);
        assert_int_equal(join(f, ids, JOIN).n_merged, 1);
    }
    atomic_store_explicit(&reader.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    assert_int_equal(look(f, "device:last").n_events, N_MERGES + 1);
    assert_int_equal(reader.n_lost, 0);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(ids_of_three_channels_become_the_member),
        TEST(linking_twice_is_nothing),
        TEST(events_after_a_link_go_to_the_survivor),
        TEST(two_ids_of_one_customer_in_one_batch_make_one_history),
        TEST(two_members_need_the_flag),
        TEST(a_refused_link_leaves_the_writer_at_work),
        TEST(validate_only_tells_and_changes_nothing),
        TEST(the_number_of_identities_is_bounded),
        TEST(a_customer_has_at_most_1000_ids),
        TEST(of_two_consents_the_stricter_wins),
        TEST(a_denial_that_comes_by_linking_deletes_the_history),
        TEST(a_members_denial_reaches_every_id),
        TEST(the_survivors_attributes_win_and_gaps_are_filled),
        TEST(first_and_last_seen_span_all),
        TEST(unlinking_concerns_future_events_only),
        TEST(a_customer_keeps_an_id_and_a_member_a_members),
        TEST(a_merged_customer_is_listed_no_more),
        TEST(training_sees_one_customer_through_merges_of_merges),
        TEST(linking_creates_somebody_without_asking_for_a_default),
        TEST(an_identity_of_a_channel_too_many_is_nobodys),
        TEST(a_reader_never_sees_half_a_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
