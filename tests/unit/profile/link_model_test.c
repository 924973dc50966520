/*
 * Linking against a plain model in memory: random events, links, unlinks, consents and reopenings,
 * with fixed seeds. After each step every id is asked for, and now and then the whole log.
 */
#include "services/profile/alias.h"
#include "tests/unit/profile/fixture.h"

enum { N_IDS = 14, N_PERSONS_MAX = 2000, N_LOGGED_MAX = 8000, N_EVENTS_MAX = VT_HISTORY_MAX };

/* In the order of their keys, so that "the first that stays" is the lowest index. */
static const struct vt_identity ids[N_IDS] = {
#define ID(type_, channel_, id_)                                                                   \
    {                                                                                              \
        VT_IDENTITY_##type_, {channel_, sizeof(channel_) - 1},                                     \
        {                                                                                          \
            id_, 2                                                                                 \
        }                                                                                          \
    }
    ID(MEMBER, "", "m0"),          ID(MEMBER, "", "m1"),     ID(MEMBER, "", "m2"),
    ID(MEMBER, "", "m3"),          ID(VISITOR, "", "v0"),    ID(VISITOR, "", "v1"),
    ID(VISITOR, "", "v2"),         ID(VISITOR, "", "v3"),    ID(DEVICE, "app", "d0"),
    ID(DEVICE, "app", "d1"),       ID(EMAIL_HASH, "", "e0"), ID(LOYALTY_CARD, "pos", "c0"),
    ID(LOYALTY_CARD, "pos", "c1"), ID(SOCIAL, "app", "s0"),
};

/* ---- the model: persons by their numbers ---- */

struct person {
    unsigned into; /* that it became part of; 0: it is itself */
    unsigned name; /* index of the id that names it */
    int consent;
    unsigned withdrawn; /* of the events logged so far nobody learns */
    unsigned n_events;
    int64_t times_ms[N_EVENTS_MAX]; /* oldest first */
};

static struct model {
    unsigned next;         /* number of the next person */
    unsigned owner[N_IDS]; /* 0: nobody */
    struct person persons[N_PERSONS_MAX];
    unsigned logged[N_LOGGED_MAX]; /* as recorded */
    unsigned n_logged;
} model;

static bool is_member(unsigned person)
{
    return ids[model.persons[person].name].type == VT_IDENTITY_MEMBER;
}

static unsigned make_person(unsigned name)
{
    assert_in_range(model.next, 1, N_PERSONS_MAX - 1);
    model.persons[model.next].name = name;
    return model.next++;
}

static bool consents(unsigned person)
{
    return model.persons[person].consent != 2;
}

static void model_event(unsigned id, int64_t time_ms)
{
    if (model.owner[id] == 0)
        model.owner[id] = make_person(id);
    struct person *person = &model.persons[model.owner[id]];
    assert_in_range(model.n_logged, 0, N_LOGGED_MAX - 1);
    model.logged[model.n_logged++] = consents(model.owner[id]) ? model.owner[id] : 0;
    if (!consents(model.owner[id]))
        return;
    assert_in_range(person->n_events, 0, N_EVENTS_MAX - 1);
    person->times_ms[person->n_events++] = time_ms;
}

