#include "services/profile/ageing.h"
#include "services/profile/history.h"
#include "tests/unit/profile/fixture.h"

/*
 * The store against a plain model of it: random writes with late, early and repeated events, bots,
 * consent given and taken, days that pass, what leaves by age, and reopenings in between. After
 * every step each person's history is what a sorted list says, and training reads as many events.
 * With VITRINE_TEST_ALL=1 more seeds.
 */

enum {
    STEPS = 200,
    SEEDS = 2,
    SEEDS_ALL = 40,
    PEOPLE = 6, /* the first half are members, the others come by cookie */
    MEMBERS = 3,
    ITEMS = 7,
    HISTORY_MAX = 12,
    EVENTS_MAX = 8 * STEPS,
    RETENTION_DAYS = 9,
    EXPIRY_DAYS = 6,
    WINDOW_DAYS = 5,
    GRANTED = 1,
    DENIED = 2,
    MS_PER_MINUTE = 60 * 1000,
};

struct person {
    bool known;
    int consent;
    int64_t first_seen_ms;
    uint32_t last_day; /* of acceptance of an event that names them */
    struct vt_history_event history[EVENTS_MAX];
    uint32_t n;
};

struct row {
    int person; /* -1: nobody may learn from it */
    uint32_t day;
};

struct model {
    uint64_t random;
    struct fixture *f;
    struct person people[PEOPLE];
    uint32_t items[ITEMS]; /* number, 0: not mentioned yet */
    uint32_t n_items;
    struct row rows[EVENTS_MAX];
    uint32_t n_rows;
    int64_t accepted_ms[EVENTS_MAX]; /* by event id; 0: never */
    uint32_t n_ids;
    uint32_t day;
};

static const char *const names[PEOPLE] = {"ann", "bob", "cy", "cookie 1", "cookie 2", "cookie 3"};
static const char *const skus[ITEMS] = {"mug", "cup", "pot", "jar", "jug", "tin", "can"};

static uint32_t draw(struct model *model, uint32_t n)
{
    model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)(model->random >> 33) % n;
}

static int64_t now_of(const struct model *model)
{
    return vt_clock_unix_ms(&model->f->clock.clock);
}

/* ---- what the store should do ---- */

static bool is_consenting(const struct person *person)
{
    return person->consent != DENIED;
}

/* In the order of a history; of equal ones the greater value stays. */
static void insert_event(struct person *person, const struct vt_history_event *event)
{
    uint32_t at = 0;
    while (at < person->n && vt__history_compare(&person->history[at], event) < 0)
        at++;
    if (at < person->n && vt__history_compare(&person->history[at], event) == 0) {
        if (event->value > person->history[at].value)
            person->history[at].value = event->value;
        return;
    }
    memmove(&person->history[at + 1], &person->history[at],
            (person->n - at) * sizeof person->history[0]);
    person->history[at] = *event;
    person->n = person->n < HISTORY_MAX ? person->n + 1 : HISTORY_MAX;
}

static void keep_event(struct model *model, int who, const struct vt_event *event, int sku)
{
    struct person *person = &model->people[who];
    int64_t time_ms =
        event->time_ms <= now_of(model) + VT_EVENT_AHEAD_MS ? event->time_ms : now_of(model);
    struct row *row = &model->rows[model->n_rows++];
    *row = (struct row){-1, model->day};
    if (event->bot)
        return;
    if (model->items[sku] == 0)
        model->items[sku] = ++model->n_items;
    if (!person->known)
        *person = (struct person){.known = true, .first_seen_ms = time_ms};
    if (!is_consenting(person))
        return;
    row->person = who;
    person->last_day = model->day;
    const bool sold = event->type == VT_EVENT_PURCHASE || event->type == VT_EVENT_RETURN;
    const bool valued = event->type == VT_EVENT_RATING || (!sold && event->value > 0);
    float value = valued ? (float)event->value : 1;
    if (event->type != VT_EVENT_IMPRESSION)
        insert_event(person, &(struct vt_history_event){.item = model->items[sku],
                                                        .type = (uint16_t)event->type,
                                                        .channel = 1,
                                                        .value = value,
                                                        .time_ms = time_ms});
}

