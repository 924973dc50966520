/*
 * One pass over the places, greedy, and every step bounded by the candidates, the placement's own
 * limits or the catalogue. An item that a cap refuses is out for good: its group is full and stays
 * so. The arrays move by swaps, so that what has a place is always in front.
 */
#include "services/ranking/places.h"

#include "services/ranking/eligible.h"
#include "services/ranking/token.h"

#define HOUR_MS INT64_C(3600000)

/* ---- before the places ---- */

/* As bits, by their places in the placement. */
static uint32_t matching_boosts(const struct vt__run *run, uint32_t number)
{
    const struct vt_placement *placement = run->placement;
    struct vt_item item;
    uint32_t boosts = 0;
    if (vt_sight_tells_u32(run->sight, &boosts))
        return boosts;
    bool known = vt_item_table_get(run->sight->items, number, &item);
    for (uint32_t b = 0; known && b < placement->n_boosts; b++)
        if (vt_match_item(&placement->boosts[b].match, run->sight->items, &item, run->now_ms))
            boosts |= 1U << b;
    vt_sight_note_u32(run->sight, boosts);
    return boosts;
}

void vt__apply_boosts(const struct vt__run *run, struct vt__scored *scored, uint32_t n)
{
    const struct vt_placement *placement = run->placement;
    for (uint32_t i = 0; i < n && placement->n_boosts > 0; i++) {
        scored[i].boosts = matching_boosts(run, scored[i].candidate->item);
        for (uint32_t b = 0; b < placement->n_boosts; b++)
            if ((scored[i].boosts >> b & 1) != 0)
                scored[i].factor *= placement->boosts[b].factor;
        /* Of a score below 0 a boost makes less. */
        scored[i].score = scored[i].score < 0 ? scored[i].score / scored[i].factor
                                              : scored[i].score * scored[i].factor;
    }
}

uint32_t vt__running_campaigns(const struct vt_placement *placement, struct vt_item_table *items,
                               int64_t now_ms, uint32_t *ret_numbers)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < placement->n_campaigns; c++) {
        const struct vt_campaign *campaign = placement->campaigns[c];
        bool runs =
            now_ms >= campaign->from_ms && (campaign->until_ms == 0 || now_ms < campaign->until_ms);
        for (uint32_t i = 0; runs && i < campaign->n_items; i++) {
            uint32_t number = vt_sku_number(&campaign->items[i], items);
            if (number != 0 && !vt__is_listed(ret_numbers, n, number))
                ret_numbers[n++] = number;
        }
    }
    return n;
}

/* Takes scored[at], which has no place yet, out of the arrays. */
static struct vt__scored take_out(struct vt__places *places, uint32_t at)
{
    struct vt__scored taken = places->scored[at];
    if (at < places->pool) {
        places->scored[at] = places->scored[--places->pool];
        at = places->pool;
    }
    places->scored[at] = places->scored[--places->n_scored];
    return taken;
}

/* Where among those without a place the item is; UINT32_MAX: nowhere. */
static uint32_t find(const struct vt__places *places, uint32_t item)
{
    for (uint32_t i = places->n; i < places->n_scored; i++)
        if (places->scored[i].candidate->item == item)
            return i;
    return UINT32_MAX;
}

static bool has_place(const struct vt__places *places, uint32_t item)
{
    for (uint32_t i = 0; i < places->n; i++)
        if (places->scored[i].candidate->item == item)
            return true;
    return false;
}

/* A pin that waits for its place stands nowhere else. */
static bool is_pinned(const struct vt__places *places, uint32_t item)
{
    for (uint32_t p = 0; p < places->placement->n_pins; p++)
        if (places->pinned[p].candidate != NULL && places->pinned[p].candidate->item == item)
            return true;
    return false;
}

/* An item that no source found, or whose place is given whatever its score is. */
static struct vt_err make_scored(const struct vt__places *places, uint32_t item, uint32_t sources,
                                 struct vt__scored *ret_scored)
{
    struct vt_candidate *candidate =
        vt_arena_array(places->run->request->arena, 1, sizeof *candidate);
    VT_CHECK(candidate != NULL, VT_EXHAUSTED, "the request's memory is full");
    candidate->item = item;
    candidate->sources = sources;
    *ret_scored = (struct vt__scored){.candidate = candidate, .row = UINT32_MAX, .factor = 1};
    return vt_ok();
}

