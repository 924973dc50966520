/*
 * The default algorithm. On the data that were measured a blend with found weights is the best or
 * next to the best of all families, because it finds out which of its parts the data suit; which
 * family that is follows no figure of the data (docs/models.md). So the rule takes the largest
 * blend that can be paid, in memory and in time, and below all blends iALS alone, with fewer
 * factors where these do not fit either. What the figures do tell is how strongly iALS has to be
 * regularised: the fewer pairs a customer has, the more.
 *
 * Time is arithmetic (auto_cost.c) and settings are steps, not curves: the same data make the same
 * choice on every machine, and a day's new events seldom another one, which would cost the next
 * training a comparison with the recipe before. docs/adr/0176.
 */
#include "models/algorithm/choose.h"

#include "models/algorithm/auto_search.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Twelve minutes on two cores: with reading and measuring it stays within a quarter of an hour. */
#define CORE_SECONDS_MAX 1440.0
/* Of the memory that training may take; events, matrices and what is measured take the rest. */
#define MEMORY_SHARE 0.5
#define MEMORY_DEFAULT (UINT64_C(4) << 30)
#define MIB ((double)(1 << 20))

enum {
    TRAININGS = 2,       /* to be measured, and of everything */
    THREADS_COUNTED = 2, /* iALS needs a little for each thread; the choice must not follow that */
    FACTORS_MIN = 8,
    KERNEL_CELLS = 32000000, /* rows of many items are kept shorter, so that several kernels fit */
    KERNEL_ROW_MIN = 200,
    KERNEL_ROW_MAX = 1000,
};

