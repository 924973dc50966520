/*
 * MovieLens 100k: ratings "user item rating time" between tabs, films and people between bars. The
 * three are told apart by their first line. The ratings are of 1997 and 1998, before any event may
 * be, so all of them are moved ten years on: intervals and seasons stay. Genres are nineteen flags
 * at the end of a film.
 */
#include "services/common/base/text.h"
#include "services/ingest/reader.h"

#include <stdlib.h>
#include <string.h>

enum { FILM_PARTS = 24, FILM_FIRST_GENRE = 5, N_GENRES = 19, PERSON_PARTS = 5, RATING_PARTS = 4 };

static const char *const genres[N_GENRES] = {
    "unknown",     "Action", "Adventure", "Animation", "Children's", "Comedy",  "Crime",
    "Documentary", "Drama",  "Fantasy",   "Film-Noir", "Horror",     "Musical", "Mystery",
    "Romance",     "Sci-Fi", "Thriller",  "War",       "Western"};

struct movielens {
    struct vt_reader_output out;
    struct vt_err (*line)(struct movielens *reader, struct vt_slice text, uint64_t number);
};

static bool all_digits(struct vt_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len > 0;
}

static struct vt_err reject(struct movielens *reader, uint64_t number, const char *reason,
                            struct vt_slice text)
{
    return reader->out.reject(reader->out.ctx, number, reason, text);
}

static struct vt_cell cell(enum vt_record_kind kind, const char *field, struct vt_slice text)
{
    return (struct vt_cell){.field = vt_field_index(kind, field), .text = text};
}

static struct vt_cell attribute(enum vt_record_kind kind, const char *key, struct vt_slice text)
{
    struct vt_cell one = cell(kind, "attributes", text);
    one.key = vt_slice_str(key);
    return one;
}

static struct vt_err emit(struct movielens *reader, enum vt_record_kind kind,
                          const struct vt_cell *cells, size_t n, uint64_t number)
{
    struct vt_row row = {.kind = kind, .cells = cells, .n_cells = n, .line = number};
    return reader->out.row(reader->out.ctx, &row);
}

static struct vt_err rating_line(struct movielens *reader, struct vt_slice text, uint64_t number)
{
    struct vt_slice part[RATING_PARTS + 1];
    size_t n = vt_slice_split(text, '\t', part, RATING_PARTS + 1);
    if (n != RATING_PARTS || !all_digits(part[0]) || !all_digits(part[1]))
        return reject(reader, number, "a rating is: user TAB item TAB stars TAB seconds", text);
    const struct vt_cell cells[] = {
        cell(VT_RECORD_EVENT, "type", vt_slice_str("rating")),
        cell(VT_RECORD_EVENT, "customer_id", part[0]),
        cell(VT_RECORD_EVENT, "item_id", part[1]),
        cell(VT_RECORD_EVENT, "value", part[2]),
        cell(VT_RECORD_EVENT, "time", part[3]),
    };
    return emit(reader, VT_RECORD_EVENT, cells, sizeof cells / sizeof cells[0], number);
}

static struct vt_err film_line(struct movielens *reader, struct vt_slice text, uint64_t number)
{
    struct vt_slice part[FILM_PARTS + 1];
    struct vt_cell cells[4 + N_GENRES];
    size_t n = 0;
    if (vt_slice_split(text, '|', part, FILM_PARTS + 1) != FILM_PARTS || !all_digits(part[0]))
        return reject(reader, number, "a film has 24 parts between bars: id|title|…|19 genres",
                      text);
    cells[n++] = cell(VT_RECORD_ITEM, "id", part[0]);
    cells[n++] = cell(VT_RECORD_ITEM, "title", part[1]);
    cells[n++] = cell(VT_RECORD_ITEM, "uri", part[4]);
    cells[n++] = attribute(VT_RECORD_ITEM, "release_date", part[2]);
    for (size_t i = 0; i < N_GENRES && n < 4 + VT_ITEM_CATEGORIES_MAX; i++)
        if (vt_slice_equal(part[FILM_FIRST_GENRE + i], vt_slice_str("1")))
            cells[n++] = cell(VT_RECORD_ITEM, "categories", vt_slice_str(genres[i]));
    return emit(reader, VT_RECORD_ITEM, cells, n, number);
}

static struct vt_err person_line(struct movielens *reader, struct vt_slice text, uint64_t number)
{
    struct vt_slice part[PERSON_PARTS + 1];
    if (vt_slice_split(text, '|', part, PERSON_PARTS + 1) != PERSON_PARTS || !all_digits(part[0]))
        return reject(reader, number, "a person is: id|age|gender|occupation|zip code", text);
    const struct vt_cell cells[] = {
        cell(VT_RECORD_CUSTOMER, "id", part[0]),
        attribute(VT_RECORD_CUSTOMER, "age", part[1]),
        attribute(VT_RECORD_CUSTOMER, "gender", part[2]),
        attribute(VT_RECORD_CUSTOMER, "occupation", part[3]),
        attribute(VT_RECORD_CUSTOMER, "zip_code", part[4]),
    };
    return emit(reader, VT_RECORD_CUSTOMER, cells, sizeof cells / sizeof cells[0], number);
}

typedef struct vt_err (*line_fn)(struct movielens *reader, struct vt_slice text, uint64_t number);

/* What the first line looks like; NULL when it is none of the three. */
static line_fn line_kind(struct vt_slice head)
{
    struct vt_slice part[FILM_PARTS + 1], first = vt_first_line(head);
    if (vt_slice_split(first, '|', part, FILM_PARTS + 1) == FILM_PARTS && all_digits(part[0]))
        return film_line;
    if (vt_slice_split(first, '|', part, PERSON_PARTS + 1) == PERSON_PARTS && all_digits(part[0]))
        return person_line;
    if (vt_slice_split(first, '\t', part, RATING_PARTS + 1) == RATING_PARTS &&
        all_digits(part[0]) && all_digits(part[1]) && all_digits(part[3]))
        return rating_line;
    return NULL;
}

static bool movielens_sniff(const char *path, struct vt_slice head)
{
    (void)path;
    return line_kind(head) != NULL;
}

static struct vt_err movielens_open(const struct vt_reader_options *options, struct vt_diag *diag,
                                    void **ret_reader)
{
    line_fn line = line_kind(options->head);
    if (line == NULL) {
        vt_diag_set(diag, options->path,
                    "is no file of MovieLens 100k (u.data, u.item, u.user, ua.base …)");
        return VT_ERR(VT_INVALID, "not a MovieLens file");
    }
    struct movielens *reader = calloc(1, sizeof *reader);
    VT_CHECK(reader != NULL, VT_EXHAUSTED, "out of memory");
    *reader = (struct movielens){options->out, line};
    *ret_reader = reader;
    return vt_ok();
}

static struct vt_err movielens_line(void *self, struct vt_slice text, uint64_t number,
                                    struct vt_diag *diag)
{
    (void)diag;
    struct movielens *reader = self;
    size_t bad;
    if (text.len == 0) {
        reader->out.blank(reader->out.ctx);
        return vt_ok();
    }
    if (!vt_text_valid(text, &bad))
        return reject(reader, number, "not UTF-8; MovieLens is --encoding latin-1", text);
    return reader->line(reader, text, number);
}

const struct vt_format vt_format_movielens = {
    .name = "movielens",
    .latin1 = true,
    .time_shift_ms = INT64_C(3652) * 24 * 3600 * 1000, /* 1997 to 2007 */
    .sniff = movielens_sniff,
    .open = movielens_open,
    .line = movielens_line,
    .close = free,
};
