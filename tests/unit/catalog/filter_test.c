/* The filter language against a naive reference: random expressions are drawn as trees, written
 * down as text, and asked of random items twice, through the plan and by walking the tree over a
 * copy of the item. */
#include "services/common/catalog/filter.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_ITEMS = 150, N_EXPRESSIONS = 1500, NODES_MAX = 64, LIST_MAX = 4, DAY_MS = 86400000 };
static const int64_t now_ms = INT64_C(1700000000000);

static const char *const words[] = {"tea",          "mugs", "Tea",     "x",
                                    "\xC3\x84rmel", "red",  "a\"b\\c", "7"};
static const char *const names[] = {"colour", "size", "sleeve length"};
enum { N_WORDS = sizeof words / sizeof words[0], N_NAMES = sizeof names / sizeof names[0] };

static uint64_t random_state;
static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

/* ---- the items ---- */

struct shop {
    struct vt_item_table *table;
    struct vt_item items[N_ITEMS + 1];
    struct vt_attribute attributes[N_ITEMS + 1][N_NAMES];
    char ids[N_ITEMS + 1][16];
};

static void draw_item(struct shop *shop, uint32_t number)
{
    struct vt_item *item = &shop->items[number];
    (void)snprintf(shop->ids[number], sizeof shop->ids[number], "sku-%u", number);
    *item = (struct vt_item){.number = number, .id = vt_slice_str(shop->ids[number])};
    item->title = vt_slice_str(words[draw(N_WORDS)]);
    item->brand = draw(4) > 0 ? vt_slice_str(words[draw(N_WORDS)]) : vt_slice("", 0);
    item->currency_code = draw(2) > 0 ? vt_slice_str("EUR") : vt_slice_str("GBP");
    item->n_categories = draw(4);
    for (uint32_t c = 0; c < item->n_categories; c++)
        item->categories[c] = vt_slice_str(words[draw(N_WORDS)]);
    item->price = (double)draw(80) / 4;
    item->stock = (int64_t)draw(5) - 1;
    item->create_time_ms = draw(4) > 0 ? now_ms - (int64_t)draw(20) * (DAY_MS / 2) : 0;
    item->attributes = shop->attributes[number];
    for (uint32_t a = 0; a < N_NAMES; a++)
        if (draw(2) > 0)
            shop->attributes[number][item->n_attributes++] =
                (struct vt_attribute){vt_slice_str(names[a]), vt_slice_str(words[draw(N_WORDS)])};
}

static int open_shop(void **state)
{
    static struct shop shop;
    random_state = 1;
    assert_ok(vt_item_table_new(&shop.table));
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        draw_item(&shop, number);
        assert_ok(vt_item_table_upsert(shop.table, &shop.items[number]));
    }
    *state = &shop;
    return 0;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    vt_item_table_free(shop->table);
    return 0;
}

/* ---- expressions ---- */

enum kind { AND, OR, NOT, COMPARISON };
enum field {
    ID,
    TITLE,
    BRAND,
    CATEGORY,
    CURRENCY,
    ATTRIBUTE,
    FIRST_NUMBER,
    PRICE = FIRST_NUMBER,
    STOCK,
    AGE,
    ATTRIBUTE_NUMBER,
    N_FIELDS
};
enum sign { EQ, NE, IN, NOT_IN, LT, LE, GT, GE, N_SIGNS };

struct node {
    enum kind kind;
    unsigned left, right; /* nodes */
    enum field field;
    enum sign sign;
    const char *name; /* of an attribute */
    uint32_t n_values;
    const char *texts[LIST_MAX];
    double numbers[LIST_MAX];
};
struct expression {
    struct node nodes[NODES_MAX];
    unsigned n;
    char text[4096];
    size_t len;
};

static unsigned draw_comparison(struct expression *e)
{
    unsigned at = e->n++;
    struct node *node = &e->nodes[at];
    static const char *const ids[] = {"sku-1", "sku-2", "sku-77", "sku-999"};
    static const char *const codes[] = {"EUR", "GBP", "eur"};
    *node = (struct node){.kind = COMPARISON, .field = draw(N_FIELDS)};
    node->sign = draw(node->field < FIRST_NUMBER ? LT : N_SIGNS);
    node->name = names[draw(N_NAMES)];
    node->n_values = node->sign == IN || node->sign == NOT_IN ? 1 + draw(LIST_MAX) : 1;
    for (uint32_t v = 0; v < node->n_values; v++) {
        node->texts[v] = node->field == ID         ? ids[draw(4)]
                         : node->field == CURRENCY ? codes[draw(3)]
                                                   : words[draw(N_WORDS)];
        node->numbers[v] = (double)draw(24) / 2 - 1;
    }
    return at;
}

