#ifndef VT_INGEST_RULES_H
#define VT_INGEST_RULES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The cleaning rules by name. A record carries a set of the rules that caught it; the table says
 * what follows. Names are contracts: they stand in reports, review files and docs/data-quality.md
 * (a test compares the two).
 */
enum vt_rule {
    /* uniqueness */
    VT_RULE_EXACT_DUPLICATE,
    VT_RULE_NEAR_DUPLICATE,
    VT_RULE_REUSED_EVENT_ID,
    VT_RULE_REPEATED_EVENT,
    VT_RULE_CATALOG_NEAR_DUPLICATE,
    /* completeness */
    VT_RULE_MISSING_ID,
    VT_RULE_MISSING_CUSTOMER,
    VT_RULE_GUEST_CUSTOMER,
    VT_RULE_MISSING_ITEM,
    VT_RULE_MISSING_TYPE,
    VT_RULE_MISSING_TIME,
    VT_RULE_MISSING_TITLE,
    VT_RULE_MISSING_PRICE,
    VT_RULE_MISSING_CATEGORY,
    /* validity */
    VT_RULE_BAD_ID,
    VT_RULE_BAD_TEXT,
    VT_RULE_BAD_NUMBER,
    VT_RULE_NOT_FINITE,
    VT_RULE_NEGATIVE_PRICE,
    VT_RULE_NEGATIVE_AMOUNT,
    VT_RULE_ZERO_QUANTITY,
    VT_RULE_BAD_STOCK,
    VT_RULE_RATING_OUT_OF_RANGE,
    VT_RULE_UNKNOWN_TYPE,
    VT_RULE_BAD_CONSENT,
    VT_RULE_UNKNOWN_CURRENCY,
    VT_RULE_TOO_MANY_VALUES,
    VT_RULE_FEE_CODE,
    VT_RULE_STOCK_ADJUSTMENT,
    VT_RULE_FREE_ITEM,
    VT_RULE_QUANTITY_OUTLIER,
    VT_RULE_PRICE_OUTLIER,
    VT_RULE_REVENUE_OUTLIER,
    /* consistency */
    VT_RULE_CANCELLATION,
    VT_RULE_CANCELLED_PURCHASE,
    VT_RULE_PARTLY_CANCELLED,
    VT_RULE_RETURN_UNMATCHED,
    VT_RULE_TITLE_DIFFERS,
    VT_RULE_KEY_CASE,
    VT_RULE_TEXT_NORMALISED,
    VT_RULE_CURRENCY_ASSUMED,
    VT_RULE_CURRENCY_CONVERTED,
    VT_RULE_CURRENCY_MIXED,
    VT_RULE_AVAILABILITY_REVERSED,
    /* timeliness */
    VT_RULE_BAD_TIME,
    VT_RULE_TIME_BEFORE_2000,
    VT_RULE_TIME_IN_FUTURE,
    VT_RULE_TIME_ZONE_ASSUMED,
    VT_RULE_TIME_FROM_ORDER,
    VT_RULE_TIME_SHIFTED,
    VT_RULE_STALE_EVENT,
    VT_RULE_COUNT,
    VT_RULE_NONE = VT_RULE_COUNT
};

enum vt_dimension {
    VT_COMPLETENESS,
    VT_VALIDITY,
    VT_UNIQUENESS,
    VT_CONSISTENCY,
    VT_TIMELINESS,
    VT_DIMENSION_COUNT
};

/* What becomes of a record that a rule catches. */
enum vt_rule_action {
    VT_RULE_NOTE,      /* costs quality, and nothing else */
    VT_RULE_HOLD,      /* waits for review whatever its quality: the store would refuse it */
    VT_RULE_DUPLICATE, /* counted as duplicate, not written */
    VT_RULE_DROP,      /* not written, counted under the rule's name */
};

struct vt_rule_info {
    const char *name;
    enum vt_dimension dimension;
    enum vt_rule_action action;
    uint8_t penalty;     /* taken off a record's 100 */
    const char *summary; /* for people */
};

/* `rule` is below VT_RULE_COUNT. */
const struct vt_rule_info *vt_rule_info(enum vt_rule rule);
/* "completeness" …, and for a heading a sentence that says what it measures. */
const char *vt_dimension_name(enum vt_dimension dimension);
const char *vt_dimension_meaning(enum vt_dimension dimension);

#endif
