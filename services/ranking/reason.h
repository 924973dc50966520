#ifndef VT_RANKING_REASON_H
#define VT_RANKING_REASON_H

#include "services/candidate/candidate.h"
#include "services/common/base/arena.h"

enum vt__language { VT__ENGLISH, VT__CHINESE, VT__LANGUAGES };
/* Of a BCP 47 code: "zh" with whatever follows is Chinese (in simplified characters), all else and
 * none English. */
enum vt__language vt__language_of(struct vt_slice code);

/* What a reason may refer to. All borrowed. */
struct vt__reason_facts {
    struct vt_item_table *items; /* entered */
    const struct vt_history_event *history;
    uint32_t n_history;
    const uint32_t *context;
    uint32_t n_context;
    enum vt__language language;
};

/* Why the candidate is in the list, for people, in the arena: "because you bought Blue mug", "often
 * chosen together with Blue mug", "popular right now", "new for you". Empty when the arena is full.
 */
struct vt_slice vt__reason_text(const struct vt__reason_facts *facts,
                                const struct vt_candidate *candidate, struct vt_arena *arena);

#endif
