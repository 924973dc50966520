/*
 * Recipes as the parameters of a manifest tell them. A family that searched wrote down what it
 * settled on, so that its recipe is the result and training it again searches nothing. A blend that
 * did not search says its weights but not its parts' settings: such a recipe is not known.
 */
#include "models/train/recipe.h"

#include <stdio.h>
#include <string.h>

static const char *find_parameter(const struct vt_bundle_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->n_parameters; i++)
        if (strcmp(view->parameters[i].name, name) == 0)
            return view->parameters[i].value;
    return NULL;
}

/* What a refresh may change and still be the same recipe. */
static bool is_free(const char *name)
{
    static const char *const names[] = {"iterations", "seed", "test_share", "k", "chosen"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "warm", 4) == 0 || strncmp(name, "content_", 8) == 0;
}

bool vt__recipe_same(const struct vt_bundle_view *a, const struct vt_bundle_view *b)
{
    if (strcmp(a->algorithm, b->algorithm) != 0)
        return false;
    for (uint32_t i = 0; i < a->n_parameters; i++) {
        const char *value = find_parameter(b, a->parameters[i].name);
        if (!is_free(a->parameters[i].name) &&
            (value == NULL || strcmp(value, a->parameters[i].value) != 0))
            return false;
    }
    return true;
}

/* ---- against a training that is under way ---- */

struct match {
    const struct vt_bundle_view *view;
    bool same;
};

static void match_one(void *ctx, const char *name, const char *value)
{
    struct match *match = ctx;
    const char *theirs = find_parameter(match->view, name);
    if (!is_free(name) && (theirs == NULL || strcmp(theirs, value) != 0))
        match->same = false;
}

/* "key=value" */
static void match_setting(struct match *match, const char *setting)
{
    const size_t len = strcspn(setting, "=");
    char key[VT_SETTING_BYTES];
    snprintf(key, sizeof key, "%.*s", (int)len, setting);
    match_one(match, key, setting + len + (setting[len] == '='));
}

bool vt__recipe_is(const struct vt_bundle_view *view, const struct vt_settled *settled,
                   const struct vt_train_options *options)
{
    if (strcmp(view->algorithm, vt_algorithm_name(options->algorithm)) != 0)
        return false;
    struct match match = {.view = view, .same = true};
    if (settled->n_settings == 0)
        vt_algorithm_settings(options->algorithm, &options->algorithm_options, match_one, &match);
    for (uint32_t i = 0; i < settled->n_settings; i++)
        match_setting(&match, settled->settings[i]);
    return match.same;
}

/* ---- the same again ---- */

/* Bit by bit would tell −0 from 0. */
static bool same_numbers(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] < b[i] || a[i] > b[i])
            return false;
    return true;
}

static bool same_weighing(const struct vt_bundle_view *view,
                          const struct vt_dataset_options *dataset)
{
    const size_t n = sizeof view->event_weights / sizeof view->event_weights[0] - 1;
    const double apart = view->decay_half_life_days - dataset->decay_half_life_days;
    return same_numbers(view->event_weights + 1, dataset->event_weights + 1, n) &&
           same_numbers(view->value_exponents + 1, dataset->value_exponents + 1, n) && apart <= 0 &&
           apart >= 0;
}

bool vt__recipe_of(const struct vt_bundle_view *view, const struct vt_train_options *options,
                   const struct vt_algorithm **ret_algorithm,
                   struct vt_algorithm_options *ret_options)
{
    const char *settled = find_parameter(view, "settled_on");
    const char *name = settled != NULL ? settled : view->algorithm;
    const struct vt_algorithm *algorithm = vt_algorithm_find(name, NULL);
    const bool composed = strcmp(name, "blend") == 0 || strcmp(name, "auto") == 0;
    if (algorithm == NULL || !vt_algorithm_serves(algorithm) || (composed && settled == NULL) ||
        !same_weighing(view, &options->dataset))
        return false;
    vt_algorithm_options_default(ret_options);
    ret_options->seed = options->algorithm_options.seed;
    ret_options->threads = options->algorithm_options.threads;
    ret_options->memory_bytes = options->algorithm_options.memory_bytes;
    for (uint32_t i = 0; i < view->n_parameters; i++) {
        char text[VT_BUNDLE_NAME_BYTES + VT_BUNDLE_VALUE_BYTES + 1];
        snprintf(text, sizeof text, "%s=%s", view->parameters[i].name, view->parameters[i].value);
        vt_err_ignore(vt_algorithm_set(algorithm, text, NULL, ret_options),
                      "a parameter that is no setting of the family: k, seed, content_language");
    }
    *ret_algorithm = algorithm;
    return true;
}