static unsigned draw_node(struct expression *e, unsigned depth)
{
    uint32_t kind = depth == 0 ? COMPARISON : draw(5);
    if (kind >= COMPARISON || e->n > NODES_MAX - 8)
        return draw_comparison(e);
    unsigned at = e->n++;
    e->nodes[at].kind = (enum kind)kind;
    e->nodes[at].left = draw_node(e, depth - 1);
    e->nodes[at].right = kind != NOT ? draw_node(e, depth - 1) : 0;
    return at;
}

static void put(struct expression *e, const char *text)
{
    for (; *text != '\0'; text++)
        e->text[e->len++] = *text;
    e->text[e->len] = '\0';
}

static void put_quoted(struct expression *e, const char *text)
{
    char quote = draw(2) > 0 ? '"' : '\'', letter[2] = {quote, 0};
    put(e, letter);
    for (; *text != '\0'; text++) {
        if (*text == quote || *text == '\\')
            put(e, "\\");
        put(e, (char[]){*text, 0});
    }
    put(e, letter);
}

static void put_value(struct expression *e, const struct node *node, uint32_t v)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%g", node->numbers[v]);
    if (node->field >= FIRST_NUMBER)
        put(e, number);
    else
        put_quoted(e, node->texts[v]);
}

static void put_comparison(struct expression *e, const struct node *node)
{
    static const char *const fields[] = {"id",       "title",       "brand", "category",
                                         "currency", "attributes.", "price", "stock",
                                         "age",      "attributes."};
    static const char *const signs[] = {"=", "!=", " in (", " Not IN(", " < ", "<=", " >", ">= "};
    put(e, fields[node->field]);
    if (node->field == ATTRIBUTE || node->field == ATTRIBUTE_NUMBER) {
        if (strchr(node->name, ' ') != NULL || draw(2) > 0)
            put_quoted(e, node->name);
        else
            put(e, node->name);
    }
    put(e, signs[node->sign]);
    for (uint32_t v = 0; v < node->n_values; v++) {
        put(e, v > 0 ? ", " : "");
        put_value(e, node, v);
    }
    put(e, node->sign == IN || node->sign == NOT_IN ? ")" : "");
}

/* With no more parentheses than the grammar asks for: `tight` is how tightly the place binds. */
static void put_node(struct expression *e, unsigned at, unsigned tight)
{
    const struct node *node = &e->nodes[at];
    unsigned own = node->kind == OR ? 0 : node->kind == AND ? 1 : 2;
    bool wrapped = own < tight || draw(4) == 0;
    put(e, wrapped ? "(" : "");
    if (node->kind == COMPARISON) {
        put_comparison(e, node);
    } else if (node->kind == NOT) {
        put(e, "not ");
        put_node(e, node->left, 2);
    } else {
        put_node(e, node->left, own);
        put(e, node->kind == AND ? " AND " : "\n or ");
        put_node(e, node->right, own + 1);
    }
    put(e, wrapped ? ")" : "");
}

/* ---- the reference ---- */

static bool text_is(struct vt_slice text, const struct node *node)
{
    for (uint32_t v = 0; v < node->n_values; v++)
        if (text.len > 0 && vt_slice_equal(text, vt_slice_str(node->texts[v])))
            return true;
    return false;
}

static bool number_is(double number, const struct node *node)
{
    double value = node->numbers[0];
    bool equal = false;
    for (uint32_t v = 0; v < node->n_values; v++)
        equal |= fabs(number - node->numbers[v]) <= 0;
    switch (node->sign) {
    case LT:
        return number < value;
    case LE:
        return number <= value;
    case GT:
        return number > value;
    case GE:
        return number >= value;
    default:
        return equal;
    }
}

static bool attribute_is(const struct vt_item *item, const struct node *node)
{
    for (uint32_t a = 0; a < item->n_attributes; a++) {
        struct vt_slice value = item->attributes[a].value;
        if (!vt_slice_equal(item->attributes[a].key, vt_slice_str(node->name)))
            continue;
        if (node->field == ATTRIBUTE)
            return text_is(value, node);
        return vt_slice_equal(value, vt_slice_str("7")) && number_is(7, node);
    }
    return false;
}

