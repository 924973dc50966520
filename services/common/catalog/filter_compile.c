/*
 * From text to plan. A recursive descent over the grammar of docs/api.md makes a tree of `and` and
 * `or` above the terms, in scratch on the stack; only parentheses recurse, and their depth is
 * bounded. Then the tree is laid out from right to left: each part is told where to go when it
 * holds and when it does not, and answers with its first term. `not` exchanges the two. (The
 * short-circuit code of boolean expressions, as in Aho, Lam, Sethi and Ullman, "Compilers", 6.6,
 * with the jumps known beforehand.)
 *
 * Every refusal says where, what, and as far as it can be guessed what was meant.
 */
#include "services/common/base/options.h"
#include "services/common/base/text.h"
#include "services/common/catalog/filter.h"
#include "services/common/catalog/filter_lex.h"
#include "services/common/catalog/filter_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = VT_FILTER_TERMS_MAX - 1, SHOWN_BYTES = 40, NUMBER_BYTES_MAX = 40 };

/* A term, or a node. */
struct part {
    uint8_t index;
    bool is_node, negated;
};
struct node {
    bool is_and;
    struct part left, right;
};

struct parser {
    struct vt_slice text;
    struct vt_diag *diag;
    struct vt_filter *filter;
    struct vt__filter_token token; /* not taken yet */
    unsigned depth, n_nodes;
    struct node nodes[NODES_MAX];
};

static const struct {
    const char *name;
    bool numeric;
} fields[VT__FILTER_ATTRIBUTE] = {
    [VT__FILTER_ID] = {"id", false},
    [VT__FILTER_TITLE] = {"title", false},
    [VT__FILTER_BRAND] = {"brand", false},
    [VT__FILTER_CATEGORY] = {"category", false},
    [VT__FILTER_CURRENCY] = {"currency", false},
    [VT__FILTER_PRICE] = {"price", true},
    [VT__FILTER_STOCK] = {"stock", true},
    [VT__FILTER_AGE] = {"age", true},
};
static const char attributes[] = "attributes";

/* ---- refusals ---- */

static unsigned long character_of(const struct parser *parser, size_t byte)
{
    unsigned long character = 1;
    for (size_t at = 0; at < byte; character++)
        at += vt_text_sequence_bytes(parser->text, at);
    return character;
}

/* As much of the token as a message has room for. */
static int shown(struct vt_slice text)
{
    size_t end = 0, next;
    while (end < text.len && (next = vt_text_sequence_bytes(text, end)) > 0 &&
           end + next <= SHOWN_BYTES)
        end += next;
    return (int)end;
}

/* "WHAT 'TOKEN' at PLACE, HINT" */
static struct vt_err refuse(struct parser *parser, struct vt_slice token, const char *what,
                            const char *hint)
{
    size_t byte = (size_t)(token.data - parser->text.data);
    if (token.len > 0)
        vt_diag_set(parser->diag, "filter", "%s '%.*s' at %lu, %s", what, shown(token), token.data,
                    character_of(parser, byte), hint);
    else
        vt_diag_set(parser->diag, "filter", "%s at %lu, %s",
                    byte == parser->text.len ? "it ends" : what, character_of(parser, byte), hint);
    if (parser->diag != NULL)
        parser->diag->offset = byte;
    return VT_ERR(VT_INVALID, "the filter cannot be read");
}

static struct vt_err refuse_meant(struct parser *parser, struct vt_slice token, const char *what,
                                  const char *meant)
{
    char hint[80];
    snprintf(hint, sizeof hint, "did you mean '%s'?", meant);
    return refuse(parser, token, what, hint);
}

/* The nearest of the names; NULL: none is near. */
static const char *nearest(struct vt_slice wrong, const char *const *names, size_t n_names)
{
    char text[SHOWN_BYTES + 1];
    if (wrong.len > SHOWN_BYTES)
        return NULL;
    memcpy(text, wrong.data, wrong.len);
    text[wrong.len] = '\0';
    return vt_nearest_name(text, names, n_names);
}