/* iALS by the pairs that a customer has on average: measured, docs/models.md, "The default". */
static const struct level {
    double pairs_min;
    const char *regularization, *word;
} levels[] = {
    {45, "0.01", "many"},
    {6, "0.03", "some"},
    {0, "0.1", "few"},
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

/* From the one that finds most to the one that costs least. Popularity joins each blend where that
 * helps (blend.c). */
static const struct tier {
    enum vt_blend_family families[VT_BLEND_FAMILIES];
    uint32_t n;
} tiers[] = {
    {{VT_BLEND_IALS, VT_BLEND_EASE, VT_BLEND_SHARPENED, VT_BLEND_ITEMCF}, 4},
    {{VT_BLEND_IALS, VT_BLEND_EASE, VT_BLEND_ITEMCF}, 3},
    {{VT_BLEND_IALS, VT_BLEND_ITEMCF}, 2},
    {{VT_BLEND_IALS}, 1},
};
enum { N_TIERS = sizeof tiers / sizeof tiers[0] };

static const struct level *level_of(const struct vt_shape *shape)
{
    const double pairs =
        (double)shape->n_interactions / (double)(shape->n_users > 0 ? shape->n_users : 1);
    const struct level *level = levels;
    while (level < &levels[N_LEVELS - 1] && pairs < level->pairs_min)
        level++;
    return level;
}

static bool is_blend(const struct tier *tier)
{
    return tier->n > 1;
}

/* ---- the recipe ---- */

static void put(struct vt_settled *recipe, const char *prefix, const char *key, const char *value)
{
    VT_ASSERT(recipe->n_settings < VT_SETTLED_MAX);
    snprintf(recipe->settings[recipe->n_settings++], VT_SETTING_BYTES, "%s%s=%s", prefix, key,
             value);
}

static void put_number(struct vt_settled *recipe, const char *prefix, const char *key,
                       uint32_t value)
{
    char text[VT_SETTING_BYTES];
    snprintf(text, sizeof text, "%" PRIu32, value);
    put(recipe, prefix, key, text);
}

static uint32_t kernel_row(uint64_t n_items)
{
    const uint64_t fits = KERNEL_CELLS / (n_items > 0 ? n_items : 1);
    return fits > KERNEL_ROW_MAX   ? KERNEL_ROW_MAX
           : fits < KERNEL_ROW_MIN ? KERNEL_ROW_MIN
                                   : (uint32_t)fits / 100 * 100;
}

static bool has(const struct tier *tier, enum vt_blend_family family)
{
    for (uint32_t i = 0; i < tier->n; i++)
        if (tier->families[i] == family)
            return true;
    return false;
}

static void put_blend(const struct tier *tier, uint32_t per_row, struct vt_settled *recipe)
{
    for (int f = 0; f < VT_BLEND_POPULARITY; f++)
        put(recipe, "", vt__blend_family((enum vt_blend_family)f)->name,
            has(tier, (enum vt_blend_family)f) ? "1" : "0");
    put_number(recipe, "", "neighbors", per_row);
    if (has(tier, VT_BLEND_EASE))
        put_number(recipe, "ease.", "neighbors", per_row);
    if (has(tier, VT_BLEND_SHARPENED))
        put_number(recipe, "sharpened.", "neighbors", per_row);
}

static void write_recipe(const struct tier *tier, const struct vt_shape *shape, uint32_t factors,
                         struct vt_settled *ret_recipe)
{
    const char *prefix = is_blend(tier) ? "ials." : "";
    *ret_recipe = (struct vt_settled){.algorithm = is_blend(tier) ? "blend" : "ials"};
    if (is_blend(tier))
        put_blend(tier, kernel_row(shape->n_items), ret_recipe);
    put(ret_recipe, prefix, "regularization", level_of(shape)->regularization);
    put_number(ret_recipe, prefix, "factors", factors);
}

/* ---- what it costs ---- */

static void choose_tier(const struct tier *tier, const struct vt_shape *shape, uint32_t factors,
                        uint64_t memory_bytes, struct vt_choice *ret_choice)
{
    const struct vt_algorithm *algorithm;
    struct vt_algorithm_options options;
    *ret_choice = (struct vt_choice){0};
    vt_algorithm_options_default(&options);
    options.threads = THREADS_COUNTED;
    options.memory_bytes = memory_bytes;
    write_recipe(tier, shape, factors, &ret_choice->recipe);
    const struct vt_err err = vt_settled_apply(&ret_choice->recipe, NULL, &algorithm, &options);
    VT_ASSERT(!vt_failed(err)); /* a recipe of ours */
    const struct vt_need need = vt_algorithm_need(algorithm, shape, &options);
    ret_choice->memory_bytes = need.memory_bytes;
    ret_choice->core_seconds =
        TRAININGS * (is_blend(tier) ? need.core_seconds
                                    : vt__auto_core_seconds(VT_BLEND_IALS, shape, 0, &options));
}

static bool can_be_paid(const struct vt_choice *choice, uint64_t memory_bytes)
{
    return choice->core_seconds <= CORE_SECONDS_MAX &&
           (double)choice->memory_bytes <= MEMORY_SHARE * (double)memory_bytes;
}

/* ---- telling ---- */

static void write_parts(const struct tier *tier, char *ret_text, size_t bytes)
{
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < tier->n; i++)
        snprintf(ret_text + strlen(ret_text), bytes - strlen(ret_text), "%s%s", i > 0 ? ", " : "",
                 vt__blend_family(tier->families[i])->name);
}

/* Why the tiers above were not taken: what the last of them would have cost. */
static void write_refusal(const struct vt_choice *above, uint64_t memory_bytes, char *ret_text,
                          size_t bytes)
{
    ret_text[0] = '\0';
    if (above->recipe.n_settings == 0)
        return;
    if ((double)above->memory_bytes > MEMORY_SHARE * (double)memory_bytes)
        snprintf(ret_text, bytes, "; more families would take %.0f MiB of %.0f",
                 (double)above->memory_bytes / MIB, MEMORY_SHARE * (double)memory_bytes / MIB);
    else
        snprintf(ret_text, bytes, "; more families would take %.0f core seconds of %.0f",
                 above->core_seconds, CORE_SECONDS_MAX);
}

