/*
 * The members of a blend before they are one model: which families there are, and their weights as
 * a validation part has them.
 */
#include "models/algorithm/blend_parts.h"

#include "models/blend/weights.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 512 };

static const struct {
    const struct vt__family *family;
    bool in_kernel;
} table[VT_BLEND_FAMILIES] = {
    [VT_BLEND_IALS] = {&vt__family_ials, false},
    [VT_BLEND_EASE] = {&vt__family_ease, true},
    [VT_BLEND_SHARPENED] = {&vt__family_sharpened, true},
    [VT_BLEND_GRAPH] = {&vt__family_graph, true},
    [VT_BLEND_ITEMCF] = {&vt__family_itemcf, false},
    [VT_BLEND_POPULARITY] = {&vt__family_popularity, false},
};

const struct vt__family *vt__blend_family(enum vt_blend_family family)
{
    return table[family].family;
}

bool vt__blend_in_kernel(enum vt_blend_family family)
{
    return table[family].in_kernel;
}

void vt__tell(const struct vt_algorithm_options *options, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    if (options->tell == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    options->tell(options->tell_ctx, line);
}

/* ---- popularity on the scale that serves ---- */

struct log_popularity {
    struct vt_trained counts;
    uint32_t n_items;
};

static struct vt_err log_popularity_score(const void *self,
                                          const struct vt_weighted_history *history, void *scratch,
                                          double *ret_scores)
{
    const struct log_popularity *popularity = self;
    const struct vt_recommender *recommender = &popularity->counts.recommender;
    VT_TRY(recommender->score(recommender->self, history, scratch, ret_scores));
    for (uint32_t item = 0; item < popularity->n_items; item++)
        ret_scores[item] = log1p(ret_scores[item]);
    return vt_ok();
}

static void log_popularity_free(void *model)
{
    struct log_popularity *popularity = model;
    vt_trained_free(&popularity->counts);
    free(popularity);
}

/* On failure `trained` stays as it was. */
static struct vt_err make_logarithmic(uint32_t n_items, struct vt_trained *trained)
{
    struct log_popularity *popularity = malloc(sizeof *popularity);
    VT_CHECK(popularity != NULL, VT_EXHAUSTED, "out of memory for the model");
    *popularity = (struct log_popularity){*trained, n_items};
    trained->recommender = (struct vt_recommender){
        .name = "popularity", .self = popularity, .score = log_popularity_score};
    trained->model = popularity;
    trained->free_model = log_popularity_free;
    return vt_ok();
}

/* ---- parts ---- */

struct vt_err vt__blend_parts_add(enum vt_blend_family family, const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt__blend_parts *parts)
{
    struct vt_trained *trained = &parts->trained[parts->n];
    struct vt_algorithm_options quiet = *options;
    quiet.progress = NULL;
    VT_TRY(table[family].family->train(matrix, &quiet, diag, trained));
    parts->family[parts->n] = family;
    parts->parts[parts->n++] =
        (struct vt_blend_part){&trained->recommender, table[family].in_kernel};
    return family == VT_BLEND_POPULARITY ? make_logarithmic(matrix->n_cols, trained) : vt_ok();
}

void vt__blend_parts_free(struct vt__blend_parts *parts)
{
    for (uint32_t p = 0; p < parts->n; p++)
        vt_trained_free(&parts->trained[p]);
    *parts = (struct vt__blend_parts){0};
}

struct vt_err vt__blend_find(const struct vt__blend_parts *parts, const struct vt_sparse *fit,
                             const struct vt_sparse *held,
                             const struct vt_algorithm_options *options, double *ret_weight,
                             struct vt_blend_weights *ret_measured)
{
    const struct vt_blend_table_input input = {.parts = parts->parts,
                                               .n_parts = parts->n,
                                               .fit = fit,
                                               .held = held,
                                               .threads = options->threads};
    struct vt_blend_search search = {.k = options->blend.k, .threads = options->threads};
    struct vt_blend_table candidates;
    struct vt_blend_weights found;
    VT_TRY(vt_blend_table_make(&input, &candidates));
    for (uint32_t p = 0; p < parts->n; p++) {
        search.start[p] = options->blend.weight[parts->family[p]];
        search.is_signed[p] = parts->family[p] == VT_BLEND_POPULARITY;
    }
    struct vt_err err = vt_blend_find_weights(&candidates, &search, &found);
    vt_blend_table_free(&candidates);
    if (vt_failed(err))
        return err;
    for (uint32_t f = 0; f < VT_BLEND_FAMILIES; f++)
        ret_weight[f] = 0;
    for (uint32_t p = 0; p < parts->n; p++)
        ret_weight[parts->family[p]] = found.weight[p];
    if (ret_measured != NULL)
        *ret_measured = found;
    return vt_ok();
}