static enum vt_event_outcome expect(struct model *model, int who, const struct vt_event *event,
                                    int sku, uint32_t id)
{
    int64_t oldest_ms = now_of(model) - WINDOW_DAYS * FIXTURE_DAY_MS;
    if (event->time_ms > now_of(model) + VT_EVENT_FUTURE_MS)
        return VT_EVENT_REJECTED;
    if (model->accepted_ms[id] != 0 && model->accepted_ms[id] >= oldest_ms)
        return VT_EVENT_DUPLICATE;
    model->accepted_ms[id] = now_of(model);
    keep_event(model, who, event, sku);
    return VT_EVENT_ACCEPTED;
}

/* ---- steps ---- */

static int64_t draw_time(struct model *model)
{
    static const int64_t ahead_ms[] = {0,
                                       0,
                                       0,
                                       4 * MS_PER_MINUTE,
                                       6 * MS_PER_MINUTE,
                                       INT64_C(23) * 60 * MS_PER_MINUTE,
                                       INT64_C(25) * 60 * MS_PER_MINUTE};
    if (draw(model, 3) == 0) /* late, and to the minute, so that some are equal */
        return now_of(model) - (int64_t)draw(model, 60 * 24 * 12) * MS_PER_MINUTE;
    return now_of(model) + ahead_ms[draw(model, sizeof ahead_ms / sizeof ahead_ms[0])];
}

static void write_some(struct model *model)
{
    static const enum vt_event_type types[] = {VT_EVENT_VIEW, VT_EVENT_CART, VT_EVENT_RATING,
                                               VT_EVENT_IMPRESSION, VT_EVENT_PURCHASE};
    struct vt_event events[6];
    struct vt_event_result results[6];
    enum vt_event_outcome expected[6];
    uint32_t n = 1 + draw(model, 6);
    for (uint32_t i = 0; i < n; i++) {
        int who = (int)draw(model, PEOPLE), sku = (int)draw(model, ITEMS);
        uint32_t id =
            model->n_ids != 0 && draw(model, 6) == 0 ? draw(model, model->n_ids) : model->n_ids++;
        events[i] = (struct vt_event){
            .event_id = vt_arena_printf(&model->f->arena, "id %u", id),
            .type = types[draw(model, 5)],
            .item_id = vt_slice_str(skus[sku]),
            .time_ms = draw_time(model),
            .value = draw(model, 11),
            .bot = draw(model, 10) == 0,
        };
        *(who < MEMBERS ? &events[i].customer_id : &events[i].visitor_id) =
            vt_slice_str(names[who]);
        expected[i] = expect(model, who, &events[i], sku, id);
    }
    vt_profile_write_events(model->f->profile, &model->f->write, events, n, results);
    assert_ok(fixture_wait(model->f));
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(results[i].outcome, expected[i]);
}

static void forget_learning(struct model *model, int who)
{
    for (uint32_t r = 0; r < model->n_rows; r++)
        if (model->rows[r].person == who)
            model->rows[r].person = -1;
}

static void change_consent(struct model *model)
{
    int who = (int)draw(model, MEMBERS), consent = (int)draw(model, 3);
    struct person *person = &model->people[who];
    fixture_consent(model->f, names[who], consent);
    bool withdrawn = consent == DENIED || (person->known && !is_consenting(person));
    if (!person->known)
        *person = (struct person){.known = true, .first_seen_ms = now_of(model)};
    person->consent = consent;
    if (withdrawn) {
        person->n = 0;
        forget_learning(model, who);
    }
}

static void drop_a_day(struct model *model)
{
    uint32_t kept = 0;
    uint32_t first = (uint32_t)((now_of(model) - RETENTION_DAYS * FIXTURE_DAY_MS) / FIXTURE_DAY_MS);
    assert_ok(vt__retain_events(model->f->profile));
    if (model->n_rows == 0 || model->rows[0].day >= first)
        return;
    uint32_t dropped = model->rows[0].day;
    for (uint32_t r = 0; r < model->n_rows; r++)
        if (model->rows[r].day != dropped)
            model->rows[kept++] = model->rows[r];
    model->n_rows = kept;
}

