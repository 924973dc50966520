/*
 * What the calls ask. Requests are serialised when they are sent: a microsecond at most beside the
 * ten that libgrpc takes for a call, and no two are the same bytes, which a cache of answers
 * somewhere on the way would notice. Drawing depends on the seed alone; only the ids of events
 * differ from run to run, since the store takes an id once.
 */
#include "loadtest/workload.h"

#include "loadtest/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIX_BYTES_MAX = 256, WEIGHT_MAX = 1000000 };

/* What a call is drawn from. */
struct drawing {
    const struct workload *workload;
    struct load_random *random;
    uint64_t serial;
    const char *customer;
};

static const char *draw_item(const struct drawing *drawing)
{
    const struct workload *workload = drawing->workload;
    return workload->items.ids[zipf_draw(&workload->item_law, drawing->random)];
}

static struct vt_err make_recommend(const struct drawing *drawing, struct vt_arena *arena,
                                    struct vt_slice *ret_body)
{
    return load_wire_recommend(drawing->customer, drawing->workload->n, arena, ret_body);
}

/* Neighbours in the list of items, from a drawn one on: different ones without a search. */
static struct vt_err make_rank(const struct drawing *drawing, struct vt_arena *arena,
                               struct vt_slice *ret_body)
{
    const struct id_list *items = &drawing->workload->items;
    const char *asked[WORKLOAD_RANK_MAX];
    size_t n = drawing->workload->rank_size < items->n ? drawing->workload->rank_size : items->n;
    uint64_t first = load_random_below(drawing->random, items->n);
    for (size_t i = 0; i < n; i++)
        asked[i] = items->ids[(first + i) % items->n];
    return load_wire_rank(drawing->customer, asked, n, arena, ret_body);
}

static struct vt_err make_similar(const struct drawing *drawing, struct vt_arena *arena,
                                  struct vt_slice *ret_body)
{
    return load_wire_similar(draw_item(drawing), drawing->workload->n, arena, ret_body);
}

static struct vt_err make_event(const struct drawing *drawing, struct vt_arena *arena,
                                struct vt_slice *ret_body)
{
    char id[40];
    snprintf(id, sizeof id, "l%016llx%016llx", (unsigned long long)drawing->workload->run_id,
             (unsigned long long)drawing->serial);
    const struct load_event event = {id, drawing->customer, draw_item(drawing), time(NULL)};
    return load_wire_event(&event, arena, ret_body);
}

static struct vt_err make_profile(const struct drawing *drawing, struct vt_arena *arena,
                                  struct vt_slice *ret_body)
{
    return load_wire_profile(drawing->customer, drawing->workload->n, arena, ret_body);
}

static const struct {
    const char *name, *path;
    bool has_customer, has_items, can_degrade;
    struct vt_err (*make)(const struct drawing *drawing, struct vt_arena *arena,
                          struct vt_slice *ret_body);
} kinds[N_CALL_KINDS] = {
    [CALL_RECOMMEND] = {"recommend", "/vitrine.v1.RecommendationService/Recommend", true, false,
                        true, make_recommend},
    [CALL_RANK] = {"rank", "/vitrine.v1.RecommendationService/Rank", true, true, true, make_rank},
    [CALL_SIMILAR] = {"similar", "/vitrine.v1.RecommendationService/SimilarItems", false, true,
                      true, make_similar},
    [CALL_EVENTS] = {"events", "/vitrine.v1.EventService/WriteEvents", true, true, false,
                     make_event},
    [CALL_PROFILE] = {"profile", "/vitrine.v1.ProfileService/GetProfile", true, false, false,
                      make_profile},
};

const char *workload_name(enum call_kind kind)
{
    return kinds[kind].name;
}

const char *workload_path(enum call_kind kind)
{
    return kinds[kind].path;
}

bool workload_is_degraded(enum call_kind kind, struct vt_slice answer)
{
    return kinds[kind].can_degrade && load_wire_is_degraded(answer);
}

/* ---- the mix ---- */

static int kind_of(const char *name)
{
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        if (strcmp(kinds[kind].name, name) == 0)
            return kind;
    return -1;
}

static struct vt_err parse_part(char *part, uint32_t weights[N_CALL_KINDS], struct vt_diag *diag)
{
    char *end = NULL, *equals = strchr(part, '=');
    unsigned long weight = 0;
    if (equals != NULL) {
        *equals = '\0';
        weight = strtoul(equals + 1, &end, 10);
    }
    int kind = kind_of(part);
    bool is_number = equals != NULL && equals[1] >= '0' && equals[1] <= '9' && *end == '\0';
    if (kind < 0 || !is_number || weight > WEIGHT_MAX || weights[kind] > 0) {
        vt_diag_set(diag, "mix",
                    "'%s': each part is a call and its weight, once: recommend=80,similar=10,"
                    "events=10 (also: rank, profile)",
                    part);
        return VT_ERR(VT_INVALID, "not a mix of calls");
    }
    weights[kind] = (uint32_t)weight;
    return vt_ok();
}

struct vt_err workload_parse_mix(const char *text, struct workload *workload, struct vt_diag *diag)
{
    char copy[MIX_BYTES_MAX];
    VT_CHECK((size_t)snprintf(copy, sizeof copy, "%s", text) < sizeof copy, VT_INVALID,
             "the mix is too long");
    uint32_t weights[N_CALL_KINDS] = {0}, sum = 0;
    char *rest = copy;
    for (char *part; (part = strsep(&rest, ",")) != NULL;)
        VT_TRY(parse_part(part, weights, diag));
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        sum += weights[kind];
    VT_CHECK(sum > 0, VT_INVALID, "a mix of nothing");
    memcpy(workload->weights, weights, sizeof weights);
    workload->weights_sum = sum;
    return vt_ok();
}

bool workload_needs_items(const struct workload *workload)
{
    bool needs = false;
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        needs |= workload->weights[kind] > 0 && kinds[kind].has_items;
    return needs;
}

/* ---- a call ---- */

static enum call_kind draw_kind(const struct workload *workload, struct load_random *random)
{
    uint64_t point = load_random_below(random, workload->weights_sum);
    int kind = 0;
    while (point >= workload->weights[kind])
        point -= workload->weights[kind++];
    return (enum call_kind)kind;
}

struct vt_err workload_draw(const struct workload *workload, struct load_random *random,
                            uint64_t serial, struct vt_arena *arena, struct workload_call *ret_call)
{
    enum call_kind kind = draw_kind(workload, random);
    uint64_t customer = zipf_draw(&workload->customer_law, random);
    struct drawing drawing = {workload, random, serial, workload->customers.ids[customer]};
    struct vt_slice body;
    VT_TRY(kinds[kind].make(&drawing, arena, &body));
    *ret_call =
        (struct workload_call){kind, body, kinds[kind].has_customer ? drawing.customer : NULL};
    return vt_ok();
}