static struct vt_err refuse_field(struct parser *parser, struct vt_slice name)
{
    const char *names[VT__FILTER_FIELDS];
    for (int f = 0; f < VT__FILTER_ATTRIBUTE; f++)
        names[f] = fields[f].name;
    names[VT__FILTER_ATTRIBUTE] = attributes;
    const char *meant = nearest(name, names, VT__FILTER_FIELDS);
    if (meant != NULL)
        return refuse_meant(parser, name, "unknown field", meant);
    return refuse(parser, name, "unknown field",
                  "the fields are id, title, brand, category, currency, price, stock, age and "
                  "attributes.NAME");
}

/* Where an operator of another language stands. */
static const char *foreign_operator(struct vt_slice token)
{
    static const char *const pairs[][2] = {{"==", "="},  {"<>", "!="},  {"=<", "<="},
                                           {"=>", ">="}, {"&&", "and"}, {"||", "or"},
                                           {"!", "not"}, {"&", "and"},  {"|", "or"}};
    for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++)
        if (vt_slice_equal(token, vt_slice_str(pairs[p][0])))
            return pairs[p][1];
    return NULL;
}

static struct vt_err refuse_token(struct parser *parser, const char *hint)
{
    struct vt__filter_token token = parser->token;
    const char *meant = token.word == VT__FILTER_UNKNOWN ? foreign_operator(token.text) : NULL;
    if (meant != NULL)
        return refuse_meant(parser, token.text, "unknown operator", meant);
    if (token.word == VT__FILTER_UNCLOSED)
        return refuse(parser, token.text, "text without its closing quote",
                      "write a quote or backslash inside a text as \\\" or \\\\");
    return refuse(parser, token.text, "unexpected", hint);
}

/* ---- words ---- */

static void take(struct parser *parser)
{
    size_t end = (size_t)(parser->token.text.data - parser->text.data) + parser->token.text.len;
    parser->token = vt__filter_next(parser->text, end);
}

static bool take_if(struct parser *parser, enum vt__filter_word word)
{
    bool is = parser->token.word == word;
    if (is)
        take(parser);
    return is;
}

static struct vt_err expect(struct parser *parser, enum vt__filter_word word, const char *hint)
{
    return take_if(parser, word) ? vt_ok() : refuse_token(parser, hint);
}

/* ---- values ---- */

