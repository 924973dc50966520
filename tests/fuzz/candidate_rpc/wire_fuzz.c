/* Any bytes, as the query and as the answer of GetCandidates. Both are decoded by one end and
 * encoded by the other, so both are judged by the round trip as well. */
#include "services/candidate/wire.h"
#include "tests/testlib/fuzz.h"

#include <math.h>

static struct vt_err query(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                           struct vt_slice *ret_again)
{
    struct vt_candidate_query query;
    VT_TRY(vt_wire_candidate_query_decode(body, arena, diag, &query));
    vt_fuzz_expect(query.n >= 1 && query.n <= VT_CANDIDATES_MAX);
    vt_fuzz_expect(query.n_history <= VT_HISTORY_MAX && query.n_context <= VT_CONTEXT_MAX);
    vt_fuzz_expect(query.n_exclude <= VT_EXCLUDE_MAX && query.n_score_only <= VT_SCORE_ITEMS_MAX);
    for (uint32_t i = 0; i < query.n_history; i++)
        vt_fuzz_expect(query.history[i].type < VT_EVENT_TYPE_COUNT);
    return vt_wire_candidate_query_encode(&query, arena, ret_again);
}

/* What the blend of the sources relies on. */
static void judge_scores(const struct vt_candidate *candidate)
{
    vt_fuzz_expect(candidate->sources >> VT_SOURCE_COUNT == 0);
    vt_fuzz_expect((candidate->sources & 1U << VT_SOURCE_NONE) == 0);
    for (unsigned source = VT_SOURCE_NONE; source < VT_SOURCE_COUNT; source++)
        vt_fuzz_expect(isfinite(candidate->scores[source]));
}

static struct vt_err list(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                          struct vt_slice *ret_again)
{
    struct vt_candidate_list list;
    VT_TRY(vt_wire_candidate_list_decode(body, arena, diag, &list));
    vt_fuzz_expect(list.n <= VT_CANDIDATES_MAX);
    for (uint32_t i = 0; i < list.n; i++)
        judge_scores(&list.candidates[i]);
    return vt_wire_candidate_list_encode(&list, arena, ret_again);
}

static const vt_fuzz_case_fn cases[] = {query, list};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return vt_fuzz_run(cases, sizeof cases / sizeof cases[0], data, size);
}