static struct vt_err take_pins(struct vt__places *places)
{
    for (uint32_t p = 0; p < places->placement->n_pins; p++) {
        struct vt_pin *pin = &places->placement->pins[p];
        uint32_t item = vt_sight_sku(places->sight, &pin->sku);
        if (pin->place > places->capacity || item == 0 || is_pinned(places, item) ||
            !vt__is_pinnable(places->run, item))
            continue;
        uint32_t at = find(places, item);
        if (at != UINT32_MAX)
            places->pinned[p] = take_out(places, at);
        else
            VT_TRY(make_scored(places, item, 0, &places->pinned[p]));
        places->pinned[p].rules |= 1U << VT_RULE_PIN;
    }
    return vt_ok();
}

static uint64_t hash_numbers(const struct vt__run *run, const uint32_t *numbers, uint32_t n)
{
    return vt_token_hash(run->service->options.token_key, vt_slice(numbers, n * sizeof *numbers));
}

/* A function of who asks, where, about what, and the hour: the same request shows the same items
 * for an hour, in every process that shares the token key. */
static uint64_t seed_of(const struct vt__run *run, uint64_t configured)
{
    const struct vt_profile_key *who = &run->query.who;
    const unsigned char *key = run->service->options.token_key;
    uint64_t seed;
    if (vt_sight_tells_u64(run->sight, &seed))
        return seed;
    struct vt_slice id = vt_identity_choose(who->customer_id, who->visitor_id, who->identity).id;
    struct vt__random random = {vt_token_hash(key, id) ^ configured};
    random.state = vt__random_next(&random) ^ vt_token_hash(key, run->query.placement);
    random.state = vt__random_next(&random) ^ hash_numbers(run, run->context, run->n_context);
    random.state = vt__random_next(&random) ^ (uint64_t)(run->now_ms / HOUR_MS);
    seed = vt__random_next(&random);
    vt_sight_note_u64(run->sight, seed);
    return seed;
}

static void begin_exploration(struct vt__places *places)
{
    const struct vt_exploration *options = &places->placement->exploration;
    if (options->quota > 0 && places->run->query.mode == VT_RANKING_RECOMMEND)
        vt__exploration_init(&places->exploration, options, places->sight, places->run->now_ms,
                             seed_of(places->run, options->seed), places->scored, places->n_scored,
                             places->capacity);
}

static void fill_pool(struct vt__places *places)
{
    uint32_t wanted = vt__diversity_pool(places->capacity);
    struct vt__scored *waiting = places->scored + places->pool;
    uint32_t n = vt__select_best(waiting, places->n_scored - places->pool, wanted);
    vt__diversity_enter(&places->diversity, waiting, n);
    places->pool += n;
}

struct vt_err vt__places_init(struct vt__places *places, const struct vt__run *run,
                              const struct vt__places_options *options)
{
    struct vt_arena *arena = run->request->arena;
    *places = (struct vt__places){.run = run,
                                  .placement = run->placement,
                                  .sight = run->sight,
                                  .scored = options->scored,
                                  .n_scored = options->n_scored,
                                  .capacity = options->capacity,
                                  .fill = options->fill,
                                  .number = 1};
    vt__diversity_init(&places->diversity, options->level, options->bundle);
    VT_TRY(vt__caps_init(&places->caps, places->placement, places->sight, run->now_ms,
                         places->capacity, arena));
    places->drops = vt_arena_array(
        arena, places->caps.n_caps > 0 ? (size_t)options->n_scored + 1 : 1, sizeof *places->drops);
    VT_CHECK(places->drops != NULL, VT_EXHAUSTED, "the request's memory is full");
    vt__apply_boosts(run, places->scored, places->n_scored);
    VT_TRY(take_pins(places));
    begin_exploration(places);
    fill_pool(places);
    return vt_ok();
}

/* ---- one place ---- */

