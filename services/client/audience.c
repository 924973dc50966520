/*
 * The calls about all customers: RecommendAll into a file that can be gone on with, WhoWouldLike.
 * Beside the file FILE stands FILE.mark while it is not whole: how long FILE was when everybody up
 * to a place was in it, and that place. What stands behind is cut off before going on.
 */
#include "services/client/client.h"
#include "services/client/pb_json.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "services/common/base/file.h"
#include "services/common/base/table.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    TOKEN_BYTES = 128,
    PAGES_PER_MARK = 20, /* a thousand customers: each mark waits for the disk */
};

/* ---- recommend-all ---- */

/* The place of a mark before the first customer. */
static const char BEGINNING[] = "-";

struct batch {
    FILE *out;
    char mark_path[PATH_BYTES], token[TOKEN_BYTES];
    uint64_t n_lists, n_customers;
    uint32_t n_pages;
    bool done;
};

static struct vt_err cannot_write(void)
{
    return VT_ERR_SYS(VT_EXHAUSTED, errno, "cannot write the lists");
}

static struct vt_err write_mark(struct batch *batch)
{
    char text[TOKEN_BYTES + 32];
    if (fflush(batch->out) != 0 || fsync(fileno(batch->out)) != 0)
        return cannot_write();
    int len = snprintf(text, sizeof text, "%lld %s\n", (long long)ftello(batch->out),
                       batch->token[0] != '\0' ? batch->token : BEGINNING);
    return vt_file_write_atomic(batch->mark_path, vt_slice(text, (size_t)len), NULL);
}

static struct vt_err on_mark(struct batch *batch, const Vitrine__V1__RecommendAllResponse *mark)
{
    batch->n_customers = mark->customers;
    batch->done = mark->page_token[0] == '\0';
    VT_CHECK(strlen(mark->page_token) < TOKEN_BYTES, VT_CORRUPT, "the server's mark is too long");
    snprintf(batch->token, sizeof batch->token, "%s", mark->page_token);
    batch->n_pages++;
    return !batch->done && batch->n_pages % PAGES_PER_MARK == 0 ? write_mark(batch) : vt_ok();
}

static struct vt_err on_list(void *ctx, const void *message)
{
    const Vitrine__V1__RecommendAllResponse *response = message;
    struct batch *batch = ctx;
    if (response->customer_number == 0)
        return on_mark(batch, response);
    json_t *object = vt__pb_to_json(&response->base);
    VT_CHECK(object != NULL, VT_EXHAUSTED, "no memory for a list as JSON");
    json_object_del(object, "pageToken"); /* of marks */
    json_object_del(object, "customers");
    int failed = json_dumpf(object, batch->out, JSON_COMPACT);
    json_decref(object);
    if (failed != 0 || putc('\n', batch->out) == EOF)
        return cannot_write();
    batch->n_lists++;
    return vt_ok();
}

/* Where an earlier run came to: its place, and the file's length then. No mark: the beginning. */
static struct vt_err read_mark(struct batch *batch, struct vt_diag *diag, bool *ret_found,
                               off_t *ret_len)
{
    char *text = NULL;
    size_t text_len = 0;
    long long len = 0;
    *ret_len = 0;
    *ret_found = access(batch->mark_path, F_OK) == 0;
    if (!*ret_found)
        return vt_ok();
    VT_TRY(vt_file_read(batch->mark_path, sizeof batch->token + 32, diag, &text, &text_len));
    bool good = sscanf(text, "%lld %127s", &len, batch->token) == 2 && len >= 0;
    free(text);
    if (!good)
        vt_diag_set(diag, batch->mark_path, "damaged; remove it to begin again");
    VT_CHECK(good, VT_CORRUPT, "the mark of an earlier run is damaged");
    if (strcmp(batch->token, BEGINNING) == 0)
        batch->token[0] = '\0';
    *ret_len = (off_t)len;
    return vt_ok();
}

/* Opens `path` where the mark says, or empty; refuses a file that nobody has marked. */
static struct vt_err open_batch(struct batch *batch, const char *path, struct vt_diag *diag)
{
    off_t len = 0;
    bool marked = false;
    snprintf(batch->mark_path, sizeof batch->mark_path, "%s.mark", path);
    VT_TRY(read_mark(batch, diag, &marked, &len));
    batch->out = fopen(path, marked ? "r+" : "wx");
    if (batch->out == NULL)
        vt_diag_set(diag, path, "%s%s", strerror(errno),
                    errno == EEXIST ? "; it is whole, remove it to make it again" : "");
    VT_CHECK(batch->out != NULL, VT_PRECONDITION, "cannot open the file for the lists");
    if (!marked)
        return write_mark(batch);
    bool long_enough = fseeko(batch->out, 0, SEEK_END) == 0 && ftello(batch->out) >= len;
    if (!long_enough)
        vt_diag_set(diag, path, "shorter than its mark says; remove both to begin again");
    VT_CHECK(long_enough, VT_CORRUPT, "the lists of an earlier run are damaged");
    if (ftruncate(fileno(batch->out), len) != 0 || fseeko(batch->out, len, SEEK_SET) != 0)
        return cannot_write();
    if (len > 0)
        fprintf(stderr, "vitrine: going on with %s after %lld bytes\n", path, (long long)len);
    return vt_ok();
}

