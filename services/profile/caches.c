/*
 * What spares the writer lookups in the store; both are of fixed size and hold nothing that is not
 * on disk. One thread, the writer's.
 *
 * The seen filter is a Bloom filter of accepted event ids: "no" means a new event, without asking.
 * It is complete only if all ids on disk went into it, so at open they are read when they are few;
 * else every event asks the store, whose own filters then do the work.
 */
#include "services/profile/profile_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    FILTER_WORDS = 1 << 20, /* 8 MiB: 3 % false "perhaps" at 8 million ids */
    FILTER_PROBES = 5,
    FILTER_LOAD_ROWS_MAX = 1000000, /* half a second of reading */
    CACHE_SLOTS = 65536,
    CACHE_KEY_BYTES = 48,
};

struct vt__seen_filter {
    bool complete;
    uint64_t words[FILTER_WORDS];
};

struct cache_slot {
    uint64_t number; /* 0: free */
    uint8_t consent, key_len;
    unsigned char key[CACHE_KEY_BYTES];
};

struct vt__customer_cache {
    struct cache_slot slots[CACHE_SLOTS];
};

/* The key is a hash already: probes are cut out of it. */
static uint64_t probe_bit(const unsigned char *hash, unsigned probe)
{
    uint64_t a, b;
    memcpy(&a, hash, sizeof a);
    memcpy(&b, hash + sizeof a, sizeof b);
    return (a + probe * (b | 1)) % ((uint64_t)FILTER_WORDS * 64);
}

void vt__seen_filter_add(struct vt__seen_filter *filter, const struct vt__key *key)
{
    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        uint64_t bit = probe_bit(key->bytes, i);
        filter->words[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
}

bool vt__seen_filter_may_have(const struct vt__seen_filter *filter, const struct vt__key *key)
{
    for (unsigned i = 0; filter->complete && i < FILTER_PROBES; i++) {
        uint64_t bit = probe_bit(key->bytes, i);
        if ((filter->words[bit / 64] >> (bit % 64) & 1) == 0)
            return false;
    }
    return true;
}

static struct vt_err load_filter(struct vt_profile *profile, struct vt__seen_filter *filter)
{
    struct vt_store_iter *rows = NULL;
    bool more = false;
    struct vt_slice all = vt_slice(NULL, 0);
    VT_TRY(vt_store_iter_open(profile->store, VT__SEEN, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        struct vt_slice id = vt_store_iter_key(rows);
        struct vt__key key = {.len = 16};
        if (id.len != key.len)
            continue;
        memcpy(key.bytes, id.data, id.len);
        vt__seen_filter_add(filter, &key);
    }
    vt_store_iter_close(rows);
    filter->complete = !vt_failed(err);
    return err;
}

struct vt_err vt__seen_filter_new(struct vt_profile *profile, struct vt__seen_filter **ret_filter)
{
    struct vt__seen_filter *filter = calloc(1, sizeof *filter);
    VT_CHECK(filter != NULL, VT_EXHAUSTED, "out of memory");
    *ret_filter = filter;
    if (vt_store_estimate_rows(profile->store, VT__SEEN) > FILTER_LOAD_ROWS_MAX)
        return vt_ok();
    return load_filter(profile, filter);
}

void vt__seen_filter_free(struct vt__seen_filter *filter)
{
    free(filter);
}

/* ---- customers by identity, direct mapped ---- */

struct vt_err vt__customer_cache_new(struct vt__customer_cache **ret_cache)
{
    *ret_cache = calloc(1, sizeof **ret_cache);
    VT_CHECK(*ret_cache != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

void vt__customer_cache_free(struct vt__customer_cache *cache)
{
    free(cache);
}

static size_t slot_of(const struct vt__key *identity)
{
    return (size_t)XXH3_64bits(identity->bytes, identity->len) % CACHE_SLOTS;
}

bool vt__customer_cache_find(const struct vt__customer_cache *cache, const struct vt__key *identity,
                             struct vt__known_customer *ret_customer)
{
    const struct cache_slot *slot = &cache->slots[slot_of(identity)];
    if (slot->number == 0 || slot->key_len != identity->len ||
        memcmp(slot->key, identity->bytes, identity->len) != 0)
        return false;
    *ret_customer = (struct vt__known_customer){slot->number, slot->consent != 0};
    return true;
}

void vt__customer_cache_put(struct vt__customer_cache *cache, const struct vt__key *identity,
                            struct vt__known_customer customer)
{
    struct cache_slot *slot = &cache->slots[slot_of(identity)];
    if (identity->len > CACHE_KEY_BYTES)
        return; /* rare: asked of the store each time */
    *slot = (struct cache_slot){.number = customer.number,
                                .consent = customer.consent ? 1 : 0,
                                .key_len = (uint8_t)identity->len};
    memcpy(slot->key, identity->bytes, identity->len);
}