static bool field_is(const struct vt_item *item, const struct node *node)
{
    bool any = false;
    switch (node->field) {
    case ID:
        return text_is(item->id, node);
    case TITLE:
        return text_is(item->title, node);
    case BRAND:
        return text_is(item->brand, node);
    case CURRENCY:
        return text_is(item->currency_code, node);
    case CATEGORY:
        for (uint32_t c = 0; c < item->n_categories; c++)
            any |= text_is(item->categories[c], node);
        return any;
    case PRICE:
        return number_is(item->price, node);
    case STOCK:
        return number_is(item->stock < 0 ? (double)INFINITY : (double)item->stock, node);
    case AGE:
        return item->create_time_ms != 0 &&
               number_is((double)(now_ms - item->create_time_ms) / DAY_MS, node);
    default:
        return attribute_is(item, node);
    }
}

static bool holds(const struct expression *e, unsigned at, const struct vt_item *item)
{
    const struct node *node = &e->nodes[at];
    switch (node->kind) {
    case AND:
        return holds(e, node->left, item) && holds(e, node->right, item);
    case OR:
        return holds(e, node->left, item) || holds(e, node->right, item);
    case NOT:
        return !holds(e, node->left, item);
    default:
        return field_is(item, node) != (node->sign == NE || node->sign == NOT_IN);
    }
}

static void a_plan_says_what_walking_the_expression_says(void **state)
{
    struct shop *shop = *state;
    uint32_t n_true = 0, n_all = 0;
    for (uint32_t i = 0; i < N_EXPRESSIONS; i++) {
        static struct expression e;
        _Alignas(16) static unsigned char memory[VT_FILTER_PLAN_BYTES];
        struct vt_arena arena;
        struct vt_diag diag = {0};
        const struct vt_filter *filter = NULL;
        e.n = 0, e.len = 0;
        unsigned root = draw_node(&e, 4);
        put_node(&e, root, 0);
        vt_arena_init(&arena, memory, sizeof memory);
        if (vt_failed(vt_filter_compile(vt_slice(e.text, e.len), &arena, &diag, &filter)))
            fail_msg("'%s': %s", e.text, diag.text);
        for (uint32_t number = 1; number <= N_ITEMS; number++, n_all++) {
            bool expected = holds(&e, root, &shop->items[number]);
            n_true += expected;
            if (vt_filter_matches(filter, shop->table, number, now_ms) != expected)
                fail_msg("'%s' of item %u is not %d", e.text, number, expected);
            if (vt_filter_matches_item(filter, &shop->items[number], now_ms) != expected)
                fail_msg("'%s' of item %u alone is not %d", e.text, number, expected);
        }
    }
    assert_in_range(n_true, n_all / 5, n_all - n_all / 5); /* neither all nor nothing */
}

/* ---- what is refused ---- */

