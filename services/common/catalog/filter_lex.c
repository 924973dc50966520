/*
 * Cuts a filter into words. Every byte above 0x7f counts as a letter, so names may be of any
 * script; a `-` inside a name belongs to it, because attributes are called so and there is no
 * arithmetic.
 */
#include "services/common/catalog/filter_lex.h"

#include "services/common/base/text.h"

#include <stdbool.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char at_or_nul(struct vt_slice filter, size_t at)
{
    return at < filter.len ? filter.data[at] : '\0';
}

static struct vt__filter_token token(enum vt__filter_word word, struct vt_slice filter,
                                     size_t begin, size_t end)
{
    return (struct vt__filter_token){word, vt_slice(filter.data + begin, end - begin)};
}

static struct vt__filter_token name(struct vt_slice filter, size_t at)
{
    static const struct {
        const char *text;
        enum vt__filter_word word;
    } words[] = {
        {"and", VT__FILTER_AND},
        {"or", VT__FILTER_OR},
        {"not", VT__FILTER_NOT},
        {"in", VT__FILTER_IN},
    };
    size_t end = at;
    while (end < filter.len &&
           (is_letter(filter.data[end]) || is_digit(filter.data[end]) || filter.data[end] == '-'))
        end++;
    struct vt__filter_token found = token(VT__FILTER_NAME, filter, at, end);
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        if (strlen(words[w].text) == found.text.len &&
            strncasecmp(words[w].text, found.text.data, found.text.len) == 0)
            found.word = words[w].word;
    return found;
}

/* Whatever looks like a number to people, to its end: whether it is one is judged when it is read.
 */
static struct vt__filter_token number(struct vt_slice filter, size_t at)
{
    size_t end = at + 1;
    for (; end < filter.len; end++) {
        char c = filter.data[end], before = filter.data[end - 1];
        bool sign_of_exponent = (c == '-' || c == '+') && (before == 'e' || before == 'E');
        if (!is_digit(c) && !is_letter(c) && c != '.' && !sign_of_exponent)
            break;
    }
    return token(VT__FILTER_NUMBER, filter, at, end);
}

static struct vt__filter_token quoted(struct vt_slice filter, size_t at)
{
    size_t end = at + 1;
    while (end < filter.len && filter.data[end] != filter.data[at])
        end += filter.data[end] == '\\' && end + 1 < filter.len ? 2 : 1;
    if (end >= filter.len)
        return token(VT__FILTER_UNCLOSED, filter, at, filter.len);
    return token(VT__FILTER_TEXT, filter, at, end + 1);
}

/* As long as it looks like an operator, so that `==` is one wrong word and not two right ones. */
static struct vt__filter_token operator(struct vt_slice filter, size_t at)
{
    static const char *const comparisons[] = {"=", "!=", "<", "<=", ">", ">="};
    size_t end = at;
    while (end < filter.len && end < at + 3 && strchr("=!<>&|", filter.data[end]) != NULL)
        end++;
    for (size_t c = 0; c < sizeof comparisons / sizeof comparisons[0]; c++)
        if (vt_slice_equal(vt_slice(filter.data + at, end - at), vt_slice_str(comparisons[c])))
            return token(VT__FILTER_COMPARISON, filter, at, end);
    return token(VT__FILTER_UNKNOWN, filter, at, end);
}

struct vt__filter_token vt__filter_next(struct vt_slice filter, size_t at)
{
    static const char marks[] = "(),.";
    static const enum vt__filter_word words[] = {VT__FILTER_OPEN, VT__FILTER_CLOSE,
                                                 VT__FILTER_COMMA, VT__FILTER_DOT};
    while (at < filter.len && is_space(filter.data[at]))
        at++;
    char c = at_or_nul(filter, at), next = at_or_nul(filter, at + 1);
    if (c == '\0')
        return token(VT__FILTER_END, filter, at, at);
    const char *mark = strchr(marks, c);
    if (is_digit(c) || ((c == '-' || c == '+' || c == '.') && is_digit(next)))
        return number(filter, at);
    if (mark != NULL)
        return token(words[mark - marks], filter, at, at + 1);
    if (is_letter(c))
        return name(filter, at);
    if (c == '"' || c == '\'')
        return quoted(filter, at);
    if (strchr("=!<>&|", c) != NULL)
        return operator(filter, at);
    return token(VT__FILTER_UNKNOWN, filter, at, at + vt_text_sequence_bytes(filter, at));
}
