/*
 * A newcomer's factor lies in the space of the others, so the exact search over the table of
 * newcomers is the search over rows once more, and a newcomer is scored as a row is: by the
 * version's mix with the members that nobody has touched it for at 0, or by its factor alone.
 */
#include "services/candidate/sources_content.h"

#include "services/candidate/because.h"
#include "services/candidate/model_score.h"

#include <math.h>

static bool is_allowed(void *ctx, uint32_t place)
{
    const struct vt__gathering *gathering = ctx;
    return vt__sources_allow_newcomer(gathering, gathering->newcomers->items[place]);
}

static bool may_find(const struct vt__gathering *gathering)
{
    return gathering->has_vector && gathering->newcomers != NULL && gathering->newcomers->n > 0;
}

struct vt_err vt__content_find(struct vt__gathering *gathering)
{
    if (!may_find(gathering) || vt__budget(gathering->query, VT_SOURCE_CONTENT) == 0)
        return vt_ok();
    const struct vt__newcomer_table *table = gathering->newcomers;
    const struct vt_index_query query = {
        .vector = gathering->scratch->vector,
        .n = vt__budget(gathering->query, VT_SOURCE_CONTENT),
        .measure = VT_INDEX_DOT,
        .allowed = is_allowed,
        .allowed_ctx = gathering,
    };
    struct vt_index_hit *hits = gathering->scratch->hits;
    uint32_t n_hits = 0;
    VT_TRY(vt_index_search(table->index, &query, hits, &n_hits));
    for (uint32_t i = 0; i < n_hits && hits[i].score > 0; i++)
        vt__sources_add(gathering, table->items[hits[i].row], UINT32_MAX, i);
    return vt_ok();
}

void vt__content_score(const struct vt__gathering *gathering, struct vt_candidate *candidate)
{
    if (!may_find(gathering) || gathering->query->similar)
        return;
    const struct vt__newcomer_table *table = gathering->newcomers;
    uint32_t place = vt__newcomer_place(table, candidate->item);
    if (place == UINT32_MAX)
        return;
    double score = vt_index_score(table->index, VT_INDEX_DOT, place, gathering->scratch->vector);
    vt__sources_set_score(candidate, VT_SOURCE_CONTENT, score);
    if (gathering->has_model)
        vt__sources_set_score(
            candidate, VT_SOURCE_MODEL,
            vt__model_score_newcomer(gathering, score,
                                     vt_item_table_count(gathering->items, candidate->item)));
    else
        vt__sources_set_score(candidate, VT_SOURCE_FACTOR, score);
    if (candidate->because == 0)
        candidate->because =
            vt__because(gathering, table->factors + (size_t)place * table->row_stride,
                        vt_index_norm(table->index, place));
}
