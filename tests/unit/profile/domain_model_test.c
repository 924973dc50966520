/* The profile domain against a plain model in memory: thousands of random operations (batches of
 * events with duplicates, late and future ones, bots; customers who consent and withdraw; catalog
 * entries with and without masks, deletions; reads and lists; a reader of changes), with reopenings
 * in between. After each reading operation both say the same; at the end everything is compared. */
#include "tests/unit/profile/fixture.h"
#include "tests/unit/profile/table_testlib.h"

#include <math.h>

enum {
    N_CUSTOMERS = 12,
    N_SKUS = 30,
    N_EVENT_IDS = 1500,
    BATCH_MAX = 12,
    HISTORY_MAX = 15,
    HELD_MAX = 4000, /* of a customer in the model, which drops nothing */
    STEPS = 1500,
    REOPEN_ONE_IN = 60,
    WINDOW_MS = 3600 * 1000, /* of event ids */
    STEP_MS_MAX = 90 * 1000,
};

struct model_item {
    uint32_t number; /* 0: never heard of */
    bool described;
    unsigned title, category, price, colour;
    int64_t stock, from_ms, create_ms;
    int64_t weight; /* thousandths */
};

struct model_customer {
    uint64_t number; /* 0: nobody */
    int consent;     /* as told */
    uint32_t n_learned;
    uint32_t n_events;
    struct vt_history_event events[HELD_MAX]; /* newest first */
};

struct model_id {
    int64_t accepted_ms; /* 0: never */
    uint64_t sequence;
};

struct world {
    struct fixture *f;
    struct reader reader;
    uint64_t random, last_sequence;
    bool consent_default;
    uint32_t n_items; /* numbered */
    uint64_t n_customers;
    struct model_item items[N_SKUS];
    struct model_customer customers[N_CUSTOMERS];
    struct model_id ids[N_EVENT_IDS];
};