/* The next place is the item's; whoever waits at the front of the pool goes to its end. */
static void give_place(struct vt__places *places, const struct vt__scored *scored)
{
    if (places->n < places->pool) {
        places->scored[places->n_scored] = places->scored[places->pool];
        places->scored[places->pool] = places->scored[places->n];
    } else {
        places->scored[places->n_scored] = places->scored[places->n];
    }
    places->pool++;
    places->n_scored++;
    places->scored[places->n] = *scored;
    vt__diversity_enter(&places->diversity, &places->scored[places->n], 1);
    vt__caps_add(&places->caps, scored->candidate->item);
    vt__exploration_remove(&places->exploration, scored->candidate->item);
    places->n++;
}

static bool is_admitted(struct vt__places *places, uint32_t item)
{
    uint32_t cap = 0;
    return vt__caps_admit(&places->caps, item, &cap);
}

static const struct vt__scored *pin_here(const struct vt__places *places)
{
    for (uint32_t p = 0; p < places->placement->n_pins; p++)
        if (places->placement->pins[p].place == places->n + 1 &&
            places->pinned[p].candidate != NULL)
            return &places->pinned[p];
    return NULL;
}

/* Of a list that ends before its pins: they close up. */
static const struct vt__scored *first_pin_left(const struct vt__places *places)
{
    const struct vt_pin *pins = places->placement->pins;
    uint32_t first = UINT32_MAX;
    for (uint32_t p = 0; p < places->placement->n_pins; p++)
        if (places->pinned[p].candidate != NULL &&
            !has_place(places, places->pinned[p].candidate->item) &&
            (first == UINT32_MAX || pins[p].place < pins[first].place))
            first = p;
    return first != UINT32_MAX ? &places->pinned[first] : NULL;
}

static bool is_slot(const struct vt__places *places)
{
    for (uint32_t s = 0; s < places->placement->n_slots; s++)
        if (places->placement->slots[s] == places->n + 1)
            return true;
    return false;
}

/* The campaigns' item of the highest value; those that no source found come last, as written. */
static struct vt_err best_of_campaigns(struct vt__places *places, struct vt__scored *ret_scored)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = places->n; i < places->n_scored; i++) {
        uint32_t item = places->scored[i].candidate->item;
        if (!vt__is_listed(places->run->campaign, places->run->n_campaign, item) ||
            !is_admitted(places, item))
            continue;
        double difference =
            best != UINT32_MAX ? places->scored[i].score - places->scored[best].score : 1;
        if (difference > 0 || (!(difference < 0) && item < places->scored[best].candidate->item))
            best = i;
    }
    if (best != UINT32_MAX) {
        *ret_scored = take_out(places, best);
        return vt_ok();
    }
    for (uint32_t c = 0; c < places->run->n_campaign; c++) {
        uint32_t item = places->run->campaign[c];
        if (!has_place(places, item) && !is_pinned(places, item) &&
            vt__is_eligible(places->run, item) && is_admitted(places, item))
            return make_scored(places, item, 0, ret_scored);
    }
    return vt_ok();
}

static bool draw_new(struct vt__places *places, struct vt__scored *ret_scored)
{
    bool wanted = places->run->query.explain || places->run->query.return_details;
    double propensity = 0;
    for (uint32_t item;
         (item = vt__exploration_draw(&places->exploration, wanted, &propensity)) != UINT32_MAX;) {
        uint32_t at = find(places, item);
        if (at == UINT32_MAX || !is_admitted(places, item))
            continue;
        *ret_scored = take_out(places, at);
        ret_scored->propensity = propensity;
        return true;
    }
    return false;
}

static void drop(struct vt__places *places, uint32_t at, uint32_t cap)
{
    struct vt__scored dropped = take_out(places, at);
    places->drops[places->n_drops++] =
        (struct vt_rule_drop){.item = dropped.candidate->item, .cap = cap};
}

static bool best_of_rest(struct vt__places *places, struct vt__scored *ret_scored)
{
    while (places->n < places->n_scored) {
        uint32_t cap = 0;
        if (places->n == places->pool)
            fill_pool(places);
        uint32_t best =
            vt__diversity_best(&places->diversity, places->scored, places->n, places->pool);
        if (vt__caps_admit(&places->caps, places->scored[best].candidate->item, &cap)) {
            *ret_scored = take_out(places, best);
            ret_scored->score = vt__diversity_value(&places->diversity, ret_scored);
            return true;
        }
        drop(places, best, cap);
    }
    return false;
}

