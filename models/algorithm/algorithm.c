/*
 * The list of families and what is common to them: finding one by name, and setting an option by
 * its key through the table of offsets that the family gives. A new family is one file and one line
 * here.
 */
#include "models/algorithm/auto_search.h"
#include "services/common/base/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 64, LIST_BYTES = 1024 };

struct vt_algorithm {
    const struct vt__family *family;
};

static const struct vt_algorithm algorithms[] = {
    {&vt__family_ials},        {&vt__family_ease},    {&vt__family_graph},  {&vt__family_sharpened},
    {&vt__family_autoencoder}, {&vt__family_boosted}, {&vt__family_itemcf}, {&vt__family_usercf},
    {&vt__family_popularity},  {&vt__family_content}, {&vt__family_blend},  {&vt__family_auto},
};
enum { N_ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

#define CHOICES                                                                                    \
    "ials|ease|graph|sharpened|autoencoder|boosted|itemcf|usercf|popularity|content|blend|auto"

void vt_algorithm_options_default(struct vt_algorithm_options *ret_options)
{
    *ret_options = (struct vt_algorithm_options){.seed = 1};
    vt_ials_options_default(&ret_options->ials);
    vt_ease_options_default(&ret_options->ease);
    vt_graph_options_default(&ret_options->graph);
    vt_graph_options_sharpened(&ret_options->sharpened);
    vt_boost_options_default(&ret_options->boosted.boost);
    ret_options->boosted.candidates = 200;
    ret_options->boosted.users = 6000;
    vt_autoencoder_options_default(&ret_options->autoencoder);
    vt_neighbor_options_default(&ret_options->neighbor);
    vt_user_neighbors_options_default(&ret_options->user_neighbors);
    vt_content_options_default(&ret_options->content);
    vt_blend_options_default(&ret_options->blend);
}

void vt_trained_free(struct vt_trained *trained)
{
    if (trained->free_model != NULL)
        trained->free_model(trained->model);
    *trained = (struct vt_trained){0};
}

/* ---- finding one ---- */

const struct vt_algorithm *vt_algorithm_at(size_t place)
{
    return place < N_ALGORITHMS ? &algorithms[place] : NULL;
}

const char *vt_algorithm_name(const struct vt_algorithm *algorithm)
{
    return algorithm->family->name;
}

const char *vt_algorithm_summary(const struct vt_algorithm *algorithm)
{
    return algorithm->family->summary;
}

const char *vt_algorithm_choices(void)
{
    return CHOICES;
}

bool vt_algorithm_serves(const struct vt_algorithm *algorithm)
{
    return algorithm->family->serves;
}

const struct vt_algorithm *vt_algorithm_find(const char *name, struct vt_diag *diag)
{
    const char *names[N_ALGORITHMS];
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        names[i] = algorithms[i].family->name;
        if (strcmp(names[i], name) == 0)
            return &algorithms[i];
    }
    const char *nearest = vt_nearest_name(name, names, N_ALGORITHMS);
    vt_diag_set(diag, "algorithm", "unknown algorithm '%s'%s%s%s; there are %s", name,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'" : "", CHOICES);
    return NULL;
}

/* ---- settings ---- */

static struct vt_err refuse_key(const struct vt__family *family, const char *key,
                                struct vt_diag *diag)
{
    const char *keys[VT__SETTINGS_MAX];
    char list[LIST_BYTES] = "";
    size_t n = 0;
    for (; n < VT__SETTINGS_MAX && family->settings[n].key != NULL; n++) {
        keys[n] = family->settings[n].key;
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", keys[n]);
    }
    const char *nearest = vt_nearest_name(key, keys, n);
    vt_diag_set(diag, key, "%s has no setting '%s'%s%s%s; it has:%s", family->name, key,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'?" : "", n > 0 ? list : " none");
    return VT_ERR(VT_INVALID, "unknown setting");
}

/* The place of `text` in "a|b|c"; UINT32_MAX: not in it. */
static uint32_t place_of_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    uint32_t place = 0;
    for (const char *at = choices; at != NULL; place++) {
        const char *end = strchr(at, '|');
        size_t choice_len = end != NULL ? (size_t)(end - at) : strlen(at);
        if (choice_len == len && memcmp(at, text, len) == 0)
            return place;
        at = end != NULL ? end + 1 : NULL;
    }
    return UINT32_MAX;
}

static struct vt_err apply_choice(const struct vt__setting *setting, const char *text,
                                  struct vt_diag *diag, void *field)
{
    uint32_t place = place_of_choice(setting->choices, text);
    if (place == UINT32_MAX) {
        vt_diag_set(diag, setting->key, "'%s' is not one of %s", text, setting->choices);
        return VT_ERR(VT_INVALID, "a setting's value is not one of its choices");
    }
    memcpy(field, &place, sizeof place);
    return vt_ok();
}

static struct vt_err apply_number(const struct vt__setting *setting, const char *text,
                                  struct vt_diag *diag, void *field)
{
    char *end;
    double value = strtod(text, &end);
    bool whole = setting->kind != VT__SETTING_U32 || (isfinite(value) && floor(value) >= value);
    if (end == text || *end != '\0' || !whole || !(value >= setting->min) ||
        !(value <= setting->max)) {
        vt_diag_set(diag, setting->key, "'%s' is not a %s from %g to %g", text,
                    setting->kind == VT__SETTING_U32 ? "whole number" : "number", setting->min,
                    setting->max);
        return VT_ERR(VT_INVALID, "a setting's value is out of range");
    }
    if (setting->kind == VT__SETTING_U32)
        memcpy(field, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    else
        memcpy(field, &value, sizeof value);
    return vt_ok();
}

/* "family.key=value" of a family that is made of others: NULL when the text is not that. */
static const struct vt_algorithm *find_part(const struct vt__family *family, const char *key_value,
                                            const char **ret_rest)
{
    const size_t len = strcspn(key_value, ".=");
    if (!family->composed || key_value[len] != '.')
        return NULL;
    for (size_t i = 0; i < N_ALGORITHMS; i++)
        if (strlen(algorithms[i].family->name) == len && !algorithms[i].family->composed &&
            memcmp(algorithms[i].family->name, key_value, len) == 0) {
            *ret_rest = key_value + len + 1;
            return &algorithms[i];
        }
    return NULL;
}

struct vt_err vt_algorithm_set(const struct vt_algorithm *algorithm, const char *key_value,
                               struct vt_diag *diag, struct vt_algorithm_options *options)
{
    char key[KEY_BYTES_MAX];
    const char *rest;
    const struct vt_algorithm *part = find_part(algorithm->family, key_value, &rest);
    if (part != NULL)
        return vt_algorithm_set(part, rest, diag, options);
    const char *equals = strchr(key_value, '=');
    if (equals == NULL || equals == key_value || equals - key_value >= KEY_BYTES_MAX) {
        vt_diag_set(diag, "set", "'%s' is not key=value", key_value);
        return VT_ERR(VT_INVALID, "a setting is not key=value");
    }
    snprintf(key, sizeof key, "%.*s", (int)(equals - key_value), key_value);
    const struct vt__setting *setting = algorithm->family->settings;
    while (setting->key != NULL && strcmp(setting->key, key) != 0)
        setting++;
    if (setting->key == NULL)
        return refuse_key(algorithm->family, key, diag);
    void *field = (char *)options + setting->offset;
    return setting->kind == VT__SETTING_CHOICE ? apply_choice(setting, equals + 1, diag, field)
                                               : apply_number(setting, equals + 1, diag, field);
}

static void write_choice(const char *choices, uint32_t place, char ret_text[VT_SETTING_BYTES])
{
    while (place-- > 0 && strchr(choices, '|') != NULL)
        choices = strchr(choices, '|') + 1;
    snprintf(ret_text, VT_SETTING_BYTES, "%.*s", (int)strcspn(choices, "|"), choices);
}

static void write_value(const struct vt__setting *setting,
                        const struct vt_algorithm_options *options, char ret_text[VT_SETTING_BYTES])
{
    const char *field = (const char *)options + setting->offset;
    uint32_t whole;
    double number;
    memcpy(&whole, field, sizeof whole);
    if (setting->kind == VT__SETTING_CHOICE) {
        write_choice(setting->choices, whole, ret_text);
    } else if (setting->kind == VT__SETTING_U32) {
        snprintf(ret_text, VT_SETTING_BYTES, "%u", whole);
    } else {
        memcpy(&number, field, sizeof number);
        snprintf(ret_text, VT_SETTING_BYTES, "%.15g", number);
    }
}

void vt_algorithm_settings(const struct vt_algorithm *algorithm,
                           const struct vt_algorithm_options *options, vt_setting_fn fn, void *ctx)
{
    for (const struct vt__setting *setting = algorithm->family->settings; setting->key != NULL;
         setting++) {
        char value[VT_SETTING_BYTES];
        write_value(setting, options, value);
        fn(ctx, setting->key, value);
    }
}

struct vt_err vt_settled_apply(const struct vt_settled *settled, struct vt_diag *diag,
                               const struct vt_algorithm **ret_algorithm,
                               struct vt_algorithm_options *ret_options)
{
    const struct vt_algorithm *algorithm = vt_algorithm_find(settled->algorithm, diag);
    struct vt_algorithm_options options = *ret_options;
    VT_CHECK(algorithm != NULL, VT_INTERNAL, "a search settled on a family that there is not");
    for (uint32_t i = 0; i < settled->n_settings; i++)
        if (vt_failed(vt_algorithm_set(algorithm, settled->settings[i], diag, &options)))
            return VT_ERR(VT_INTERNAL, "a search settled on a setting that there is not");
    *ret_algorithm = algorithm;
    *ret_options = options;
    return vt_ok();
}

/* ---- training ---- */

struct vt_need vt_algorithm_need(const struct vt_algorithm *algorithm, const struct vt_shape *shape,
                                 const struct vt_algorithm_options *options)
{
    struct vt_need need = algorithm->family->need(shape, options);
    need.core_seconds = vt__core_seconds(algorithm->family, shape, options);
    return need;
}

struct vt_err vt_algorithm_train(const struct vt_algorithm *algorithm,
                                 const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options, struct vt_diag *diag,
                                 struct vt_trained *ret_trained)
{
    return algorithm->family->train(matrix, options, diag, ret_trained);
}
