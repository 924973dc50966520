#ifndef VT_PROFILE_CHANGES_H
#define VT_PROFILE_CHANGES_H

#include "services/profile/profile_internal.h"

enum vt__watch_phase {
    VT__WATCH_BEGIN,  /* the next change is SNAPSHOT_BEGIN */
    VT__WATCH_ITEMS,  /* telling all items in order of number */
    VT__WATCH_COUNTS, /* telling all counts */
    VT__WATCH_DONE,   /* the next change is SNAPSHOT_DONE */
    VT__WATCH_TAIL,
};

struct vt_watch {
    struct vt_profile *profile;
    struct vt_watch *next; /* under feed.lock, as armed */
    bool armed;            /* vt_watch_next had none: wake at the next change */
    uint32_t slot;         /* watchers.c; under feed.lock, down to `stalled` */
    uint64_t place;        /* `sequence` when it was last asked: all before has been taken */
    int64_t asked_ns;      /* when that was */
    bool (*stalled)(void *ctx);
    void (*wake)(void *ctx);
    void *ctx;
    /* The reader's thread alone. */
    enum vt__watch_phase phase;
    uint64_t sequence; /* told up to here; while in a snapshot: what it stands for */
    uint32_t item;     /* last item told of the phase */
    uint32_t tick;     /* counts told up to here */
    uint32_t until_tick;
};

#endif