bool vt__filter_number(struct vt_slice text, double *ret_number)
{
    char copy[NUMBER_BYTES_MAX + 1], *end = NULL;
    if (text.len == 0 || text.len > NUMBER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (strchr("0123456789+-.eE", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, &end);
    if (end != copy + text.len || !isfinite(number))
        return false;
    *ret_number = number;
    return true;
}

/* Appends without quotes and escapes; there is room, because it only gets shorter. */
static struct vt_err keep_text(struct parser *parser, struct vt_slice token, uint16_t *ret_offset,
                               uint16_t *ret_bytes)
{
    struct vt_filter *filter = parser->filter;
    bool quoted = token.data[0] == '"' || token.data[0] == '\'';
    size_t end = token.len - quoted, n = 0;
    for (size_t at = quoted; at < end; at++, n++) {
        if (quoted && token.data[at] == '\\') {
            at++;
            if (strchr("\"'\\", token.data[at]) == NULL)
                return refuse(parser, vt_slice(token.data + at - 1, 1), "unknown escape",
                              "only \\\" \\' and \\\\ have a meaning; a backslash itself is \\\\");
        }
        filter->texts[filter->n_text_bytes + n] = token.data[at];
    }
    *ret_offset = (uint16_t)filter->n_text_bytes;
    *ret_bytes = (uint16_t)n;
    filter->n_text_bytes += (uint32_t)n;
    return vt_ok();
}

static struct vt_err read_number(struct parser *parser, struct vt__filter_value *value)
{
    struct vt_slice text = parser->token.text;
    if (parser->token.word == VT__FILTER_TEXT)
        return refuse(parser, text,
                      "a text where a number is expected:", "write the number without quotes");
    if (parser->token.word != VT__FILTER_NUMBER)
        return refuse_token(parser, "a number is expected, such as 30 or 2.5");
    if (!vt__filter_number(text, &value->number))
        return refuse(parser, text, "not a number:", "write it as 30, 2.5 or -1e3");
    return vt_ok();
}

static struct vt_err read_text(struct parser *parser, struct vt__filter_value *value)
{
    struct vt_slice text = parser->token.text;
    if (parser->token.word == VT__FILTER_NAME || parser->token.word == VT__FILTER_NUMBER)
        return refuse(parser, text, "a text is expected instead of", "put it in quotes");
    if (parser->token.word != VT__FILTER_TEXT)
        return refuse_token(parser, "a text in quotes is expected");
    VT_TRY(keep_text(parser, text, &value->offset, &value->bytes));
    if (value->bytes == 0)
        return refuse(parser, text, "an empty text matches nothing:", "leave this comparison out");
    value->hash = vt_item_text_hash(vt__filter_text(parser->filter, value->offset, value->bytes));
    return vt_ok();
}

/* Of the first value the kind of an attribute's comparison. */
static struct vt_err read_value(struct parser *parser, struct vt__filter_term *term)
{
    struct vt_filter *filter = parser->filter;
    if (filter->n_values == VT_FILTER_VALUES_MAX)
        return refuse(parser, parser->token.text,
                      "too many values:", "a filter has at most 256 in all");
    if (term->field == VT__FILTER_ATTRIBUTE && term->n_values == 0)
        term->numeric = parser->token.word == VT__FILTER_NUMBER;
    struct vt__filter_value *value = &filter->values[filter->n_values];
    *value = (struct vt__filter_value){.number = 0};
    VT_TRY(term->numeric ? read_number(parser, value) : read_text(parser, value));
    filter->n_values++;
    term->n_values++;
    take(parser);
    return vt_ok();
}

/* By insertion: the C library's qsort may allocate. */
static void sort_by_hash(struct vt__filter_value *values, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct vt__filter_value moved = values[i];
        uint32_t to = i;
        for (; to > 0 && values[to - 1].hash > moved.hash; to--)
            values[to] = values[to - 1];
        values[to] = moved;
    }
}

static struct vt_err read_list(struct parser *parser, struct vt__filter_term *term)
{
    VT_TRY(expect(parser, VT__FILTER_OPEN, "'in' is followed by values in parentheses"));
    do
        VT_TRY(read_value(parser, term));
    while (take_if(parser, VT__FILTER_COMMA));
    VT_TRY(expect(parser, VT__FILTER_CLOSE, "',' or ')' is expected"));
    if (!term->numeric)
        sort_by_hash(&parser->filter->values[term->first_value], term->n_values);
    return vt_ok();
}

/* ---- a comparison ---- */

static struct vt_err read_attribute(struct parser *parser, struct vt__filter_term *term)
{
    static const char hint[] =
        "an attribute is written attributes.NAME, or attributes.\"NAME\" where it has blanks";
    term->field = VT__FILTER_ATTRIBUTE;
    VT_TRY(expect(parser, VT__FILTER_DOT, hint));
    struct vt__filter_token name = parser->token;
    bool is_name =
        name.text.len > 0 && (name.word == VT__FILTER_TEXT ||
                              (name.word >= VT__FILTER_AND && name.word <= VT__FILTER_IN) ||
                              name.word == VT__FILTER_NAME);
    if (!is_name)
        return refuse_token(parser, hint);
    take(parser);
    return keep_text(parser, name.text, &term->name_offset, &term->name_bytes);
}

static struct vt_err read_field(struct parser *parser, struct vt__filter_term *term)
{
    struct vt_slice name = parser->token.text;
    if (parser->token.word != VT__FILTER_NAME)
        return refuse_token(parser, "a comparison is expected, such as price < 30");
    if (vt_slice_equal(name, vt_slice_str(attributes))) {
        take(parser);
        return read_attribute(parser, term);
    }
    term->field = 0;
    while (term->field < VT__FILTER_ATTRIBUTE &&
           !vt_slice_equal(name, vt_slice_str(fields[term->field].name)))
        term->field++;
    if (term->field == VT__FILTER_ATTRIBUTE)
        return refuse_field(parser, name);
    term->numeric = fields[term->field].numeric;
    parser->filter->needs_time |= term->field == VT__FILTER_AGE;
    take(parser);
    return vt_ok();
}

/* The operator's own part; true in *ret_negated for `!=`. */
static struct vt_err read_comparison(struct parser *parser, struct vt__filter_term *term,
                                     bool *ret_negated)
{
    static const char *const signs[] = {"=", "<", "<=", ">", ">="}; /* enum vt__filter_operator */
    struct vt_slice sign = parser->token.text;
    if (parser->token.word != VT__FILTER_COMPARISON)
        return refuse_token(parser, "one of = != < <= > >= in, not in is expected");
    *ret_negated = vt_slice_equal(sign, vt_slice_str("!="));
    term->operator= VT__FILTER_EQUAL;
    for (size_t s = 0; s < sizeof signs / sizeof signs[0]; s++)
        if (vt_slice_equal(sign, vt_slice_str(signs[s])))
            term->operator=(uint8_t) s;
    take(parser);
    VT_TRY(read_value(parser, term));
    if (!term->numeric && term->operator!= VT__FILTER_EQUAL)
        return refuse(parser, sign, "texts have no order:", "compare them by = != in, not in");
    return vt_ok();
}

static struct vt_err read_term(struct parser *parser, struct part *ret_part)
{
    struct vt_filter *filter = parser->filter;
    if (filter->n_terms == VT_FILTER_TERMS_MAX)
        return refuse(parser, parser->token.text, "too many comparisons:",
                      "a filter has at most 32; several values of a field fit into one 'in (...)'");
    struct vt__filter_term term = {.first_value = (uint16_t)filter->n_values};
    bool negated = false;
    VT_TRY(read_field(parser, &term));
    negated = take_if(parser, VT__FILTER_NOT);
    if (negated || parser->token.word == VT__FILTER_IN) {
        VT_TRY(expect(parser, VT__FILTER_IN, "'in' is expected after 'not'"));
        VT_TRY(read_list(parser, &term));
    } else {
        VT_TRY(read_comparison(parser, &term, &negated));
    }
    *ret_part = (struct part){.index = (uint8_t)filter->n_terms, .negated = negated};
    filter->terms[filter->n_terms++] = term;
    return vt_ok();
}

/* ---- and, or, not ---- */

static struct vt_err read_any(struct parser *parser, struct part *ret_part);

static struct vt_err read_unary(struct parser *parser, struct part *ret_part)
{
    bool negated = false;
    while (take_if(parser, VT__FILTER_NOT))
        negated = !negated;
    struct vt_slice open = parser->token.text;
    if (take_if(parser, VT__FILTER_OPEN)) {
        if (parser->depth == VT_FILTER_DEPTH_MAX)
            return refuse(parser, open, "too deep:", "parentheses nest at most 16 deep");
        parser->depth++;
        VT_TRY(read_any(parser, ret_part));
        parser->depth--;
        VT_TRY(expect(parser, VT__FILTER_CLOSE, "'and', 'or' or ')' is expected"));
    } else {
        VT_TRY(read_term(parser, ret_part));
    }
    ret_part->negated = ret_part->negated != negated;
    return vt_ok();
}

/* There are fewer nodes than terms, so there is room. */
static struct part join(struct parser *parser, bool is_and, struct part left, struct part right)
{
    parser->nodes[parser->n_nodes] = (struct node){is_and, left, right};
    return (struct part){.index = (uint8_t)parser->n_nodes++, .is_node = true};
}

static struct vt_err read_all(struct parser *parser, struct part *ret_part)
{
    struct part right;
    VT_TRY(read_unary(parser, ret_part));
    while (take_if(parser, VT__FILTER_AND)) {
        VT_TRY(read_unary(parser, &right));
        *ret_part = join(parser, true, *ret_part, right);
    }
    return vt_ok();
}

static struct vt_err read_any(struct parser *parser, struct part *ret_part)
{
    struct part right;
    VT_TRY(read_all(parser, ret_part));
    while (take_if(parser, VT__FILTER_OR)) {
        VT_TRY(read_all(parser, &right));
        *ret_part = join(parser, false, *ret_part, right);
    }
    return vt_ok();
}

/* Where to go from `part`'s outcomes; returns where it begins. Recurses once a node at most. */
static uint8_t lay_out(struct parser *parser, struct part part, uint8_t yes, uint8_t no)
{
    uint8_t then = part.negated ? no : yes, otherwise = part.negated ? yes : no;
    if (!part.is_node) {
        parser->filter->terms[part.index].then = then;
        parser->filter->terms[part.index].otherwise = otherwise;
        return part.index;
    }
    const struct node *node = &parser->nodes[part.index];
    uint8_t right = lay_out(parser, node->right, then, otherwise);
    return node->is_and ? lay_out(parser, node->left, right, otherwise)
                        : lay_out(parser, node->left, then, right);
}

/* ---- the whole ---- */

static struct vt_err check_text(struct vt_slice text, struct vt_diag *diag)
{
    size_t bad = 0;
    if (text.len == 0)
        vt_diag_set(diag, "filter", "it is empty");
    VT_CHECK(text.len > 0, VT_INVALID, "the filter is empty");
    if (text.len > VT_FILTER_TEXT_BYTES_MAX)
        vt_diag_set(diag, "filter", "%zu bytes, at most %d", text.len, VT_FILTER_TEXT_BYTES_MAX);
    VT_CHECK(text.len <= VT_FILTER_TEXT_BYTES_MAX, VT_INVALID, "the filter is too long");
    bool valid = vt_text_valid(text, &bad);
    if (!valid)
        vt_diag_set(diag, "filter", "byte %zu is not UTF-8", bad);
    VT_CHECK(valid, VT_INVALID, "the filter is not UTF-8");
    return vt_ok();
}

static struct vt_err refuse_rest(struct parser *parser)
{
    static const char *const words[] = {"and", "or"};
    struct vt_slice rest = parser->token.text;
    const char *meant = parser->token.word == VT__FILTER_NAME ? nearest(rest, words, 2) : NULL;
    return meant != NULL ? refuse_meant(parser, rest, "unexpected", meant)
                         : refuse_token(parser, "'and' or 'or' is expected");
}

struct vt_err vt_filter_compile(struct vt_slice text, struct vt_arena *arena, struct vt_diag *diag,
                                const struct vt_filter **ret_filter)
{
    VT_TRY(check_text(text, diag));
    struct vt_filter *filter = vt_arena_alloc(arena, sizeof *filter);
    VT_CHECK(filter != NULL, VT_EXHAUSTED, "the request's memory is full");
    struct parser parser = {.text = text, .diag = diag, .filter = filter};
    struct part whole;
    filter->n_terms = filter->n_values = filter->n_text_bytes = 0;
    filter->needs_time = false;
    parser.token = vt__filter_next(text, 0);
    VT_TRY(read_any(&parser, &whole));
    if (parser.token.word != VT__FILTER_END)
        return refuse_rest(&parser);
    filter->first = lay_out(&parser, whole, VT__FILTER_YES, VT__FILTER_NO);
    *ret_filter = filter;
    return vt_ok();
}