static uint32_t next(struct world *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static int64_t now_ms(const struct world *w)
{
    return vt_clock_unix_ms(&w->f->clock.clock);
}

static struct vt_slice name(struct world *w, const char *kind, uint32_t i)
{
    return vt_arena_printf(&w->f->arena, "%s %u", kind, i);
}

static void model_number(struct world *w, struct model_item *item)
{
    if (item->number == 0)
        item->number = ++w->n_items;
}

static bool model_consents(const struct world *w, const struct model_customer *customer)
{
    return customer->consent == 0 ? w->consent_default : customer->consent == 1;
}

/* ---- events ---- */

struct drawn {
    struct vt_event event;
    uint32_t id, customer;
    int32_t item; /* -1: none */
};

static struct drawn draw_event(struct world *w)
{
    static const enum vt_event_type types[] = {
        VT_EVENT_VIEW,    VT_EVENT_CART,       VT_EVENT_PURCHASE, VT_EVENT_RATING,
        VT_EVENT_DISLIKE, VT_EVENT_IMPRESSION, VT_EVENT_SEARCH};
    const int64_t minute_ms = 60 * 1000, day_ms = FIXTURE_DAY_MS;
    struct drawn drawn = {.id = next(w, N_EVENT_IDS),
                          .customer = next(w, N_CUSTOMERS),
                          .item = (int32_t)next(w, N_SKUS)};
    struct vt_event *event = &drawn.event;
    event->type = types[next(w, sizeof types / sizeof types[0])];
    if (event->type == VT_EVENT_SEARCH && next(w, 2) == 0)
        drawn.item = -1;
    event->event_id = name(w, "event", drawn.id);
    event->customer_id = name(w, "customer", drawn.customer);
    event->item_id = drawn.item >= 0 ? name(w, "sku", (uint32_t)drawn.item) : vt_slice(NULL, 0);
    event->time_ms = now_ms(w) - (int64_t)next(w, 20) * 7 * minute_ms;
    if (next(w, 12) == 0)
        event->time_ms = now_ms(w) + (int64_t)next(w, 3) * 4 * minute_ms; /* 8 are too many */
    if (next(w, 30) == 0)
        event->time_ms = now_ms(w) + day_ms + 1; /* refused */
    event->value = event->type == VT_EVENT_RATING ? 1 + next(w, 5) : 0;
    event->quantity = event->type == VT_EVENT_PURCHASE ? next(w, 4) : 0;
    event->bot = next(w, 15) == 0;
    return drawn;
}

static bool goes_before(const struct vt_history_event *a, const struct vt_history_event *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms > b->time_ms;
    return a->item != b->item ? a->item < b->item : a->type < b->type;
}

static void model_remember(struct model_customer *customer, struct vt_history_event event)
{
    uint32_t at = 0;
    while (at < customer->n_events && goes_before(&customer->events[at], &event))
        at++;
    struct vt_history_event *there = &customer->events[at];
    if (at < customer->n_events && !goes_before(&event, there)) { /* the same; the greater value */
        there->value = event.value > there->value ? event.value : there->value;
        return;
    }
    assert_true(customer->n_events < HELD_MAX);
    memmove(there + 1, there, (customer->n_events - at) * sizeof *there);
    *there = event;
    customer->n_events++;
}

static struct vt_history_event history_event(const struct world *w, const struct drawn *drawn)
{
    const struct vt_event *event = &drawn->event;
    bool ahead = event->time_ms > now_ms(w) + VT_EVENT_AHEAD_MS;
    float value = event->type == VT_EVENT_RATING ? (float)event->value : 1;
    if (event->type == VT_EVENT_PURCHASE && event->quantity > 0)
        value = (float)event->quantity;
    return (struct vt_history_event){.item = drawn->item < 0 ? 0 : w->items[drawn->item].number,
                                     .type = (uint16_t)event->type,
                                     .value = value,
                                     .time_ms = ahead ? now_ms(w) : event->time_ms};
}

static void model_accept(struct world *w, const struct drawn *drawn)
{
    struct model_item *item = drawn->item >= 0 ? &w->items[drawn->item] : NULL;
    struct model_customer *customer = &w->customers[drawn->customer];
    if (drawn->event.bot)
        return; /* in the log, and in nothing else */
    if (item != NULL) {
        model_number(w, item);
        item->weight += lrintf(vt_event_type_default_weight(drawn->event.type) * 1000);
    }
    if (!model_consents(w, customer))
        return;
    if (customer->number == 0)
        customer->number = ++w->n_customers;
    customer->n_learned++;
    if (item != NULL && drawn->event.type != VT_EVENT_IMPRESSION)
        model_remember(customer, history_event(w, drawn));
}

static void check_judged(struct world *w, const struct drawn *drawn,
                         const struct vt_event_result *result)
{
    struct model_id *id = &w->ids[drawn->id];
    if (drawn->event.time_ms > now_ms(w) + VT_EVENT_FUTURE_MS) {
        assert_int_equal(result->outcome, VT_EVENT_REJECTED);
        assert_string_equal(result->field, "time");
    } else if (id->accepted_ms != 0 && id->accepted_ms >= now_ms(w) - WINDOW_MS) {
        assert_int_equal(result->outcome, VT_EVENT_DUPLICATE);
        assert_int_equal(result->sequence, id->sequence);
    } else {
        assert_int_equal(result->outcome, VT_EVENT_ACCEPTED);
        assert_true(result->sequence > w->last_sequence);
        w->last_sequence = result->sequence;
        *id = (struct model_id){now_ms(w), result->sequence};
        model_accept(w, drawn);
    }
}

static void write_events(struct world *w)
{
    struct drawn drawn[BATCH_MAX];
    struct vt_event events[BATCH_MAX];
    struct vt_event_result results[BATCH_MAX];
    uint32_t n = 1 + next(w, BATCH_MAX);
    for (uint32_t i = 0; i < n; i++) {
        drawn[i] = draw_event(w);
        events[i] = drawn[i].event;
    }
    vt_profile_write_events(w->f->profile, &w->f->write, events, n, results);
    assert_ok(fixture_wait(w->f));
    for (uint32_t i = 0; i < n; i++)
        check_judged(w, &drawn[i], &results[i]);
}

/* ---- customers ---- */

static void upsert_customer(struct world *w)
{
    uint32_t i = next(w, N_CUSTOMERS);
    struct model_customer *customer = &w->customers[i];
    bool is_new = customer->number == 0;
    int consent = 1 + (int)next(w, 2);
    struct vt_upsert_result result = fixture_consent(w->f, name(w, "customer", i).data, consent);
    assert_int_equal(result.inserted, is_new);
    assert_int_equal(result.updated, !is_new && consent != customer->consent);
    if (is_new)
        customer->number = ++w->n_customers;
    customer->consent = consent;
    if (consent == 2)
        customer->n_events = customer->n_learned = 0;
}

static void check_customer(struct world *w, uint32_t i)
{
    const struct model_customer *customer = &w->customers[i];
    struct vt_profile_key key = {.customer_id = name(w, "customer", i)};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(w->f->profile, &w->f->request, &key, HISTORY_MAX, &view));
    assert_int_equal(view.found, customer->number != 0);
    if (!view.found)
        return;
    uint32_t n = customer->n_events < HISTORY_MAX ? customer->n_events : HISTORY_MAX;
    assert_int_equal(view.customer_number, customer->number);
    assert_int_equal(view.consent, model_consents(w, customer));
    assert_int_equal(view.n_events, n);
    for (uint32_t e = 0; e < n; e++) {
        assert_int_equal(view.events[e].item, customer->events[e].item);
        assert_int_equal(view.events[e].type, customer->events[e].type);
        assert_int_equal(view.events[e].time_ms, customer->events[e].time_ms);
        assert_true(view.events[e].value >= customer->events[e].value &&
                    view.events[e].value <= customer->events[e].value);
    }
}