static struct vt_err ask_for_all(const struct vt_client *client, const struct vt_client_ask *ask,
                                 struct batch *batch)
{
    struct vt_session session;
    Vitrine__V1__RecommendAllRequest request = VITRINE__V1__RECOMMEND_ALL_REQUEST__INIT;
    Vitrine__V1__RecommendRequest each = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    each.placement = (char *)(uintptr_t)ask->placement; /* only read */
    if (ask->filter != NULL)
        each.filter = (char *)(uintptr_t)ask->filter;
    each.n = ask->n;
    each.include_seen = ask->include_seen;
    request.request = &each;
    request.min_events = ask->min_events;
    request.page_token = batch->token;
    VT_TRY(vt__session_open(client, &session));
    struct vt_err err = vt__session_stream(
        &session, "/vitrine.v1.RecommendationService/RecommendAll", &request.base,
        &vitrine__v1__recommend_all_response__descriptor, on_list, batch);
    vt__session_close(&session);
    return err;
}

/* After the end the mark goes: the file is whole. */
static int close_batch(const struct vt_client *client, struct batch *batch, const char *path,
                       int status)
{
    bool written = fflush(batch->out) == 0 && fsync(fileno(batch->out)) == 0;
    if (fclose(batch->out) != 0 || !written || (status == 0 && !batch->done)) {
        fprintf(stderr, "vitrine: %s: not whole; the same command goes on\n", path);
        return status != 0 ? status : 1;
    }
    if (status != 0)
        return status;
    (void)unlink(batch->mark_path);
    printf(client->json ? "{\"customers\":%" PRIu64 ",\"lists\":%" PRIu64 "}\n"
                        : "%" PRIu64 " customers looked at, %" PRIu64 " lists written\n",
           batch->n_customers, batch->n_lists);
    return 0;
}

int vt_client_recommend_all(const struct vt_client *client, const struct vt_client_ask *ask,
                            const char *path)
{
    struct batch batch = {0};
    struct vt_diag diag = {0};
    struct vt_err err = open_batch(&batch, path, &diag);
    if (vt_failed(err)) {
        fprintf(stderr, "vitrine: %s: %s\n", diag.field[0] != '\0' ? diag.field : path,
                diag.text[0] != '\0' ? diag.text : err.what);
        if (batch.out != NULL)
            (void)fclose(batch.out);
        return 1;
    }
    err = ask_for_all(client, ask, &batch);
    return close_batch(client, &batch, path, vt_failed(err) ? vt__session_exit_status(err) : 0);
}

/* ---- who-would-like ---- */

struct interested {
    const struct vt_client *client;
    struct vt_table *table; /* NULL: JSON */
    uint64_t n_customers;
    uint32_t n;
};

static struct vt_err on_interested(void *ctx, const void *message)
{
    const Vitrine__V1__WhoWouldLikeResponse *response = message;
    struct interested *interested = ctx;
    interested->n_customers = response->customers;
    for (size_t i = 0; i < response->n_interested; i++) {
        const Vitrine__V1__InterestedCustomer *customer = response->interested[i];
        interested->n++;
        if (interested->table == NULL) {
            if (vt__print_json(&customer->base) != 0)
                return VT_ERR_SYS(VT_EXHAUSTED, errno, "cannot print a customer");
            continue;
        }
        vt_table_cellf(interested->table, "%u", interested->n);
        vt_table_cell(interested->table, vt_slice_str(customer->customer_id));
        vt_table_cellf(interested->table, "%.4f", customer->score);
        vt_table_cell(interested->table, vt_slice_str(customer->item_id));
    }
    return vt_ok();
}

static struct vt_err ask_who(const struct vt_client *client, const struct vt_client_ask *ask,
                             struct interested *interested)
{
    struct vt_session session;
    Vitrine__V1__WhoWouldLikeRequest request = VITRINE__V1__WHO_WOULD_LIKE_REQUEST__INIT;
    request.item_ids = (char **)(uintptr_t)ask->items; /* only read */
    request.n_item_ids = ask->n_items;
    request.n = ask->n;
    request.include_buyers = ask->include_seen;
    VT_TRY(vt__session_open(client, &session));
    struct vt_err err = vt__session_stream(
        &session, "/vitrine.v1.RecommendationService/WhoWouldLike", &request.base,
        &vitrine__v1__who_would_like_response__descriptor, on_interested, interested);
    vt__session_close(&session);
    return err;
}

int vt_client_who_would_like(const struct vt_client *client, const struct vt_client_ask *ask)
{
    static const char *const heads[] = {">#", "customer", ">score", "item"};
    struct interested interested = {.client = client};
    if (!client->json)
        interested.table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    struct vt_err err = ask_who(client, ask, &interested);
    if (!vt_failed(err) && !client->json) {
        vt_table_print(interested.table, stdout);
        printf("\n%" PRIu64 " customers looked at\n", interested.n_customers);
    }
    vt_table_free(interested.table);
    return vt_failed(err) ? vt__session_exit_status(err) : 0;
}