static void a_wrong_filter_is_refused_with_its_place_and_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"stock > 0 and pricee < 3", "unknown field 'pricee' at 15, did you mean 'price'?"},
        {"Price < 3", "unknown field 'Price' at 1, did you mean 'price'?"},
        {"zzzzzz < 3", "unknown field 'zzzzzz' at 1, the fields are id, title,"},
        {"brand = \"\xC3\xA4\xC3\xB6\" annd stock > 1",
         "unexpected 'annd' at 14, did you mean 'and'?"},
        {"price == 3", "unknown operator '==' at 7, did you mean '='?"},
        {"price < 3 && stock > 1", "unknown operator '&&' at 11, did you mean 'and'?"},
        {"brand = tea", "a text is expected instead of 'tea' at 9, put it in quotes"},
        {"price < \"3\"", "a text where a number is expected: '\"3\"' at 9"},
        {"price < 3x", "not a number: '3x' at 9"},
        {"price < 1e999", "not a number: '1e999' at 9"},
        {"brand < \"a\"", "texts have no order: '<' at 7"},
        {"brand = \"\"", "an empty text matches nothing:"},
        {"brand = \"x", "text without its closing quote '\"x' at 9"},
        {"brand = \"a\\n\"", "unknown escape '\\' at 11"},
        {"brand in \"x\"", "unexpected '\"x\"' at 10, 'in' is followed by values in parentheses"},
        {"brand in ()", "unexpected ')' at 11"},
        {"brand in (\"x\",)", "unexpected ')' at 15"},
        {"brand not \"x\"", "unexpected '\"x\"' at 11, 'in' is expected after 'not'"},
        {"attributes = 3", "unexpected '=' at 12, an attribute is written attributes.NAME"},
        {"attributes.a in (1, \"b\")", "a text where a number is expected: '\"b\"' at 21"},
        {"(price < 3", "it ends at 11, 'and', 'or' or ')' is expected"},
        {"price < 3)", "unexpected ')' at 10, 'and' or 'or' is expected"},
        {"price <", "it ends at 8, a number is expected"},
        {"not", "it ends at 4, a comparison is expected"},
        {" ", "it ends at 2, a comparison is expected"},
        {"", "it is empty"},
        {"price < 3 # x", "unexpected '#' at 11"},
        {"brand = \"\xff\"", "byte 9 is not UTF-8"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        _Alignas(16) static unsigned char memory[VT_FILTER_PLAN_BYTES];
        struct vt_arena arena;
        struct vt_diag diag = {0};
        const struct vt_filter *filter = NULL;
        vt_arena_init(&arena, memory, sizeof memory);
        assert_code(vt_filter_compile(vt_slice_str(rows[r].text), &arena, &diag, &filter),
                    VT_INVALID);
        assert_string_equal(diag.field, "filter");
        if (strncmp(diag.text, rows[r].message, strlen(rows[r].message)) != 0)
            fail_msg("'%s': '%s', not '%s'", rows[r].text, diag.text, rows[r].message);
        assert_null(filter);
    }
}

/* `head`, then n times `part` with `between`, then `tail`: compiles, or is refused. */
static enum vt_code code_of(const char *part, const char *between, uint32_t n, const char *head,
                            const char *tail)
{
    static char text[16384];
    _Alignas(16) static unsigned char memory[VT_FILTER_PLAN_BYTES];
    struct vt_arena arena;
    const struct vt_filter *filter;
    size_t len = (size_t)snprintf(text, sizeof text, "%s", head);
    for (uint32_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? between : "", part);
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", tail);
    vt_arena_init(&arena, memory, sizeof memory);
    return vt_filter_compile(vt_slice(text, len), &arena, NULL, &filter).code;
}

static void limits_hold_at_the_limit_and_not_beyond(void **state)
{
    (void)state;
    const struct {
        const char *part, *between, *head, *tail;
        uint32_t max;
    } rows[] = {
        {"price<3", " or ", "", "", VT_FILTER_TERMS_MAX},
        {"7", ",", "price in (", ")", VT_FILTER_VALUES_MAX},
        {"x", "", "brand = \"", "\"", VT_FILTER_TEXT_BYTES_MAX - 10},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (uint32_t beyond = 0; beyond < 2; beyond++)
            assert_int_equal(code_of(rows[r].part, rows[r].between, rows[r].max + beyond,
                                     rows[r].head, rows[r].tail),
                             beyond == 0 ? VT_OK : VT_INVALID);
    char open[VT_FILTER_DEPTH_MAX + 2] = "", shut[VT_FILTER_DEPTH_MAX + 2] = "";
    memset(open, '(', VT_FILTER_DEPTH_MAX);
    memset(shut, ')', VT_FILTER_DEPTH_MAX);
    assert_int_equal(code_of("price<3", "", 1, open, shut), VT_OK);
    open[VT_FILTER_DEPTH_MAX] = '(', shut[VT_FILTER_DEPTH_MAX] = ')';
    assert_int_equal(code_of("price<3", "", 1, open, shut), VT_INVALID);
}

static void an_arena_without_room_is_exhausted(void **state)
{
    (void)state;
    unsigned char memory[64];
    struct vt_arena arena;
    const struct vt_filter *filter;
    vt_arena_init(&arena, memory, sizeof memory);
    assert_code(vt_filter_compile(vt_slice_str("price < 3"), &arena, NULL, &filter), VT_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_says_what_walking_the_expression_says),
        cmocka_unit_test(a_wrong_filter_is_refused_with_its_place_and_what_was_meant),
        cmocka_unit_test(limits_hold_at_the_limit_and_not_beyond),
        cmocka_unit_test(an_arena_without_room_is_exhausted),
    };
    return cmocka_run_group_tests_name("catalog/filter", tests, open_shop, close_shop);
}