static void read_customer(struct world *w)
{
    check_customer(w, next(w, N_CUSTOMERS));
}

static void list_customers(struct world *w)
{
    struct vt_customer page[5];
    uint64_t numbers[5], after = 0, n_listed = 0;
    bool more = true;
    while (more) {
        uint32_t n = 0;
        assert_ok(vt_profile_list_customers(w->f->profile, &w->f->request, after, 5, page, numbers,
                                            &n, &more));
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(numbers[i], ++n_listed);
        after = n_listed;
    }
    assert_int_equal(n_listed, w->n_customers);
}

/* ---- the catalog ---- */

static struct vt_item entry_of(struct world *w, uint32_t i, const struct model_item *item)
{
    struct vt_attribute *colour = vt_arena_array(&w->f->arena, 1, sizeof *colour);
    *colour = (struct vt_attribute){vt_slice_str("colour"), name(w, "colour", item->colour)};
    return (struct vt_item){.number = item->number,
                            .id = name(w, "sku", i),
                            .title = name(w, "title", item->title),
                            .categories = {name(w, "category", item->category)},
                            .n_categories = 1,
                            .price = item->price,
                            .stock = item->stock,
                            .available_from_ms = item->from_ms,
                            .create_time_ms = item->create_ms,
                            .attributes = colour,
                            .n_attributes = 1};
}

static struct model_item draw_entry(struct world *w)
{
    return (struct model_item){.title = next(w, 3),
                               .category = next(w, 3),
                               .price = next(w, 4),
                               .colour = next(w, 3),
                               .stock = (int64_t)next(w, 3) - 1,
                               .from_ms = next(w, 2) * FIXTURE_NOW_MS};
}

static void model_describe(struct world *w, struct model_item *item, const struct model_item *entry)
{
    struct model_item old = *item;
    model_number(w, item);
    uint32_t number = item->number;
    *item = *entry;
    item->number = number;
    item->weight = old.weight;
    item->create_ms = old.described ? old.create_ms : now_ms(w);
    item->described = true;
}

