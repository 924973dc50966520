/*
 * `vitrine rules`: what is bought together, for people: association rules of a store's purchases or
 * of a file of baskets. Reads, mines, sorts by what was asked and prints the best; nothing is
 * written.
 */
#include "models/rules/basket_file.h"
#include "models/rules/rules.h"
#include "services/common/base/options.h"
#include "services/common/base/table.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/training_data.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_BYTES = 512 };

struct rules_options {
    const char *data, *by, *item;
    double support, confidence;
    uint32_t length, n;
    int64_t pause_ms;
    bool json;
};

#define AT(field_) offsetof(struct rules_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data),
     .argument = "DIR|FILE",
     .help = "a data folder, or a file with a basket on each line: item,item,…",
     .required = true,
     .flag_only = true},
    {.name = "support",
     .kind = VT_OPTION_F64,
     .offset = AT(support),
     .argument = "SHARE",
     .help = "of all baskets, the share that holds all items of a rule",
     .fallback = "0.001",
     .min = 1e-9,
     .max = 1,
     .flag_only = true},
    {.name = "confidence",
     .kind = VT_OPTION_F64,
     .offset = AT(confidence),
     .argument = "SHARE",
     .help = "of the baskets with the first items, the share with the last",
     .fallback = "0.5",
     .min = 0,
     .max = 1,
     .flag_only = true},
    {.name = "length",
     .kind = VT_OPTION_U32,
     .offset = AT(length),
     .argument = "N",
     .help = "items of a rule, at most",
     .fallback = "10",
     .min = 2,
     .max = VT_ITEMSET_LENGTH_MAX,
     .flag_only = true},
    {.name = "pause",
     .kind = VT_OPTION_DURATION,
     .offset = AT(pause_ms),
     .argument = "TIME",
     .help = "of a customer's purchases: a longer pause begins another basket",
     .fallback = "30m",
     .min = 0,
     .max = INT64_C(30) * 24 * 3600 * 1000,
     .flag_only = true},
    {.name = "by",
     .kind = VT_OPTION_CHOICE,
     .offset = AT(by),
     .argument = "MEASURE",
     .help = "what comes first",
     .fallback = "lift",
     .choices = "lift|confidence|support|conviction",
     .flag_only = true},
    {.name = "item",
     .kind = VT_OPTION_TEXT,
     .offset = AT(item),
     .argument = "ID",
     .help = "only rules with this item (SKU, or the name in the file)",
     .flag_only = true},
    {.name = "n",
     .kind = VT_OPTION_U32,
     .offset = AT(n),
     .argument = "N",
     .help = "rules to show; 0: all",
     .fallback = "20",
     .min = 0,
     .max = 100000000,
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine rules",
    .summary =
        "finds what is bought together: association rules with support, confidence, lift and "
        "conviction",
    .example = "vitrine rules --data /var/lib/vitrine --support 0.001 --confidence 0.5",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

/* Everything one run holds. */
struct rules_run {
    const struct rules_options *options;
    struct vt_interactions interactions;
    struct vt_catalog catalog;
    struct vt_basket_file file;
    struct vt_baskets baskets; /* of a store */
    const struct vt_sparse *matrix;
    struct vt_rules rules;
    uint64_t n_shown; /* the first of rules.rules */
};

/* ---- reading ---- */

static struct vt_err read_store(struct rules_run *run, struct vt_diag *diag)
{
    struct vt_basket_options cutting;
    vt_basket_options_default(&cutting);
    cutting.pause_ms = run->options->pause_ms;
    VT_TRY(vt_training_data_read(run->options->data, diag, &run->interactions, &run->catalog));
    VT_TRY(vt_baskets_cut(run->interactions.list, run->interactions.n, &cutting, NULL, 0,
                          &run->baskets));
    vt_interactions_free(&run->interactions);
    run->matrix = &run->baskets.matrix;
    if (run->matrix->n_rows > 0)
        return vt_ok();
    vt_diag_set(diag, run->options->data,
                "no event is an order or a purchase: nothing was bought "
                "together");
    return VT_ERR(VT_INVALID, "there are no baskets");
}

static struct vt_err read_baskets(struct rules_run *run, struct vt_diag *diag)
{
    struct stat info;
    if (stat(run->options->data, &info) == 0 && S_ISDIR(info.st_mode))
        return read_store(run, diag);
    VT_TRY(vt_basket_file_read(run->options->data, diag, &run->file));
    run->matrix = &run->file.baskets.matrix;
    return vt_ok();
}

/* What scripts know the item by: its SKU, or its name in the file. */
static struct vt_slice id_of(const struct rules_run *run, uint32_t column)
{
    if (run->file.names != NULL)
        return run->file.names[column];
    const struct vt_catalog_item *item =
        vt_catalog_find(&run->catalog, run->baskets.item_ids[column]);
    return item != NULL ? item->id : vt_slice_str("(not described)");
}

/* What people know it by. */
static struct vt_slice name_of(const struct rules_run *run, uint32_t column)
{
    const struct vt_catalog_item *item =
        run->file.names == NULL ? vt_catalog_find(&run->catalog, run->baskets.item_ids[column])
                                : NULL;
    return item != NULL && item->title.len > 0 ? item->title : id_of(run, column);
}

/* ---- choosing ---- */

static bool holds_item(const struct rules_run *run, const struct vt_rule *rule,
                       struct vt_slice wanted)
{
    const struct vt_itemsets *itemsets = &run->rules.itemsets;
    for (uint64_t i = itemsets->starts[rule->itemset]; i < itemsets->starts[rule->itemset + 1]; i++)
        if (vt_slice_equal(id_of(run, itemsets->items[i]), wanted))
            return true;
    return false;
}

static void keep_item(struct rules_run *run)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < run->rules.n; i++)
        if (holds_item(run, &run->rules.rules[i], vt_slice_str(run->options->item)))
            run->rules.rules[n++] = run->rules.rules[i];
    run->rules.n = n;
}