static bool can_fill(struct vt__places *places, uint32_t item)
{
    return vt__is_eligible(places->run, item) && !has_place(places, item) &&
           !is_pinned(places, item) && is_admitted(places, item);
}

/* The next of all numbers, or of those that the filter is known to keep; 0: there is none. */
static uint32_t next_number(struct vt__places *places)
{
    const struct vt_filter_set *set = places->run->filter.set;
    uint32_t next = set != NULL ? vt_filter_set_next(set, places->number) : places->number;
    places->number = next != 0 ? next + 1 : UINT32_MAX;
    return next;
}

/* What is popular, then any by number; 0: nothing is left. What was looked at and passed over is
 * no part of a record: only where the search ended. */
static uint32_t find_filler(struct vt__places *places)
{
    const struct vt_item_table *items = places->sight->items;
    uint32_t n_popular = 0, last = vt_item_table_max_number(items);
    const uint32_t *popular = vt_item_table_popular(items, &n_popular);
    while (places->popular < n_popular) {
        uint32_t next = popular[places->popular++];
        if (can_fill(places, next))
            return next;
    }
    while (places->number <= last) {
        uint32_t next = next_number(places);
        if (next != 0 && can_fill(places, next))
            return next;
    }
    return 0;
}

static uint32_t next_filler(struct vt__places *places)
{
    struct vt_sight *sight = places->sight;
    uint32_t item;
    if (vt_sight_tells_u32(sight, &item))
        return item;
    struct vt_pack *notes = sight->notes;
    sight->notes = NULL;
    item = find_filler(places);
    sight->notes = notes;
    vt_sight_note_u32(sight, item);
    return item;
}

static struct vt_err filler(struct vt__places *places, struct vt__scored *ret_scored)
{
    uint32_t item = places->fill ? next_filler(places) : 0;
    if (item == 0)
        return vt_ok();
    VT_TRY(make_scored(places, item, 1U << VT_SOURCE_POPULAR, ret_scored));
    /* Only just made, and ours: const for everybody else. */
    ((struct vt_candidate *)ret_scored->candidate)->scores[VT_SOURCE_POPULAR] =
        vt_sight_count(places->sight, item);
    return vt_ok();
}

static struct vt_err choose(struct vt__places *places, struct vt__scored *ret_scored)
{
    const struct vt__scored *pin = pin_here(places);
    if (pin != NULL) {
        *ret_scored = *pin;
        return vt_ok();
    }
    if (places->run->n_campaign > 0 && is_slot(places)) {
        VT_TRY(best_of_campaigns(places, ret_scored));
        ret_scored->rules |= 1U << VT_RULE_SLOT;
        if (ret_scored->candidate != NULL)
            return vt_ok();
    }
    if (places->exploration.n_arms > 0 &&
        vt__exploration_is_place(&places->exploration, places->n, places->capacity) &&
        draw_new(places, ret_scored)) {
        ret_scored->rules = 1U << VT_RULE_EXPLORE;
        return vt_ok();
    }
    ret_scored->rules = 0;
    if (best_of_rest(places, ret_scored))
        return vt_ok();
    VT_TRY(filler(places, ret_scored));
    pin = ret_scored->candidate == NULL ? first_pin_left(places) : NULL;
    if (pin != NULL)
        *ret_scored = *pin;
    return vt_ok();
}

struct vt_err vt__places_next(struct vt__places *places, const struct vt__scored **ret_scored)
{
    struct vt__scored chosen = {0};
    *ret_scored = NULL;
    if (places->n == places->capacity)
        return vt_ok();
    VT_TRY(choose(places, &chosen));
    if (chosen.candidate == NULL)
        return vt_ok();
    if (chosen.factor > 1)
        chosen.rules |= 1U << VT_RULE_BOOST;
    if (chosen.factor < 1)
        chosen.rules |= 1U << VT_RULE_BURY;
    give_place(places, &chosen);
    *ret_scored = &places->scored[places->n - 1];
    return vt_ok();
}