static bool same_entry(const struct model_item *a, const struct model_item *b)
{
    return a->title == b->title && a->category == b->category && a->price == b->price &&
           a->colour == b->colour && a->stock == b->stock && a->from_ms == b->from_ms;
}

static void upsert_item(struct world *w)
{
    uint32_t i = next(w, N_SKUS);
    struct model_item *item = &w->items[i], entry = draw_entry(w);
    struct vt_item sent = entry_of(w, i, &entry);
    struct vt_upsert_result result;
    vt_profile_upsert_items(w->f->profile, &w->f->write, &sent, 1, 0, &result);
    assert_ok(fixture_wait(w->f));
    bool same = item->described && same_entry(item, &entry);
    assert_int_equal(result.inserted, !item->described);
    assert_int_equal(result.unchanged, same);
    assert_int_equal(result.updated, item->described && !same);
    model_describe(w, item, &entry);
}

static void take_masked(struct model_item *entry, uint32_t mask, const struct model_item *sent)
{
    if (mask & VT_ITEM_TITLE)
        entry->title = sent->title;
    if (mask & VT_ITEM_CATEGORIES)
        entry->category = sent->category;
    if (mask & VT_ITEM_PRICE)
        entry->price = sent->price;
    if (mask & VT_ITEM_ATTRIBUTES)
        entry->colour = sent->colour;
    if (mask & VT_ITEM_STOCK)
        entry->stock = sent->stock;
    if (mask & VT_ITEM_AVAILABLE_FROM)
        entry->from_ms = sent->from_ms;
}

static void upsert_fields(struct world *w)
{
    static const uint32_t fields[] = {VT_ITEM_TITLE, VT_ITEM_CATEGORIES,
                                      VT_ITEM_PRICE, VT_ITEM_ATTRIBUTES,
                                      VT_ITEM_STOCK, VT_ITEM_AVAILABLE_FROM};
    uint32_t i = next(w, N_SKUS), mask = fields[next(w, 6)];
    mask |= fields[next(w, 6)];
    struct model_item *item = &w->items[i], drawn = draw_entry(w), entry = *item;
    struct vt_item sent = entry_of(w, i, &drawn);
    struct vt_upsert_result result;
    vt_profile_upsert_items(w->f->profile, &w->f->write, &sent, 1, mask, &result);
    struct vt_err err = fixture_wait(w->f);
    assert_int_equal(err.code, item->described ? VT_OK : VT_NOT_FOUND);
    if (vt_failed(err))
        return;
    take_masked(&entry, mask, &drawn);
    assert_int_equal(result.unchanged, same_entry(item, &entry));
    *item = entry;
}

static void delete_item(struct world *w)
{
    uint32_t i = next(w, N_SKUS);
    struct vt_slice id = name(w, "sku", i);
    bool missing = false;
    struct vt_delete_result result = {.missing = &missing};
    vt_profile_delete_items(w->f->profile, &w->f->write, &id, 1, &result);
    assert_ok(fixture_wait(w->f));
    assert_int_equal(missing, !w->items[i].described);
    w->items[i].described = false;
}

static void check_item(struct world *w, uint32_t i)
{
    struct model_item *item = &w->items[i];
    struct vt_item found, wanted = entry_of(w, i, item);
    bool is_there = false;
    assert_ok(vt_profile_get_item(w->f->profile, &w->f->request, name(w, "sku", i), 0, &found,
                                  &is_there));
    assert_int_equal(is_there, item->described);
    if (!is_there)
        return;
    assert_int_equal(found.number, item->number);
    assert_items_equal(&found, &wanted);
}

static void read_item(struct world *w)
{
    check_item(w, next(w, N_SKUS));
}

/* ---- the reader of changes ---- */

static void read_changes(struct world *w)
{
    for (uint32_t asks = next(w, 6); asks > 0; asks--)
        reader_take(&w->reader, 1 + next(w, READER_CHANGES_MAX), READER_CHANGES_MAX);
}