static double measure_of(const struct vt_rule *rule, const char *by)
{
    if (strcmp(by, "confidence") == 0)
        return rule->confidence;
    if (strcmp(by, "support") == 0)
        return rule->support;
    return strcmp(by, "conviction") == 0 ? rule->conviction : rule->lift;
}

static int best_first(const void *left, const void *right, void *by)
{
    const struct vt_rule *a = left, *b = right;
    double value_a = measure_of(a, by), value_b = measure_of(b, by);
    if (value_a > value_b || value_a < value_b)
        return value_a > value_b ? -1 : 1;
    if (a->lift > b->lift || a->lift < b->lift)
        return a->lift > b->lift ? -1 : 1;
    if (a->itemset != b->itemset)
        return a->itemset < b->itemset ? -1 : 1;
    return a->consequent < b->consequent ? -1 : a->consequent > b->consequent;
}

static struct vt_err find_rules(struct rules_run *run, struct vt_diag *diag)
{
    struct vt_rule_options options;
    vt_rule_options_default(&options);
    options.itemsets.support = run->options->support;
    options.itemsets.length_max = run->options->length;
    options.confidence = run->options->confidence;
    VT_TRY(read_baskets(run, diag));
    VT_TRY(vt_rules_find(run->matrix, &options, diag, &run->rules));
    if (run->options->item != NULL)
        keep_item(run);
    if (run->rules.n > 0)
        qsort_r(run->rules.rules, (size_t)run->rules.n, sizeof *run->rules.rules, best_first,
                (void *)(uintptr_t)run->options->by);
    bool cut = run->options->n != 0 && run->options->n < run->rules.n;
    run->n_shown = cut ? run->options->n : run->rules.n;
    return vt_ok();
}

/* ---- telling ---- */