static void model_consent(unsigned id, int consent)
{
    bool is_new = model.owner[id] == 0;
    if (is_new)
        model.owner[id] = make_person(id);
    struct person *person = &model.persons[model.owner[id]];
    if (!is_new && person->consent != consent && (person->consent == 2 || consent == 2))
        person->withdrawn = model.n_logged;
    person->consent = consent;
    if (consent == 2)
        person->n_events = 0;
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void model_merge(unsigned from, unsigned to)
{
    struct person *old = &model.persons[from], *person = &model.persons[to];
    for (unsigned i = 0; i < old->n_events; i++) {
        assert_in_range(person->n_events, 0, N_EVENTS_MAX - 1);
        person->times_ms[person->n_events++] = old->times_ms[i];
    }
    qsort(person->times_ms, person->n_events, sizeof person->times_ms[0], compare_times);
    for (unsigned id = 0; id < N_IDS; id++)
        if (model.owner[id] == from)
            model.owner[id] = to;
    for (unsigned number = 1; number < model.next; number++)
        if (model.persons[number].into == from)
            model.persons[number].into = to;
    if (old->withdrawn > person->withdrawn)
        person->withdrawn = old->withdrawn;
    old->into = to;
}

/* The ids of a request, as a set of indexes in their order. */
struct chosen {
    unsigned ids[4], n;
};

/* Members of the request: known persons, and ids of members whom nobody knows. */
static unsigned count_members(const struct chosen *chosen)
{
    bool seen[N_PERSONS_MAX] = {false};
    unsigned n = 0;
    for (unsigned i = 0; i < chosen->n; i++) {
        unsigned person = model.owner[chosen->ids[i]];
        if (person == 0)
            n += ids[chosen->ids[i]].type == VT_IDENTITY_MEMBER;
        else if (!seen[person])
            n += is_member(person);
        seen[person] = true;
    }
    return n;
}

static unsigned choose_survivor(const struct chosen *chosen)
{
    unsigned best = 0;
    for (unsigned i = 0; i < chosen->n; i++) {
        unsigned person = model.owner[chosen->ids[i]];
        if (person == 0 || person == best)
            continue;
        bool before =
            best == 0 || (is_member(person) != is_member(best) ? is_member(person) : person < best);
        best = before ? person : best;
    }
    return best;
}

static unsigned choose_name(const struct chosen *chosen)
{
    for (unsigned i = 0; i < chosen->n; i++)
        if (ids[chosen->ids[i]].type == VT_IDENTITY_MEMBER)
            return chosen->ids[i];
    return chosen->ids[0];
}

static int strictest(const struct chosen *chosen)
{
    int consent = 0;
    for (unsigned i = 0; i < chosen->n; i++) {
        int other = model.persons[model.owner[chosen->ids[i]]].consent; /* nobody said nothing */
        consent = other > consent ? other : consent;
    }
    return consent;
}

/* Returns the survivor, or 0 where two members refuse. */
static unsigned model_link(const struct chosen *chosen, bool merge_members, bool *ret_changed)
{
    *ret_changed = false;
    if (count_members(chosen) > 1 && !merge_members)
        return 0;
    int consent = strictest(chosen);
    unsigned name = choose_name(chosen), survivor = choose_survivor(chosen);
    if (survivor == 0)
        survivor = make_person(name);
    if (!is_member(survivor) && ids[name].type == VT_IDENTITY_MEMBER)
        model.persons[survivor].name = name;
    for (unsigned i = 0; i < chosen->n; i++) {
        unsigned person = model.owner[chosen->ids[i]];
        *ret_changed = *ret_changed || person != survivor;
        if (person != 0 && person != survivor)
            model_merge(person, survivor);
        model.owner[chosen->ids[i]] = survivor;
    }
    model.persons[survivor].consent = consent;
    if (consent == 2)
        model.persons[survivor].n_events = 0;
    return survivor;
}

static bool is_chosen(const struct chosen *chosen, unsigned id)
{
    for (unsigned i = 0; i < chosen->n; i++)
        if (chosen->ids[i] == id)
            return true;
    return false;
}

/* The lowest id that stays with the person; N_IDS: none. */
static unsigned first_left(const struct chosen *chosen, unsigned person)
{
    for (unsigned id = 0; id < N_IDS; id++)
        if (model.owner[id] == person && !is_chosen(chosen, id))
            return id;
    return N_IDS;
}

static bool may_unlink(const struct chosen *chosen)
{
    for (unsigned i = 0; i < chosen->n; i++) {
        unsigned person = model.owner[chosen->ids[i]], left = first_left(chosen, person);
        if (person != 0 &&
            (left == N_IDS || (is_member(person) && ids[left].type != VT_IDENTITY_MEMBER)))
            return false;
    }
    return true;
}

static unsigned model_unlink(const struct chosen *chosen)
{
    unsigned n = 0;
    for (unsigned i = 0; i < chosen->n; i++) {
        unsigned person = model.owner[chosen->ids[i]];
        if (person == 0)
            continue;
        n++;
        if (is_chosen(chosen, model.persons[person].name))
            model.persons[person].name = first_left(chosen, person);
    }
    for (unsigned i = 0; i < chosen->n; i++)
        model.owner[chosen->ids[i]] = 0;
    return n;
}

/* ---- the store beside it ---- */

static uint64_t random_state;

static unsigned draw(unsigned bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % bound;
}

static struct chosen choose(unsigned least)
{
    struct chosen chosen = {.n = least + draw(4 - least + 1)};
    for (unsigned i = 0; i < chosen.n; i++) {
        do
            chosen.ids[i] = draw(N_IDS);
        while (is_chosen(&(struct chosen){{chosen.ids[0], chosen.ids[1], chosen.ids[2]}, i},
                         chosen.ids[i]));
    }
    return chosen;
}

static void write_events(struct fixture *f)
{
    struct vt_event events[6];
    struct vt_event_result results[6];
    unsigned n = 1 + draw(6);
    for (unsigned i = 0; i < n; i++) {
        unsigned id = draw(N_IDS);
        vt_clock_fake_advance_ms(&f->clock, 1); /* no two events are alike */
        events[i] = fixture_event(f, VT_EVENT_VIEW, "", "mug");
        events[i].identity = ids[id];
        model_event(id, events[i].time_ms);
    }
    vt_profile_write_events(f->profile, &f->write, events, n, results);
    assert_ok(fixture_wait(f));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(results[i].outcome, VT_EVENT_ACCEPTED);
}

static struct vt_err call(struct fixture *f, const struct chosen *chosen, bool merge_members,
                          bool unlink, struct vt_link_result *result)
{
    struct vt_identity named[4];
    for (unsigned i = 0; i < chosen->n; i++)
        named[i] = ids[chosen->ids[i]];
    struct vt_link link = {named, chosen->n, merge_members, unlink};
    vt_profile_link_identities(f->profile, &f->write, &link, result);
    return fixture_wait(f);
}

static void link_some(struct fixture *f)
{
    struct vt_link_result result;
    struct chosen chosen = choose(2);
    bool merge_members = draw(2) == 0, changed = false;
    unsigned survivor = model_link(&chosen, merge_members, &changed);
    struct vt_err err = call(f, &chosen, merge_members, false, &result);
    if (survivor == 0) {
        assert_code(err, VT_PRECONDITION);
        return;
    }
    assert_ok(err);
    assert_int_equal(result.customer_number, survivor);
    assert_int_equal(result.changed, changed);
}

static void unlink_some(struct fixture *f)
{
    struct vt_link_result result;
    struct chosen chosen = choose(1);
    if (!may_unlink(&chosen)) {
        assert_code(call(f, &chosen, false, true, &result), VT_PRECONDITION);
        return;
    }
    assert_ok(call(f, &chosen, false, true, &result));
    assert_int_equal(result.n_unlinked, model_unlink(&chosen));
}

static void say_consent(struct fixture *f)
{
    unsigned id = draw(4); /* a member */
    int consent = draw(5) == 0 ? 2 : (int)draw(2);
    char name[3];
    snprintf(name, sizeof name, "%.2s", ids[id].id.data);
    fixture_consent(f, name, consent);
    model_consent(id, consent);
}

/* ---- do they agree? ---- */

static void compare_person(struct fixture *f, unsigned id)
{
    struct vt_profile_key key = {.identity = ids[id]};
    struct vt_profile_view view;
    const struct person *person = &model.persons[model.owner[id]];
    assert_ok(vt_profile_get(f->profile, &f->request, &key, VT_HISTORY_MAX, &view));
    assert_int_equal(view.found, model.owner[id] != 0);
    if (!view.found)
        return;
    assert_int_equal(view.customer_number, model.owner[id]);
    assert_int_equal(view.customer.consent, person->consent);
    assert_true(vt_slice_equal(view.customer.id, ids[person->name].id));
    assert_int_equal(view.n_events, person->n_events);
    for (unsigned i = 0; i < view.n_events; i++)
        assert_int_equal(view.events[i].time_ms, person->times_ms[person->n_events - 1 - i]);
}

/* Whom training may learn from in an event of the log; 0: nobody. */
static unsigned learned_from(unsigned event)
{
    unsigned recorded = model.logged[event], into = model.persons[recorded].into;
    unsigned person = into != 0 ? into : recorded;
    return consents(person) && event >= model.persons[person].withdrawn ? person : 0;
}

static struct vt_err compare_learned(void *ctx, const struct vt_logged_event *event)
{
    unsigned *at = ctx;
    while (*at < model.n_logged && learned_from(*at) == 0)
        ++*at;
    assert_in_range(*at, 0, model.n_logged - 1);
    assert_int_equal(event->customer_number, learned_from(*at));
    ++*at;
    return vt_ok();
}

struct way_back {
    unsigned survivor, n;
};

static struct vt_err compare_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    struct way_back *back = ctx;
    assert_true(time_ms >= FIXTURE_NOW_MS);
    assert_int_equal(model.persons[merged].into, back->survivor);
    back->n++;
    return vt_ok();
}

