/*
 * The table of cleaning rules: the one place that says what a rule is called, which dimension of
 * the scorecard it belongs to, what it costs and what follows. The rules' code is in build.c (one
 * record at a time) and clean_*.c (the whole file).
 */
#include "services/ingest/rules.h"

static const struct vt_rule_info rules[VT_RULE_COUNT] = {
    [VT_RULE_EXACT_DUPLICATE] = {"exact_duplicate", VT_UNIQUENESS, VT_RULE_DUPLICATE, 0,
                                 "every field equals an earlier row"},
    [VT_RULE_NEAR_DUPLICATE] = {"near_duplicate", VT_UNIQUENESS, VT_RULE_DUPLICATE, 0,
                                "equals an earlier row but for case, white space, number format "
                                "or event id"},
    [VT_RULE_REUSED_EVENT_ID] = {"reused_event_id", VT_UNIQUENESS, VT_RULE_HOLD, 60,
                                 "the event id belongs to a different event"},
    [VT_RULE_REPEATED_EVENT] =
        {"repeated_event", VT_UNIQUENESS, VT_RULE_NOTE, 10,
         "the customer bought or returned the same item within the minute before"},
    [VT_RULE_CATALOG_NEAR_DUPLICATE] = {"catalog_near_duplicate", VT_UNIQUENESS, VT_RULE_NOTE, 10,
                                        "another item has the same title"},
    [VT_RULE_MISSING_ID] = {"missing_id", VT_COMPLETENESS, VT_RULE_HOLD, 100, "no id"},
    [VT_RULE_MISSING_CUSTOMER] = {"missing_customer", VT_COMPLETENESS, VT_RULE_HOLD, 60,
                                  "neither customer nor visitor"},
    [VT_RULE_GUEST_CUSTOMER] = {"guest_customer", VT_COMPLETENESS, VT_RULE_NOTE, 20,
                                "no customer: the invoice stands for one visitor"},
    [VT_RULE_MISSING_ITEM] = {"missing_item", VT_COMPLETENESS, VT_RULE_HOLD, 60, "no item"},
    [VT_RULE_MISSING_TYPE] = {"missing_type", VT_COMPLETENESS, VT_RULE_HOLD, 60, "no event type"},
    [VT_RULE_MISSING_TIME] = {"missing_time", VT_COMPLETENESS, VT_RULE_HOLD, 60, "no time"},
    [VT_RULE_MISSING_TITLE] = {"missing_title", VT_COMPLETENESS, VT_RULE_NOTE, 30,
                               "a product without a name"},
    [VT_RULE_MISSING_PRICE] = {"missing_price", VT_COMPLETENESS, VT_RULE_NOTE, 10,
                               "a product without a price"},
    [VT_RULE_MISSING_CATEGORY] = {"missing_category", VT_COMPLETENESS, VT_RULE_NOTE, 5,
                                  "a product in no category"},
    [VT_RULE_BAD_ID] = {"bad_id", VT_VALIDITY, VT_RULE_HOLD, 60,
                        "an id over 128 bytes or with control characters"},
    [VT_RULE_BAD_TEXT] = {"bad_text", VT_VALIDITY, VT_RULE_HOLD, 60,
                          "a text over 1,024 bytes, or something that is no text"},
    [VT_RULE_BAD_NUMBER] = {"bad_number", VT_VALIDITY, VT_RULE_HOLD, 60, "not a number"},
    [VT_RULE_NOT_FINITE] = {"not_finite", VT_VALIDITY, VT_RULE_HOLD, 60, "NaN or infinite"},
    [VT_RULE_NEGATIVE_PRICE] = {"negative_price", VT_VALIDITY, VT_RULE_HOLD, 60, "a price below 0"},
    [VT_RULE_NEGATIVE_AMOUNT] = {"negative_amount", VT_VALIDITY, VT_RULE_HOLD, 60,
                                 "a revenue, cost or commission below 0"},
    [VT_RULE_ZERO_QUANTITY] = {"zero_quantity", VT_VALIDITY, VT_RULE_HOLD, 60,
                               "0 pieces, or fewer where nothing can be returned"},
    [VT_RULE_BAD_STOCK] = {"bad_stock", VT_VALIDITY, VT_RULE_HOLD, 60,
                           "a stock that is no whole number from -1"},
    [VT_RULE_RATING_OUT_OF_RANGE] = {"rating_out_of_range", VT_VALIDITY, VT_RULE_HOLD, 60,
                                     "a rating outside 0 to 10"},
    [VT_RULE_UNKNOWN_TYPE] = {"unknown_type", VT_VALIDITY, VT_RULE_HOLD, 60,
                              "an event type that Vitrine does not know"},
    [VT_RULE_BAD_CONSENT] = {"bad_consent", VT_VALIDITY, VT_RULE_HOLD, 60,
                             "a consent other than granted or denied"},
    [VT_RULE_UNKNOWN_CURRENCY] = {"unknown_currency", VT_VALIDITY, VT_RULE_HOLD, 60,
                                  "not a currency code of ISO 4217"},
    [VT_RULE_TOO_MANY_VALUES] = {"too_many_values", VT_VALIDITY, VT_RULE_NOTE, 20,
                                 "more categories or attributes than fit: the rest is left out"},
    [VT_RULE_FEE_CODE] = {"fee_code", VT_VALIDITY, VT_RULE_DROP, 0,
                          "postage, fee, voucher or test code posing as a product"},
    [VT_RULE_STOCK_ADJUSTMENT] = {"stock_adjustment", VT_VALIDITY, VT_RULE_DROP, 0,
                                  "pieces booked at price 0 for no customer: a stock count"},
    [VT_RULE_FREE_ITEM] = {"free_item", VT_VALIDITY, VT_RULE_NOTE, 10, "a purchase at price 0"},
    [VT_RULE_QUANTITY_OUTLIER] = {"quantity_outlier", VT_VALIDITY, VT_RULE_NOTE, 55,
                                  "a quantity far from the file's others"},
    [VT_RULE_PRICE_OUTLIER] = {"price_outlier", VT_VALIDITY, VT_RULE_NOTE, 55,
                               "a price far from the file's others"},
    [VT_RULE_REVENUE_OUTLIER] = {"revenue_outlier", VT_VALIDITY, VT_RULE_NOTE, 55,
                                 "a revenue far from the file's others"},
    [VT_RULE_CANCELLATION] = {"cancellation", VT_CONSISTENCY, VT_RULE_DROP, 0,
                              "a return whose purchase was found and reduced"},
    [VT_RULE_CANCELLED_PURCHASE] = {"cancelled_purchase", VT_CONSISTENCY, VT_RULE_DROP, 0,
                                    "a purchase of which every piece was returned"},
    [VT_RULE_PARTLY_CANCELLED] = {"partly_cancelled", VT_CONSISTENCY, VT_RULE_NOTE, 5,
                                  "a purchase of which some pieces were returned"},
    [VT_RULE_RETURN_UNMATCHED] = {"return_unmatched", VT_CONSISTENCY, VT_RULE_NOTE, 10,
                                  "a return without an earlier purchase in these files"},
    [VT_RULE_TITLE_DIFFERS] = {"title_differs", VT_CONSISTENCY, VT_RULE_NOTE, 2,
                               "the item has another title more often: that one is used"},
    [VT_RULE_KEY_CASE] = {"key_case", VT_CONSISTENCY, VT_RULE_NOTE, 2,
                          "an item id that differs from an earlier one only in case or width"},
    [VT_RULE_TEXT_NORMALISED] = {"text_normalised", VT_CONSISTENCY, VT_RULE_NOTE, 1,
                                 "a text with doubled white space or in another Unicode form"},
    [VT_RULE_CURRENCY_ASSUMED] = {"currency_assumed", VT_CONSISTENCY, VT_RULE_NOTE, 0,
                                  "an amount without currency, read as --currency"},
    [VT_RULE_CURRENCY_CONVERTED] = {"currency_converted", VT_CONSISTENCY, VT_RULE_NOTE, 0,
                                    "converted by a --rate"},
    [VT_RULE_CURRENCY_MIXED] = {"currency_mixed", VT_CONSISTENCY, VT_RULE_NOTE, 20,
                                "another currency than --currency, and no --rate for it"},
    [VT_RULE_AVAILABILITY_REVERSED] = {"availability_reversed", VT_CONSISTENCY, VT_RULE_HOLD, 60,
                                       "available_until is not after available_from"},
    [VT_RULE_BAD_TIME] = {"bad_time", VT_TIMELINESS, VT_RULE_HOLD, 60, "not a time"},
    [VT_RULE_TIME_BEFORE_2000] = {"time_before_2000", VT_TIMELINESS, VT_RULE_HOLD, 60,
                                  "a time before 2000-01-01"},
    [VT_RULE_TIME_IN_FUTURE] = {"time_in_future", VT_TIMELINESS, VT_RULE_HOLD, 60,
                                "a time more than 24 h ahead"},
    [VT_RULE_TIME_ZONE_ASSUMED] = {"time_zone_assumed", VT_CONSISTENCY, VT_RULE_NOTE, 0,
                                   "a time without zone, read in --timezone"},
    [VT_RULE_TIME_FROM_ORDER] = {"time_from_order", VT_TIMELINESS, VT_RULE_NOTE, 0,
                                 "the format has no times: the order of the line stands for them"},
    [VT_RULE_TIME_SHIFTED] = {"time_shifted", VT_TIMELINESS, VT_RULE_NOTE, 0,
                              "the format's times are before 2000: moved as a whole, intervals "
                              "stay"},
    [VT_RULE_STALE_EVENT] = {"stale_event", VT_TIMELINESS, VT_RULE_NOTE, 5,
                             "more than two years older than the newest event"},
};

static const struct {
    const char *name, *meaning;
} dimensions[VT_DIMENSION_COUNT] = {
    [VT_COMPLETENESS] = {"completeness", "nothing that is needed is missing"},
    [VT_VALIDITY] = {"validity", "values that can be true"},
    [VT_UNIQUENESS] = {"uniqueness", "nothing is told twice"},
    [VT_CONSISTENCY] = {"consistency", "no part contradicts another"},
    [VT_TIMELINESS] = {"timeliness", "times are known, plausible and recent"},
};

const struct vt_rule_info *vt_rule_info(enum vt_rule rule)
{
    return &rules[rule];
}

const char *vt_dimension_name(enum vt_dimension dimension)
{
    return dimensions[dimension].name;
}

const char *vt_dimension_meaning(enum vt_dimension dimension)
{
    return dimensions[dimension].meaning;
}
