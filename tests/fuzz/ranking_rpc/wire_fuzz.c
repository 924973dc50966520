/* Any bytes, as the three requests that storefronts send: what comes out is within the limits that
 * the domain relies on. */
#include "services/ranking/wire.h"
#include "tests/testlib/fuzz.h"

typedef struct vt_err (*decode_fn)(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_ranking_query *ret_query);

static struct vt_err judge(decode_fn decode, struct vt_slice body, struct vt_arena *arena,
                           struct vt_diag *diag)
{
    struct vt_ranking_query query;
    VT_TRY(decode(body, arena, diag, &query));
    vt_fuzz_expect(query.n >= 1);
    vt_fuzz_expect(query.n <=
                   (query.mode == VT_RANKING_RANK ? VT_RANK_ITEMS_MAX : VT_RECOMMEND_N_MAX));
    vt_fuzz_expect(query.n_context_ids <= VT_RECOMMEND_CONTEXT_MAX);
    vt_fuzz_expect(query.n_exclude_ids <= VT_RECOMMEND_EXCLUDE_MAX);
    vt_fuzz_expect(query.n_rank_ids <= VT_RANK_ITEMS_MAX);
    vt_fuzz_expect(query.diversity <= 4);
    vt_fuzz_read(query.context_ids, query.n_context_ids);
    vt_fuzz_read(query.exclude_ids, query.n_exclude_ids);
    vt_fuzz_read(query.rank_ids, query.n_rank_ids);
    vt_fuzz_read(&query.placement, 1);
    vt_fuzz_read(&query.who.customer_id, 1);
    vt_fuzz_read(&query.who.visitor_id, 1);
    return vt_ok();
}

static struct vt_err recommend(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                               struct vt_slice *ret_again)
{
    (void)ret_again;
    return judge(vt_wire_recommend_decode, body, arena, diag);
}

static struct vt_err rank(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                          struct vt_slice *ret_again)
{
    (void)ret_again;
    return judge(vt_wire_rank_decode, body, arena, diag);
}

static struct vt_err similar(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                             struct vt_slice *ret_again)
{
    (void)ret_again;
    return judge(vt_wire_similar_decode, body, arena, diag);
}

static const vt_fuzz_case_fn cases[] = {recommend, rank, similar};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return vt_fuzz_run(cases, sizeof cases / sizeof cases[0], data, size);
}
