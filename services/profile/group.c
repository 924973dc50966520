/*
 * The events of one commit, gathered before anything is encoded: one log block, one history operand
 * for each customer, one sum for each item and hour, however many events there are. All memory is
 * allocated once; lookups inside the group go through two small hash tables, because the store
 * cannot yet see what the group will write. Rows go into the batch in the order of their keys: each
 * insertion into the memtable then begins its search near the one before (docs/performance.md).
 */
#include "services/profile/event_block.h"
#include "services/profile/history.h"
#include "services/profile/noise.h"
#include "services/profile/profile_internal.h"
#include "services/profile/who.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    TABLE_SLOTS = 4 * VT__GROUP_EVENTS_MAX, /* a power of two */
    NONE = 0,                               /* tables and chains hold index + 1 */
    MS_PER_HOUR = 3600 * 1000,
    MS_PER_DAY = 24 * MS_PER_HOUR,
    WEIGHT_SCALE = 1000,
};

struct group_customer {
    struct vt__key identity;
    struct vt__known_customer known;
    uint32_t first_row, last_row; /* of its consenting rows, index + 1 */
    uint32_t slot;                /* where customer_table holds it */
};

struct vt__group {
    uint32_t n_rows, n_customers;
    struct vt__log_row rows[VT__GROUP_EVENTS_MAX];
    struct vt__key seen[VT__GROUP_EVENTS_MAX]; /* of rows[i] */
    uint32_t seen_slot[VT__GROUP_EVENTS_MAX];  /* where seen_table holds rows[i] */
    uint32_t next_row[VT__GROUP_EVENTS_MAX];   /* of the same customer, index + 1 */
    struct group_customer customers[VT__GROUP_EVENTS_MAX];
    uint32_t seen_table[TABLE_SLOTS], customer_table[TABLE_SLOTS]; /* index + 1 */
    struct vt_history_event scratch[VT__GROUP_EVENTS_MAX];
    struct weight_sum {
        uint64_t dimension;
        int64_t sum;
    } sums[VT__GROUP_EVENTS_MAX];
    struct order {
        uint64_t rank;  /* what sorts first: the beginning of a key */
        uint32_t index; /* of the row or the customer */
    } order[VT__GROUP_EVENTS_MAX];
};