static void tell(const struct tier *tier, const struct vt_shape *shape, uint32_t factors,
                 const struct vt_choice *above, uint64_t memory_bytes, struct vt_choice *choice)
{
    char parts[VT_BLEND_FAMILIES * 16], refusal[128];
    const double users = (double)(shape->n_users > 0 ? shape->n_users : 1);
    const double items = (double)(shape->n_items > 0 ? shape->n_items : 1);
    const double pairs = (double)shape->n_interactions;
    write_parts(tier, parts, sizeof parts);
    write_refusal(above, memory_bytes, refusal, sizeof refusal);
    snprintf(choice->line, sizeof choice->line,
             "algorithm: %s%s%s with %" PRIu32
             " factors, regularization %s, because %.0f customers and %.0f items have %.3g %% of "
             "all pairs, %.1f a customer (%s)%s; about %.0f core seconds; --algorithm NAME says "
             "otherwise",
             is_blend(tier) ? "blend of " : "", parts, is_blend(tier) ? " by weights it finds" : "",
             factors, level_of(shape)->regularization, users, items, 100 * pairs / users / items,
             pairs / users, level_of(shape)->word, refusal, ceil(choice->core_seconds));
    snprintf(choice->note, sizeof choice->note, "by the data: %.3g %% of pairs, %.1f a customer%s",
             100 * pairs / users / items, pairs / users,
             above->recipe.n_settings > 0 ? "; a larger blend does not fit" : "");
}

/* ---- choosing ---- */

uint64_t vt_choice_memory_bytes(uint64_t stated_bytes, uint64_t available_bytes)
{
    if (stated_bytes > 0)
        return stated_bytes;
    return available_bytes < MEMORY_DEFAULT ? available_bytes : MEMORY_DEFAULT;
}

void vt_choose_by_data(const struct vt_shape *shape, uint64_t memory_bytes,
                       struct vt_choice *ret_choice)
{
    struct vt_ials_options ials;
    struct vt_choice choice, above = {0};
    vt_ials_options_default(&ials);
    uint32_t tier = 0, factors = ials.factors;
    choose_tier(&tiers[tier], shape, factors, memory_bytes, &choice);
    while (!can_be_paid(&choice, memory_bytes) &&
           (tier < N_TIERS - 1 || factors / 2 >= FACTORS_MIN)) {
        above = choice;
        if (tier < N_TIERS - 1)
            tier++;
        else
            factors /= 2;
        choose_tier(&tiers[tier], shape, factors, memory_bytes, &choice);
    }
    tell(&tiers[tier], shape, factors, &above, memory_bytes, &choice);
    *ret_choice = choice;
}

static struct vt_err set_all(const struct vt_algorithm *algorithm, const char *const *settings,
                             size_t n, struct vt_diag *diag, struct vt_algorithm_options *options)
{
    for (size_t i = 0; i < n; i++)
        VT_TRY(vt_algorithm_set(algorithm, settings[i], diag, options));
    return vt_ok();
}

/* The first that serves and has all settings; NULL: none has. */
static const struct vt_algorithm *find_by_settings(const char *const *settings, size_t n,
                                                   const struct vt_algorithm_options *options)
{
    const struct vt_algorithm *algorithm;
    for (size_t place = 0; (algorithm = vt_algorithm_at(place)) != NULL; place++) {
        struct vt_algorithm_options tried = *options;
        if (vt_algorithm_serves(algorithm) &&
            !vt_failed(set_all(algorithm, settings, n, NULL, &tried)))
            return algorithm;
    }
    return NULL;
}

struct vt_err vt_choose_by_words(const char *name, const char *const *settings, size_t n_settings,
                                 struct vt_diag *diag, struct vt_algorithm_options *options,
                                 const struct vt_algorithm **ret_algorithm)
{
    const struct vt_algorithm *algorithm = NULL;
    if (name == NULL && n_settings == 0) {
        *ret_algorithm = NULL;
        return vt_ok();
    }
    if (name == NULL)
        algorithm = find_by_settings(settings, n_settings, options);
    if (algorithm == NULL)
        algorithm = vt_algorithm_find(name != NULL ? name : "ials", diag);
    VT_CHECK(algorithm != NULL, VT_INVALID, "unknown algorithm");
    VT_TRY(set_all(algorithm, settings, n_settings, diag, options));
    *ret_algorithm = algorithm;
    return vt_ok();
}