static void expire(struct model *model)
{
    int64_t before_ms = now_of(model) - EXPIRY_DAYS * FIXTURE_DAY_MS;
    assert_ok(vt__expire_visitors(model->f->profile));
    for (int who = MEMBERS; who < PEOPLE; who++) {
        struct person *person = &model->people[who];
        bool idle = person->known && person->first_seen_ms < before_ms &&
                    person->last_day < before_ms / FIXTURE_DAY_MS &&
                    (person->n == 0 || person->history[0].time_ms < before_ms);
        if (idle)
            person->known = false; /* its rows stay in the log, under a number of nobody's */
    }
}

static void pass_time(struct model *model)
{
    vt_clock_fake_advance_ms(&model->f->clock, (int64_t)draw(model, 60 * 36) * MS_PER_MINUTE);
    model->day = (uint32_t)(now_of(model) / FIXTURE_DAY_MS);
}

static void take_step(struct model *model)
{
    switch (draw(model, 12)) {
    case 0:
        change_consent(model);
        break;
    case 1:
    case 2:
        pass_time(model);
        break;
    case 3:
        drop_a_day(model);
        break;
    case 4:
        expire(model);
        break;
    case 5:
        if (draw(model, 4) == 0)
            fixture_open(model->f);
        break;
    default:
        write_some(model);
    }
}

/* ---- the same? ---- */

static void compare_person(struct model *model, int who)
{
    const struct person *person = &model->people[who];
    struct vt_profile_key key = {.customer_id = vt_slice_str(who < MEMBERS ? names[who] : ""),
                                 .visitor_id = vt_slice_str(who < MEMBERS ? "" : names[who])};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(model->f->profile, &model->f->request, &key, HISTORY_MAX, &view));
    assert_int_equal(view.found, person->known);
    if (!person->known)
        return;
    assert_int_equal(view.consent, is_consenting(person));
    assert_int_equal(view.n_events, person->n);
    for (uint32_t i = 0; i < person->n; i++) {
        assert_int_equal(vt__history_compare(&view.events[i], &person->history[i]), 0);
        assert_float_equal(view.events[i].value, person->history[i].value, 0);
    }
}

static void compare_all(struct model *model)
{
    unsigned n_learnable = 0;
    for (int who = 0; who < PEOPLE; who++)
        compare_person(model, who);
    for (uint32_t r = 0; r < model->n_rows; r++)
        n_learnable += model->rows[r].person >= 0;
    assert_int_equal(fixture_n_learned(model->f), n_learnable);
    vt_arena_reset(&model->f->arena);
}

static void run_seed(uint64_t seed)
{
    static struct model model;
    void *state = NULL;
    fixture_setup(&state);
    model = (struct model){.random = seed, .f = state};
    model.f->options.history_max = HISTORY_MAX;
    model.f->options.event_retention_ms = RETENTION_DAYS * FIXTURE_DAY_MS;
    model.f->options.visitor_expiry_ms = EXPIRY_DAYS * FIXTURE_DAY_MS;
    model.f->options.idempotency_window_ms = WINDOW_DAYS * FIXTURE_DAY_MS;
    fixture_open(model.f);
    model.day = (uint32_t)(now_of(&model) / FIXTURE_DAY_MS);
    for (unsigned step = 0; step < STEPS; step++) {
        take_step(&model);
        compare_all(&model);
    }
    assert_true(model.n_items == ITEMS);
    fixture_teardown(&state);
}

static void store_is_its_model_after_every_step(void **state)
{
    (void)state;
    uint64_t n = getenv("VITRINE_TEST_ALL") != NULL ? SEEDS_ALL : SEEDS;
    for (uint64_t seed = 1; seed <= n; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(store_is_its_model_after_every_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
