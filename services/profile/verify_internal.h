#ifndef VT_PROFILE_VERIFY_INTERNAL_H
#define VT_PROFILE_VERIFY_INTERNAL_H

#include "services/profile/profile_internal.h"
#include "services/profile/verify.h"

/* What verify.c (the walk), verify_rows.c (each family's rows) and verify_pairs.c (rows that must
 * agree with rows of another family) share. One thread. */

/* A bit for each number below `end`, from `first` on. */
struct vt__bits {
    uint64_t *words; /* owned */
    uint64_t first, end;
};
VT_MUST_USE struct vt_err vt__bits_init(struct vt__bits *bits, uint64_t first, uint64_t end);
void vt__bits_fini(struct vt__bits *bits);
bool vt__bits_has(const struct vt__bits *bits, uint64_t number); /* false outside */
void vt__bits_set(struct vt__bits *bits, uint64_t number);       /* nothing outside */

/*
 * Two families that say the same from two sides: `items` and `item_ids`, for one. Each side adds
 * what it says to a sum of hashes, in any order; equal sums mean equal sets, and only when they
 * differ the rows are looked up one by one. (Sums of a 128-bit hash modulo 2^128: a set hash in the
 * sense of Clarke et al., "Incremental Multiset Hash Functions", 2003; ours guards against damage,
 * not against an adversary.)
 */
enum vt__pair { VT__PAIR_ITEMS, VT__PAIR_IDS, VT__PAIR_ALIASES, VT__PAIR_BLOCKS, VT__PAIR_COUNT };
struct vt__set_sum {
    uint64_t low, high;
};

struct vt__verify {
    struct vt_profile *profile;
    const struct vt_verify_options *options;
    struct vt_verify_result *result;
    struct vt_verify_check *check; /* the one under way */
    uint64_t estimate;
    struct vt_arena arena; /* of one row */

    struct vt__bits items;     /* that have a row */
    struct vt__bits customers; /* that have a row */
    struct vt__bits denied;    /* customers that denied consent */
    struct vt__bits merged;    /* customers that became part of another */
    struct vt__bits sequences; /* of the log, from its oldest block on */
    struct vt__bits channels;  /* that have a name */
    uint32_t oldest_day;       /* of a log block; UINT32_MAX: there is none */
    uint64_t last_sequence;    /* of the row before, within a family */
    struct vt__set_sum left[VT__PAIR_COUNT], right[VT__PAIR_COUNT];
    struct vt_err failure; /* of ours, such as memory: ends everything */
};

/* A problem of the check under way. `todo` is a literal. */
__attribute__((format(printf, 3, 4))) void
vt__verify_tell(struct vt__verify *verify, const char *todo, const char *format, ...);
extern const char vt__todo_restore[], vt__todo_report[];

/* Calls `row` for every row of the family, as a check of that name; damage is told, and ends it. */
typedef void (*vt__verify_row_fn)(struct vt__verify *verify, struct vt_slice key,
                                  struct vt_slice value);
void vt__verify_walk(struct vt__verify *verify, const char *name, enum vt__family family,
                     vt__verify_row_fn row);

/* verify_rows.c: NULL where a family has none of its own: its rows are only read. */
vt__verify_row_fn vt__verify_row_of(enum vt__family family);

/* Has a record, or became part of somebody: what the log and its lists say of others may go at
 * different times (expired visitors, erasures that are not complete). */
bool vt__is_somebody(const struct vt__verify *verify, uint64_t customer);

/* verify_pairs.c */
void vt__set_sum_add(struct vt__set_sum *sum, const void *bytes, size_t len);
/* What a log block says to VT__PAIR_BLOCKS: the customers of its rows, each once. */
void vt__pair_add_block(struct vt__verify *verify, struct vt__set_sum *sum, uint32_t day,
                        uint64_t first, const uint64_t *customers, uint32_t n);
/* Looks up what contradicts itself, after all families were walked. */
void vt__verify_pairs(struct vt__verify *verify);

/* The customers of a log block's rows, ascending, each once, none for nobody. VT_CORRUPT. */
VT_MUST_USE struct vt_err vt__block_customers(struct vt_slice bytes,
                                              uint64_t ret_customers[VT__GROUP_EVENTS_MAX],
                                              uint32_t *ret_n);
/* Calls `each` for every block in a value of customer_events; VT_CORRUPT. */
typedef void (*vt__block_fn)(void *ctx, uint64_t first_sequence);
VT_MUST_USE struct vt_err vt__each_listed_block(struct vt_slice value, vt__block_fn each,
                                                void *ctx);

#endif