static void compare_aliases(struct fixture *f)
{
    for (unsigned number = 1; number < model.next; number++) {
        unsigned into = model.persons[number].into, n_expected = 0;
        uint64_t customer = 0;
        assert_ok(vt__resolve_customer(f->profile, number, NULL, &customer));
        assert_int_equal(customer, into != 0 ? into : number);
        for (unsigned other = 1; other < model.next; other++)
            n_expected += model.persons[other].into == number;
        struct way_back back = {.survivor = number};
        assert_ok(vt__each_merged(f->profile, number, compare_merged, &back));
        assert_int_equal(back.n, n_expected);
    }
}

static void compare_all(struct fixture *f)
{
    unsigned at = 0;
    assert_ok(vt_profile_each_event(f->profile, compare_learned, &at));
    for (; at < model.n_logged; at++)
        assert_int_equal(learned_from(at), 0);
    compare_aliases(f);
}

static void run_seed(struct fixture *f, uint64_t seed, unsigned n_steps)
{
    random_state = seed;
    memset(&model, 0, sizeof model);
    model.next = 1;
    for (unsigned step = 0; step < n_steps; step++) {
        unsigned what = draw(100);
        vt_clock_fake_advance_ms(&f->clock, 1);
        if (what < 40)
            write_events(f);
        else if (what < 70)
            link_some(f);
        else if (what < 85)
            unlink_some(f);
        else if (what < 95)
            say_consent(f);
        else
            fixture_open(f);
        for (unsigned id = 0; id < N_IDS; id++)
            compare_person(f, id);
        if (step % 20 == 19)
            compare_all(f);
        vt_arena_reset(&f->arena);
    }
    compare_all(f);
}

static void random_histories_agree_with_a_plain_model(void **state)
{
    (void)state;
    bool all = getenv("VITRINE_TEST_ALL") != NULL;
    for (uint64_t seed = 1; seed <= (all ? 40u : 4u); seed++) {
        void *fixture = NULL;
        fixture_setup(&fixture);
        run_seed(fixture, seed, 120);
        fixture_teardown(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
