#ifndef VT_PROFILE_VERIFY_H
#define VT_PROFILE_VERIFY_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Is a live store whole? Reads every row of every family with its checksum, decodes every key and
 * value, and follows every reference. Meant for a checkpoint: nothing is written, and nothing may
 * change meanwhile.
 */
struct vt_profile;

enum {
    VT_VERIFY_CHECKS_MAX = 32,
    VT_VERIFY_TOLD_MAX = 20, /* findings of one check that are told; all are counted */
};

/* One thing that is wrong. Texts are valid during the call; no id of a person is in them. */
struct vt_verify_finding {
    const char *check; /* literal: its name, that of the family for most */
    const char *what;  /* with numbers, and the file where RocksDB names it */
    const char *todo;  /* literal */
};

struct vt_verify_options {
    uint64_t acknowledged; /* the mark as it was before the copy was made; 0: not known */
    void (*found)(void *ctx, const struct vt_verify_finding *finding);
    void (*progress)(void *ctx, uint64_t rows, uint64_t estimate); /* NULL: nobody asks */
    void *ctx;
};

struct vt_verify_result {
    uint64_t sequence, rows, problems;
    struct vt_verify_check {
        const char *name; /* literal */
        uint64_t rows, problems;
    } checks[VT_VERIFY_CHECKS_MAX];
    uint32_t n_checks;
};

/* A store that is wrong is no error: it is told and counted. VT_EXHAUSTED: out of memory, of which
 * it takes a bit for each number that was ever given (events, customers, items) and one log block.
 * Blocking: reads everything once, and a second time what contradicts itself. */
VT_MUST_USE struct vt_err vt_profile_verify(struct vt_profile *profile,
                                            const struct vt_verify_options *options,
                                            struct vt_verify_result *ret_result);

#endif