static void cut_reader(struct world *w)
{
    uint32_t max = 1 + next(w, READER_CHANGES_MAX);
    reader_take(&w->reader, max, next(w, max));
    reader_cut(&w->reader);
    reader_resume(&w->reader, w->f->profile);
}

static void check_reader(struct world *w)
{
    struct vt_item_table *table = w->reader.table;
    assert_int_equal(vt_item_table_max_number(table), w->n_items);
    for (uint32_t i = 0; i < N_SKUS; i++) {
        struct model_item *item = &w->items[i];
        struct vt_item found, wanted = entry_of(w, i, item);
        assert_int_equal(vt_item_table_number(table, name(w, "sku", i)), item->number);
        assert_int_equal(vt_item_table_get(table, item->number, &found), item->described);
        if (item->described)
            assert_items_equal(&found, &wanted);
        float weight = item->weight > 0 ? (float)item->weight * 0.001f : 0;
        float count = vt_item_table_count(table, item->number);
        assert_true(count >= weight && count <= weight);
    }
}

/* ---- the walk ---- */

static void reopen(struct world *w)
{
    reader_cut(&w->reader);
    fixture_open(w->f);
    reader_resume(&w->reader, w->f->profile);
}

static void step(struct world *w)
{
    static void (*const operations[])(struct world * w) = {
        write_events,  write_events, write_events, write_events,   upsert_customer, read_customer,
        read_customer, upsert_item,  upsert_item,  upsert_fields,  upsert_fields,   delete_item,
        read_item,     read_changes, cut_reader,   list_customers,
    };
    vt_arena_reset(&w->f->arena);
    vt_clock_fake_advance_ms(&w->f->clock, next(w, STEP_MS_MAX));
    operations[next(w, sizeof operations / sizeof operations[0])](w);
    if (next(w, REOPEN_ONE_IN) == 0)
        reopen(w);
}

static void check_all(struct world *w)
{
    unsigned n_learned = 0;
    for (uint32_t i = 0; i < N_CUSTOMERS; i++) {
        check_customer(w, i);
        n_learned += w->customers[i].n_learned;
    }
    for (uint32_t i = 0; i < N_SKUS; i++)
        check_item(w, i);
    list_customers(w);
    assert_int_equal(fixture_n_learned(w->f), n_learned);
    reopen(w); /* all counts are told */
    reader_drain(&w->reader);
    check_reader(w);
}

static struct world *world; /* of the walk under way */

/* Also after a failure in the middle: a store is closed without readers. */
static int end_walk(void **state)
{
    if (world != NULL)
        reader_fini(&world->reader);
    free(world);
    world = NULL;
    return fixture_teardown(state);
}

static void walk(struct fixture *f, uint64_t seed, bool consent_default)
{
    struct world *w = world = calloc(1, sizeof *w);
    assert_non_null(w);
    reader_init(&w->reader);
    w->f = f;
    w->random = seed;
    w->consent_default = consent_default;
    f->options.history_max = HISTORY_MAX;
    f->options.idempotency_window_ms = WINDOW_MS;
    f->options.consent_default = consent_default;
    fixture_open(f);
    reader_resume(&w->reader, f->profile);
    for (uint32_t i = 0; i < STEPS; i++) {
        step(w);
        if (i % 500 == 499)
            check_all(w);
    }
}

static void random_operations_answer_as_the_model_does(void **state)
{
    walk(*state, 1, true);
}

static void random_operations_answer_as_the_model_does_where_consent_must_be_given(void **state)
{
    walk(*state, 2, false);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, end_walk)
    const struct CMUnitTest tests[] = {
        TEST(random_operations_answer_as_the_model_does),
        TEST(random_operations_answer_as_the_model_does_where_consent_must_be_given),
    };
    return cmocka_run_group_tests_name("profile/domain_model", tests, NULL, NULL);
}