struct vt_err vt__group_new(struct vt__group **ret_group)
{
    *ret_group = calloc(1, sizeof **ret_group);
    VT_CHECK(*ret_group != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

void vt__group_free(struct vt__group *group)
{
    free(group);
}

void vt__group_clear(struct vt__group *group)
{
    if (group->n_rows == 0 && group->n_customers == 0)
        return;
    for (uint32_t i = 0; i < group->n_rows; i++)
        group->seen_table[group->seen_slot[i]] = NONE;
    for (uint32_t i = 0; i < group->n_customers; i++)
        group->customer_table[group->customers[i].slot] = NONE;
    group->n_rows = 0;
    group->n_customers = 0;
}

static bool same_key(const struct vt__key *a, const struct vt__key *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static uint32_t slot_of(const struct vt__key *key)
{
    return (uint32_t)XXH3_64bits(key->bytes, key->len) & (TABLE_SLOTS - 1);
}

/* ---- seen before? ---- */

static struct vt_err find_on_disk(struct vt_profile *profile, const struct vt__key *key,
                                  uint64_t *ret_sequence)
{
    struct vt_store_value value = {0};
    struct vt__seen seen = {0};
    bool found = false;
    VT_TRY(vt_store_get(profile->store, VT__SEEN, vt__key_slice(key), NULL, &value, &found));
    struct vt_err err = found ? vt__seen_decode(value.bytes, &seen) : vt_ok();
    vt_store_value_release(&value);
    int64_t oldest_ms = vt_clock_unix_ms(profile->clock) - profile->idempotency_window_ms;
    *ret_sequence = !vt_failed(err) && found && seen.time_ms >= oldest_ms ? seen.sequence : 0;
    return err;
}

/* *ret_slot is where the id belongs; *ret_sequence is not 0 when it was accepted before. */
static struct vt_err find_seen(struct vt_profile *profile, const struct vt__key *key,
                               uint32_t *ret_slot, uint64_t *ret_sequence)
{
    const struct vt__group *group = profile->group;
    uint32_t slot = slot_of(key);
    for (; group->seen_table[slot] != NONE; slot = (slot + 1) & (TABLE_SLOTS - 1)) {
        uint32_t row = group->seen_table[slot] - 1;
        if (same_key(&group->seen[row], key)) {
            *ret_sequence = profile->state.sequence + 1 + row;
            return vt_ok();
        }
    }
    *ret_slot = slot;
    *ret_sequence = 0;
    if (!vt__seen_filter_may_have(profile->seen, key))
        return vt_ok();
    return find_on_disk(profile, key, ret_sequence);
}

/* ---- who? ---- */

static struct vt_err find_customer(struct vt_profile *profile, const struct vt_event *event,
                                   int64_t time_ms, uint32_t *ret_index)
{
    struct vt__group *group = profile->group;
    struct vt__identity identity;
    VT_TRY(vt__who_of_event(profile, event, &identity));
    struct vt__key key = vt__key_identity(&identity);
    uint32_t slot = slot_of(&key);
    for (; group->customer_table[slot] != NONE; slot = (slot + 1) & (TABLE_SLOTS - 1)) {
        *ret_index = group->customer_table[slot] - 1;
        if (same_key(&group->customers[*ret_index].identity, &key))
            return vt_ok();
    }
    struct vt__known_customer known;
    VT_TRY(vt__who_is(profile, &identity, &key, time_ms, &known));
    *ret_index = group->n_customers++;
    group->customers[*ret_index] =
        (struct group_customer){.identity = key, .known = known, .slot = slot};
    group->customer_table[slot] = *ret_index + 1;
    return vt_ok();
}

/* ---- where? ---- */

static struct vt_err number_channel(struct vt_profile *profile, struct vt_slice name,
                                    uint16_t *ret_number)
{
    return vt__number_channel(profile, name.len != 0 ? name : vt_slice_str("web"), ret_number);
}

/* ---- one event ---- */

/* What may enter the event's weight; where the storefront told none, 1. */
static float history_value(const struct vt_event *event)
{
    const bool counted = event->type == VT_EVENT_PURCHASE || event->type == VT_EVENT_RETURN;
    const double value = counted ? event->quantity : event->value;
    if (event->type == VT_EVENT_RATING)
        return (float)event->value; /* 0 stars are an opinion */
    return value > 0 ? (float)fmin(value, VT_AMOUNT_MAX) : 1.0f;
}

static void fill_row(const struct vt_event *event, uint32_t item, uint16_t channel, int64_t time_ms,
                     struct vt__log_row *row)
{
    *row = (struct vt__log_row){
        .event = {.item = item,
                  .type = (uint16_t)event->type,
                  .channel = channel,
                  .value = history_value(event),
                  .time_ms = time_ms},
        .quantity = event->quantity,
        .revenue = event->revenue,
        .cost = event->cost,
        .query = event->query,
        .token = event->attribution_token,
    };
    if (event->currency_code.len == sizeof row->currency)
        memcpy(row->currency, event->currency_code.data, sizeof row->currency);
}

/* Ties the row to its customer, or to nobody: without consent, and of a bot, neither number nor
 * attribution is kept. */
static void add_row(struct vt__group *group, struct group_customer *customer)
{
    uint32_t row = group->n_rows++;
    group->next_row[row] = NONE;
    if (customer == NULL || !customer->known.consent) {
        group->rows[row].token = vt_slice(NULL, 0);
        return;
    }
    group->rows[row].customer = customer->known.number;
    if (customer->last_row != NONE)
        group->next_row[customer->last_row - 1] = row + 1;
    else
        customer->first_row = row + 1;
    customer->last_row = row + 1;
}

static struct vt_err mention_item(struct vt_profile *profile, struct vt_slice id,
                                  uint32_t *ret_item)
{
    bool is_new = false;
    *ret_item = 0;
    if (id.len == 0)
        return vt_ok();
    VT_TRY(vt__number_item(profile, id, ret_item, &is_new));
    if (!is_new)
        return vt_ok();
    vt__item_encode(VT__ITEM_MENTIONED, &(struct vt_item){.id = id}, &profile->value);
    vt__put(profile, VT__ITEMS, vt__key_item(*ret_item));
    return vt__add_change(profile, VT_CHANGE_MENTION, *ret_item);
}

static struct vt_err name_item_and_customer(struct vt_profile *profile,
                                            const struct vt_event *event, int64_t time_ms,
                                            uint32_t *ret_item,
                                            struct group_customer **ret_customer)
{
    uint32_t customer = 0;
    VT_TRY(mention_item(profile, event->item_id, ret_item));
    VT_TRY(find_customer(profile, event, time_ms, &customer));
    *ret_customer = &profile->group->customers[customer];
    return vt_ok();
}

static struct vt_err add_event(struct vt_profile *profile, const struct vt_event *event,
                               struct vt_event_result *result)
{
    struct vt__group *group = profile->group;
    struct vt__key seen = vt__key_seen(event->event_id);
    struct group_customer *customer = NULL;
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    uint32_t slot = 0, item = 0;
    uint16_t channel = 0;
    VT_TRY(find_seen(profile, &seen, &slot, &result->sequence));
    if (result->sequence != 0) {
        result->outcome = VT_EVENT_DUPLICATE;
        vt_counter_add(profile->n_duplicate, 1);
        return vt_ok();
    }
    int64_t time_ms = vt__noise_event_time(profile->noise, event->time_ms, now_ms);
    VT_TRY(number_channel(profile, event->channel, &channel));
    if (event->bot) /* neither a customer nor an item comes into being for a bot */
        item = vt__id_map_find(&profile->items, event->item_id);
    else
        VT_TRY(name_item_and_customer(profile, event, time_ms, &item, &customer));
    uint32_t row = group->n_rows;
    fill_row(event, item, channel, time_ms, &group->rows[row]);
    group->rows[row].noise = (uint8_t)vt__noise_judge(
        profile->noise, event, time_ms, customer != NULL ? &customer->identity : NULL, now_ms);
    group->seen[row] = seen;
    group->seen_slot[row] = slot;
    group->seen_table[slot] = row + 1;
    add_row(group, customer);
    result->outcome = VT_EVENT_ACCEPTED;
    result->sequence = profile->state.sequence + 1 + row;
    return vt_ok();
}

struct vt_err vt__group_add(struct vt_profile *profile, struct vt__job *job)
{
    const struct vt_event *events = job->input;
    struct vt_event_result *results = job->result;
    for (uint32_t i = 0; i < job->n; i++)
        if (results[i].outcome != VT_EVENT_REJECTED)
            VT_TRY(add_event(profile, &events[i], &results[i]));
    return vt_ok();
}

/* ---- the commit ---- */

/* Impressions would push out what the customer did and have a row of their own, searches have no
 * item: those are only in the log, like noise. */
static bool belongs_to_history(const struct vt__log_row *row)
{
    return row->event.item != 0 && row->event.type != VT_EVENT_IMPRESSION &&
           row->noise == VT__NOISE_NONE;
}

/* What frequency caps count. */
static bool belongs_to_shown(const struct vt__log_row *row)
{
    return row->event.item != 0 && row->event.type == VT_EVENT_IMPRESSION &&
           row->noise == VT__NOISE_NONE;
}

static void put_packed(struct vt_profile *profile, const struct group_customer *customer,
                       bool (*belongs)(const struct vt__log_row *row), struct vt__key key)
{
    struct vt__group *group = profile->group;
    size_t n = 0;
    for (uint32_t row = customer->first_row; row != NONE; row = group->next_row[row - 1])
        if (belongs(&group->rows[row - 1]))
            group->scratch[n++] = group->rows[row - 1].event;
    if (n == 0)
        return;
    n = vt__history_normalise(group->scratch, n, profile->history_max);
    vt__history_pack(group->scratch, n, &profile->value);
    vt__merge(profile, VT__HISTORY, key);
}

static void put_history(struct vt_profile *profile, const struct group_customer *customer)
{
    const uint64_t number = customer->known.number;
    put_packed(profile, customer, belongs_to_history, vt__key_customer(number));
    put_packed(profile, customer, belongs_to_shown, vt__key_shown(number));
}

static int compare_order(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static void put_customers(struct vt_profile *profile, uint64_t first_sequence)
{
    struct vt__group *group = profile->group;
    uint32_t n = 0;
    for (uint32_t i = 0; i < group->n_customers; i++)
        if (group->customers[i].first_row != NONE)
            group->order[n++] = (struct order){group->customers[i].known.number, i};
    qsort(group->order, n, sizeof group->order[0], compare_order);
    for (uint32_t i = 0; i < n; i++) {
        const struct group_customer *customer = &group->customers[group->order[i].index];
        put_history(profile, customer);
        if (i != 0 && group->order[i - 1].rank == group->order[i].rank)
            continue; /* named by a second id: the block is listed already */
        vt__block_list_encode(first_sequence, &profile->value);
        vt__merge(profile, VT__CUSTOMER_EVENTS,
                  vt__key_customer_day(customer->known.number, profile->state.day));
    }
}

static void put_seen(struct vt_profile *profile, uint64_t first_sequence)
{
    struct vt__group *group = profile->group;
    struct vt__seen seen = {.time_ms = vt_clock_unix_ms(profile->clock)};
    for (uint32_t i = 0; i < group->n_rows; i++)
        group->order[i] = (struct order){vt__key_rank(&group->seen[i]), i};
    qsort(group->order, group->n_rows, sizeof group->order[0], compare_order);
    for (uint32_t i = 0; i < group->n_rows; i++) {
        uint32_t row = group->order[i].index;
        seen.sequence = first_sequence + row;
        vt__seen_encode(&seen, &profile->value);
        vt__put(profile, VT__SEEN, group->seen[row]);
        vt__seen_filter_add(profile->seen, &group->seen[row]);
    }
}

static int compare_sums(const void *left, const void *right)
{
    const struct weight_sum *a = left, *b = right;
    return (a->dimension > b->dimension) - (a->dimension < b->dimension);
}

/* Adds up equal dimensions; returns how many are left. */
static uint32_t fold_sums(struct weight_sum *sums, uint32_t n)
{
    uint32_t kept = 0;
    qsort(sums, n, sizeof sums[0], compare_sums);
    for (uint32_t i = 0; i < n; i++) {
        if (kept != 0 && sums[kept - 1].dimension == sums[i].dimension)
            sums[kept - 1].sum += sums[i].sum;
        else
            sums[kept++] = sums[i];
    }
    return kept;
}

static int64_t event_weight(const struct vt_history_event *event)
{
    return lrintf(vt_event_type_default_weight(event->type) * WEIGHT_SCALE);
}

static void put_item_weights(struct vt_profile *profile)
{
    struct vt__group *group = profile->group;
    uint32_t n = 0;
    for (uint32_t i = 0; i < group->n_rows; i++) {
        int64_t weight = event_weight(&group->rows[i].event);
        if (group->rows[i].event.item != 0 && weight != 0 && group->rows[i].noise == VT__NOISE_NONE)
            group->sums[n++] = (struct weight_sum){group->rows[i].event.item, weight};
    }
    n = fold_sums(group->sums, n);
    pthread_mutex_lock(&profile->feed.lock);
    for (uint32_t i = 0; i < n; i++)
        vt__feed_add_weight(&profile->feed, (uint32_t)group->sums[i].dimension, group->sums[i].sum);
    pthread_mutex_unlock(&profile->feed.lock);
    for (uint32_t i = 0; i < n; i++) {
        vt__counter_encode(group->sums[i].sum, &profile->value);
        vt__merge(profile, VT__COUNTERS,
                  vt__key_counter(VT__METRIC_ITEM_WEIGHT, group->sums[i].dimension, 0));
    }
}

/* Events by type, channel and hour; dimension: hour, type and channel in one number for sorting. */
static void put_event_counts(struct vt_profile *profile)
{
    struct vt__group *group = profile->group;
    uint32_t n = 0;
    for (uint32_t i = 0; i < group->n_rows; i++) {
        const struct vt_history_event *event = &group->rows[i].event;
        if (group->rows[i].noise != VT__NOISE_NONE)
            continue;
        uint64_t hour = (uint64_t)(event->time_ms / MS_PER_HOUR);
        uint64_t dimension = hour << 32 | (uint64_t)event->type << 16 | event->channel;
        group->sums[n++] = (struct weight_sum){dimension, 1};
    }
    n = fold_sums(group->sums, n);
    for (uint32_t i = 0; i < n; i++) {
        vt__counter_encode(group->sums[i].sum, &profile->value);
        vt__merge(profile, VT__COUNTERS,
                  vt__key_counter(VT__METRIC_EVENTS, group->sums[i].dimension & UINT32_MAX,
                                  (uint32_t)(group->sums[i].dimension >> 32)));
    }
}

struct vt_err vt__group_finish(struct vt_profile *profile)
{
    struct vt__group *group = profile->group;
    if (group->n_rows == 0)
        return vt_ok();
    uint64_t first = profile->state.sequence + 1;
    uint32_t today = (uint32_t)(vt_clock_unix_ms(profile->clock) / MS_PER_DAY);
    if (today > profile->state.day)
        profile->state.day = today;
    vt__block_encode(group->rows, group->n_rows, &profile->value);
    vt__put(profile, VT__EVENTS, vt__key_block(profile->state.day, first));
    put_customers(profile, first);
    put_seen(profile, first);
    put_item_weights(profile);
    put_event_counts(profile);
    profile->state.sequence += group->n_rows;
    vt_counter_add(profile->n_accepted, group->n_rows);
    return vt_ok();
}
