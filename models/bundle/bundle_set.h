#ifndef VT_BUNDLE_BUNDLE_SET_H
#define VT_BUNDLE_BUNDLE_SET_H

#include "models/bundle/bundle.h"

/*
 * The bundles a process serves from: the current and the previous one, swapped by one atomic
 * pointer while requests run; readers hold a count, never a lock. A watcher thread follows CURRENT
 * (once a second, by stat) and loads off the serving threads; a damaged new version is refused and
 * the old one stays.
 */
struct vt_bundle_set;
struct vt_metrics;

/* Loads what CURRENT names, if anything; a damaged current falls back to the previous, with a log
 * line. No bundle at all is fine. */
VT_MUST_USE struct vt_err vt_bundle_set_open(const char *data_dir, struct vt_metrics *metrics,
                                             struct vt_diag *diag, struct vt_bundle_set **ret_set);
/* Stops the watcher; bundles that readers still hold live on until released. NULL is allowed. */
void vt_bundle_set_close(struct vt_bundle_set *set);

/* The current bundle, acquired; NULL when there is none. Wait-free. */
struct vt_bundle *vt_bundle_set_current(struct vt_bundle_set *set);
/* Current or previous by version; NULL when neither has it. */
struct vt_bundle *vt_bundle_set_find(struct vt_bundle_set *set, struct vt_slice version);
/* Why the newest attempt to load was refused; copies into `ret_text`, empty when it was not. */
void vt_bundle_set_damage(struct vt_bundle_set *set, char *ret_text, size_t size_bytes);
/* Verifies, switches CURRENT and loads at once; blocking, not for serving threads. */
VT_MUST_USE struct vt_err vt_bundle_set_activate(struct vt_bundle_set *set, const char *version,
                                                 struct vt_diag *diag);
VT_MUST_USE struct vt_err vt_bundle_set_rollback(struct vt_bundle_set *set, struct vt_diag *diag);

#endif