static json_t *rule_json(const struct rules_run *run, const struct vt_rule *rule)
{
    uint32_t items[VT_ITEMSET_LENGTH_MAX];
    uint32_t n = vt_rule_antecedent(&run->rules, rule, items);
    struct vt_slice then = id_of(run, rule->consequent);
    json_t *antecedent = json_array();
    for (uint32_t i = 0; i < n; i++) {
        struct vt_slice id = id_of(run, items[i]);
        json_array_append_new(antecedent, json_stringn(id.data, id.len));
    }
    json_t *conviction = isfinite(rule->conviction) ? json_real(rule->conviction) : json_null();
    return json_pack("{s:o, s:o, s:I, s:f, s:f, s:f, s:o}", "if", antecedent, "then",
                     json_stringn(then.data, then.len), "baskets", (json_int_t)rule->n_both,
                     "support", rule->support, "confidence", rule->confidence, "lift", rule->lift,
                     "conviction", conviction);
}

static struct vt_err print_json(const struct rules_run *run)
{
    json_t *rules = json_array();
    for (uint64_t i = 0; i < run->n_shown; i++)
        json_array_append_new(rules, rule_json(run, &run->rules.rules[i]));
    return vt_command_print_json(
        json_pack("{s:I, s:I, s:I, s:I, s:o}", "baskets", (json_int_t)run->matrix->n_rows, "items",
                  (json_int_t)run->matrix->n_cols, "itemsets", (json_int_t)run->rules.itemsets.n,
                  "total", (json_int_t)run->rules.n, "rules", rules));
}

static void put_rule(const struct rules_run *run, const struct vt_rule *rule,
                     struct vt_table *table)
{
    uint32_t items[VT_ITEMSET_LENGTH_MAX];
    uint32_t n = vt_rule_antecedent(&run->rules, rule, items);
    char names[NAMES_BYTES] = "";
    for (uint32_t i = 0; i < n; i++) {
        struct vt_slice name = name_of(run, items[i]);
        size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, "%s%.*s", i > 0 ? ", " : "", (int)name.len,
                 name.data);
    }
    vt_table_cell(table, vt_slice_str(names));
    vt_table_cell(table, name_of(run, rule->consequent));
    vt_table_cellf(table, "%" PRIu32, rule->n_both);
    vt_table_cellf(table, "%.4f", rule->support);
    vt_table_cellf(table, "%.3f", rule->confidence);
    vt_table_cellf(table, "%.2f", rule->lift);
    if (isfinite(rule->conviction))
        vt_table_cellf(table, "%.2f", rule->conviction);
    else
        vt_table_cell(table, vt_slice_str("no exception"));
}

static struct vt_err print_table(const struct rules_run *run)
{
    static const char *const heads[] = {"who buys",    "also buys", ">baskets",   ">support",
                                        ">confidence", ">lift",     ">conviction"};
    printf("%" PRIu64 " rules in %" PRIu32 " baskets of %" PRIu32
           " items (support %g, confidence %g)\n",
           run->rules.n, run->matrix->n_rows, run->matrix->n_cols, run->options->support,
           run->options->confidence);
    if (run->rules.n == 0) {
        puts("Try a lower --support or --confidence.");
        return vt_ok();
    }
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (uint64_t i = 0; i < run->n_shown; i++)
        put_rule(run, &run->rules.rules[i], table);
    putchar('\n');
    vt_table_print(table, stdout);
    vt_table_free(table);
    if (run->n_shown < run->rules.n)
        printf("\nthe first %" PRIu64 " by %s; -n 0 shows all\n", run->n_shown, run->options->by);
    return vt_ok();
}

static int run_rules(void *target, const struct vt_options *options)
{
    struct rules_run run = {.options = target};
    struct vt_diag diag = {0};
    (void)options;
    struct vt_err err = find_rules(&run, &diag);
    if (!vt_failed(err))
        err = run.options->json ? print_json(&run) : print_table(&run);
    vt_rules_free(&run.rules);
    vt_basket_file_free(&run.file);
    vt_baskets_free(&run.baskets);
    vt_interactions_free(&run.interactions);
    vt_catalog_free(&run.catalog);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_rules(int argc, char **argv)
{
    struct rules_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_rules);
}
