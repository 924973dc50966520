/*
 * What spares the writer lookups of customers: of fixed size, holding nothing that is not on disk.
 * One thread, the writer's. Direct mapped: the last customer of a slot stays.
 */
#include "services/profile/profile_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CACHE_SLOTS = 65536, CACHE_KEY_BYTES = 48 };

struct cache_slot {
    uint64_t number; /* 0: free */
    uint8_t consent, key_len;
    unsigned char key[CACHE_KEY_BYTES];
};

struct vt__customer_cache {
    struct cache_slot slots[CACHE_SLOTS];
};

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

void vt__customer_cache_drop(struct vt__customer_cache *cache, const struct vt__key *identity)
{
    struct cache_slot *slot = &cache->slots[slot_of(identity)];
    if (slot->key_len == identity->len && memcmp(slot->key, identity->bytes, identity->len) == 0)
        slot->number = 0;
}
