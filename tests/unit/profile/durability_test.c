#include "services/common/base/file.h"
#include "services/profile/profile.h"
#include "tests/testlib/power_cut.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * kill -9 at random moments while four threads write events, customers and items. The oracle is
 * what each thread was told: everything acknowledged is there afterwards, once; the one operation
 * that was under way is there whole or not at all; nothing else is. The parent never opens the
 * store itself (threads do not survive fork), so both the writer that dies and the one that looks
 * are children. VITRINE_TEST_ALL=1 kills 200 times instead of 20. Under ThreadSanitizer a child
 * takes eight times as long, and what counts there is the threads of each child, not what a kill
 * leaves: a quarter of the kills will do.
 */

#ifdef __SANITIZE_THREAD__
#define KILLS 5
#define CUTS 4
#else
#define KILLS 20
#define CUTS 10
#endif

enum {
    KILLS_ALL = 200,
    CUTS_ALL = 100,
    CUTS_OF_A_FOLDER = 4,
    CUT_CALLS_MAX = 600, /* that change files: opening makes about 100, a commit three */
    WRITERS = 4,
    BATCH_MAX = 40,
    CUSTOMERS = 50, /* of each writer */
    ITEMS = 8,
    ACKS_MAX = 60, /* before a kill */
    DELAY_MAX_US = 3000,
    OPS_MAX = 1 << 16, /* of each writer */
    MEMORY_BYTES = 1 << 20,
    ID_BYTES = 48,
};

/* ---- what writer w does as its operation k: a function of both, so that parent and checker agree
 * without a word ---- */

enum op_kind { OP_EVENTS, OP_CUSTOMER, OP_ITEM, OP_DELETE_ITEM };

static uint32_t mixed(uint32_t writer, uint32_t op)
{
    uint32_t x = writer * 2654435761u ^ (op + 1) * 2246822519u;
    x ^= x >> 15;
    x *= 3266489917u;
    return x ^ x >> 13;
}

static enum op_kind kind_of(uint32_t writer, uint32_t op)
{
    static const enum op_kind kinds[8] = {OP_EVENTS, OP_EVENTS,   OP_EVENTS, OP_EVENTS,
                                          OP_EVENTS, OP_CUSTOMER, OP_ITEM,   OP_DELETE_ITEM};
    return kinds[mixed(writer, op) % 8];
}

static uint32_t batch_of(uint32_t writer, uint32_t op)
{
    return 1 + (mixed(writer, op) >> 8) % BATCH_MAX;
}

/* No two events of the test have one time: it stands for the event in the log. */
static int64_t time_of(uint32_t writer, uint32_t op, uint32_t i)
{
    return VT_EVENT_TIME_MIN_MS + ((int64_t)writer * OPS_MAX + op) * BATCH_MAX + i;
}

static void customer_of(uint32_t writer, uint32_t op, uint32_t i, char ret_id[ID_BYTES])
{
    snprintf(ret_id, ID_BYTES, "c-%u-%u", writer, (mixed(writer, op) + i % 3) % CUSTOMERS);
}

static void item_of(uint32_t writer, uint32_t op, char ret_id[ID_BYTES])
{
    snprintf(ret_id, ID_BYTES, "i-%u-%u", writer, (mixed(writer, op) >> 16) % ITEMS);
}

/* ---- a child: in it a failure is its exit status ---- */

struct writer {
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
    uint32_t number, first_op;
    int acks;
    char ids[BATCH_MAX][ID_BYTES], customers[BATCH_MAX][ID_BYTES], item[ID_BYTES];
    struct vt_event events[BATCH_MAX];
    struct vt_event_result results[BATCH_MAX];
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "child: %s\n", what);
    _exit(1);
}

static void on_written(void *ctx, struct vt_err err)
{
    struct writer *writer = ctx;
    pthread_mutex_lock(&writer->lock);
    writer->err = err;
    writer->done = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

static void writer_init(struct writer *writer, struct vt_profile *profile, uint32_t number)
{
    *writer = (struct writer){.profile = profile, .number = number};
    writer->request = (struct vt_request){
        .arena = &writer->arena, .diag = &writer->diag, .deadline_ns = INT64_MAX};
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    require(vt_arena_init_owned(&writer->arena, MEMORY_BYTES), "no memory");
}

static void writer_fini(struct writer *writer)
{
    vt_arena_fini(&writer->arena);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
}

static void start_events(struct writer *writer, uint32_t op, const struct vt_profile_write *write)
{
    uint32_t n = batch_of(writer->number, op);
    item_of(writer->number, op, writer->item);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(writer->ids[i], ID_BYTES, "e-%u-%u-%u", writer->number, op, i);
        customer_of(writer->number, op, i, writer->customers[i]);
        writer->events[i] = (struct vt_event){
            .event_id = vt_slice_str(writer->ids[i]),
            .type = VT_EVENT_VIEW,
            .customer_id = vt_slice_str(writer->customers[i]),
            .item_id = vt_slice_str(writer->item),
            .time_ms = time_of(writer->number, op, i),
        };
    }
    vt_profile_write_events(writer->profile, write, writer->events, n, writer->results);
}

static void start_customer(struct writer *writer, uint32_t op, const struct vt_profile_write *write,
                           struct vt_upsert_result *result)
{
    struct vt_attribute *attribute = vt_arena_array(&writer->arena, 1, sizeof *attribute);
    struct vt_customer *customer = vt_arena_array(&writer->arena, 1, sizeof *customer);
    char *value = vt_arena_array(&writer->arena, 1, ID_BYTES);
    require(attribute != NULL && customer != NULL && value != NULL, "no memory");
    snprintf(value, ID_BYTES, "%u", op);
    customer_of(writer->number, op, 0, writer->customers[0]);
    *attribute = (struct vt_attribute){vt_slice_str("op"), vt_slice_str(value)};
    *customer = (struct vt_customer){
        .id = vt_slice_str(writer->customers[0]), .attributes = attribute, .n_attributes = 1};
    vt_profile_upsert_customers(writer->profile, write, customer, 1, result);
}

static void start_item(struct writer *writer, uint32_t op, const struct vt_profile_write *write,
                       struct vt_upsert_result *result)
{
    struct vt_item *item = vt_arena_array(&writer->arena, 1, sizeof *item);
    require(item != NULL, "no memory");
    item_of(writer->number, op, writer->item);
    *item = (struct vt_item){.id = vt_slice_str(writer->item),
                             .title = vt_slice_str("a thing"),
                             .price = (double)op,
                             .stock = 1};
    vt_profile_upsert_items(writer->profile, write, item, 1, 0, result);
}

static void start_delete(struct writer *writer, uint32_t op, const struct vt_profile_write *write,
                         struct vt_delete_result *result)
{
    struct vt_slice *id = vt_arena_array(&writer->arena, 1, sizeof *id);
    result->missing = vt_arena_array(&writer->arena, 1, sizeof *result->missing);
    require(id != NULL && result->missing != NULL, "no memory");
    item_of(writer->number, op, writer->item);
    *id = vt_slice_str(writer->item);
    vt_profile_delete_items(writer->profile, write, id, 1, result);
}

/* Does operation `op` and waits until it is acknowledged. */
static void do_op(struct writer *writer, uint32_t op)
{
    struct vt_upsert_result upserted;
    struct vt_delete_result deleted;
    const struct vt_profile_write write = {
        .request = &writer->request, .done = on_written, .ctx = writer};
    vt_arena_reset(&writer->arena);
    writer->done = false;
    switch (kind_of(writer->number, op)) {
    case OP_EVENTS:
        start_events(writer, op, &write);
        break;
    case OP_CUSTOMER:
        start_customer(writer, op, &write, &upserted);
        break;
    case OP_ITEM:
        start_item(writer, op, &write, &upserted);
        break;
    case OP_DELETE_ITEM:
        start_delete(writer, op, &write, &deleted);
        break;
    }
    pthread_mutex_lock(&writer->lock);
    while (!writer->done)
        pthread_cond_wait(&writer->changed, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    require(!vt_failed(writer->err), writer->err.what);
}

static struct vt_profile *open_store(const char *folder)
{
    struct vt_diag diag = {0};
    struct vt_profile *profile = NULL;
    struct vt_profile_options options = {
        .data_dir = folder, .consent_default = true, .create = true};
    require(!vt_failed(vt_profile_open(&options, &diag, &profile)), diag.text);
    return profile;
}

/* ---- the child that is killed ---- */

struct ack {
    uint32_t writer, op;
};

static void *write_for_ever(void *ctx)
{
    struct writer *writer = ctx;
    for (uint32_t op = writer->first_op; op < OPS_MAX; op++) {
        do_op(writer, op);
        struct ack ack = {writer->number, op};
        require(write(writer->acks, &ack, sizeof ack) == (ssize_t)sizeof ack, "the parent is gone");
    }
    require(false, "the test ran longer than its numbers reach");
    return NULL;
}

static void write_until_killed(const char *folder, const uint32_t *n_acked, int acks)
{
    static struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct vt_profile *profile = open_store(folder);
    for (uint32_t w = 0; w < WRITERS; w++) {
        writer_init(&writers[w], profile, w);
        writers[w].first_op = n_acked[w];
        writers[w].acks = acks;
        require(pthread_create(&threads[w], NULL, write_for_ever, &writers[w]) == 0, "no thread");
    }
    pthread_join(threads[0], NULL); /* never */
}

/* ---- the child that looks ---- */

struct census {
    uint16_t (*n_rows)[OPS_MAX];                     /* log rows of each writer's operations */
    uint32_t n_of_customer[WRITERS * CUSTOMERS * 2]; /* rows by customer number */
};

static struct vt_err count_row(void *ctx, const struct vt_logged_event *event)
{
    static unsigned char seen[WRITERS * (size_t)OPS_MAX * BATCH_MAX / 8];
    struct census *census = ctx;
    int64_t place = event->event.time_ms - VT_EVENT_TIME_MIN_MS;
    require(place >= 0 && place < (int64_t)WRITERS * OPS_MAX * BATCH_MAX, "a row nobody wrote");
    require((seen[place / 8] >> (place % 8) & 1) == 0, "an event stands twice in the log");
    seen[place / 8] |= (unsigned char)(1 << place % 8);
    int64_t op = place / BATCH_MAX;
    census->n_rows[op / OPS_MAX][op % OPS_MAX]++;
    require(event->customer_number < sizeof census->n_of_customer / sizeof(uint32_t),
            "a customer nobody wrote");
    census->n_of_customer[event->customer_number]++;
    return vt_ok();
}

/* Log rows are all there for what was acknowledged; the operation after is whole or absent. */
static void check_log(const struct census *census, const uint32_t *n_acked)
{
    for (uint32_t w = 0; w < WRITERS; w++) {
        for (uint32_t op = 0; op < OPS_MAX; op++) {
            uint32_t n = census->n_rows[w][op];
            uint32_t whole = kind_of(w, op) == OP_EVENTS ? batch_of(w, op) : 0;
            require(op >= n_acked[w] || n == whole, "acknowledged events are missing");
            require(n == 0 || n == whole, "half a batch is in the log");
            require(op <= n_acked[w] || n == 0, "a batch nobody sent is in the log");
        }
    }
}

/* The last of the operations below `end` that `wrote` the thing `id`; end when there is none. */
static uint32_t last_op(uint32_t writer, uint32_t end, const char *id, bool customers)
{
    char other[ID_BYTES];
    for (uint32_t op = end; op-- > 0;) {
        enum op_kind kind = kind_of(writer, op);
        if (customers ? kind != OP_CUSTOMER : kind != OP_ITEM && kind != OP_DELETE_ITEM)
            continue;
        if (customers)
            customer_of(writer, op, 0, other);
        else
            item_of(writer, op, other);
        if (strcmp(id, other) == 0)
            return op;
    }
    return end;
}

/* History and log agree (both are of one batch), and the attributes are of the newest upsert. */
static void check_customer(struct writer *writer, const struct census *census, uint32_t n_acked,
                           uint32_t customer)
{
    char id[ID_BYTES], acked[16] = "", under_way[16] = "";
    struct vt_profile_view view = {0};
    snprintf(id, sizeof id, "c-%u-%u", writer->number, customer);
    struct vt_profile_key key = {.customer_id = vt_slice_str(id)};
    vt_arena_reset(&writer->arena);
    require(!vt_failed(vt_profile_get(writer->profile, &writer->request, &key, 200, &view)),
            "a profile cannot be read");
    uint32_t op = last_op(writer->number, n_acked, id, true);
    require(view.found || op == n_acked, "an acknowledged customer is missing");
    if (!view.found)
        return;
    uint32_t n_logged = census->n_of_customer[view.customer_number];
    require(view.n_events == (n_logged < 200 ? n_logged : 200), "history and log disagree");
    if (op != n_acked)
        snprintf(acked, sizeof acked, "%u", op);
    snprintf(under_way, sizeof under_way, "%u", n_acked);
    struct vt_slice told =
        view.customer.n_attributes != 0 ? view.customer.attributes[0].value : vt_slice_str("");
    require(vt_slice_equal(told, vt_slice_str(acked)) ||
                vt_slice_equal(told, vt_slice_str(under_way)),
            "a customer is not as it was acknowledged");
}

static bool is_as_after(uint32_t writer, uint32_t op, bool found, double price)
{
    return kind_of(writer, op) == OP_DELETE_ITEM ? !found : found && price == (double)op;
}

static void check_item(struct writer *writer, uint32_t n_acked, uint32_t item)
{
    char id[ID_BYTES], under_way[ID_BYTES];
    struct vt_item entry = {0};
    bool found = false;
    snprintf(id, sizeof id, "i-%u-%u", writer->number, item);
    vt_arena_reset(&writer->arena);
    require(!vt_failed(vt_profile_get_item(writer->profile, &writer->request, vt_slice_str(id), 0,
                                           &entry, &found)),
            "an item cannot be read");
    uint32_t op = last_op(writer->number, n_acked, id, false);
    item_of(writer->number, n_acked, under_way);
    enum op_kind next = kind_of(writer->number, n_acked);
    bool next_is_its = strcmp(id, under_way) == 0 && (next == OP_ITEM || next == OP_DELETE_ITEM);
    bool as_acked = op == n_acked ? !found : is_as_after(writer->number, op, found, entry.price);
    require(as_acked || (next_is_its && is_as_after(writer->number, n_acked, found, entry.price)),
            "an item is not as it was acknowledged");
}

/* Sent again, every acknowledged event is a duplicate. */
static void check_events_are_known(struct writer *writer, uint32_t n_acked)
{
    uint32_t first = n_acked > 50 ? n_acked - 50 : 0;
    for (uint32_t op = first; op < n_acked; op++) {
        if (kind_of(writer->number, op) != OP_EVENTS)
            continue;
        do_op(writer, op);
        for (uint32_t i = 0; i < batch_of(writer->number, op); i++)
            require(writer->results[i].outcome == VT_EVENT_DUPLICATE, "accepted twice");
    }
}

static void check_acknowledged(const char *folder, const uint32_t *n_acked)
{
    static struct census census;
    static struct writer writer;
    census.n_rows = calloc(WRITERS, sizeof *census.n_rows);
    require(census.n_rows != NULL, "no memory");
    struct vt_profile *profile = open_store(folder);
    require(!vt_failed(vt_profile_each_event(profile, count_row, &census)), "log unreadable");
    check_log(&census, n_acked);
    for (uint32_t w = 0; w < WRITERS; w++) {
        writer_init(&writer, profile, w);
        for (uint32_t customer = 0; customer < CUSTOMERS; customer++)
            check_customer(&writer, &census, n_acked[w], customer);
        for (uint32_t item = 0; item < ITEMS; item++)
            check_item(&writer, n_acked[w], item);
        check_events_are_known(&writer, n_acked[w]);
        writer_fini(&writer);
    }
    vt_profile_close(profile);
    free(census.n_rows);
    _exit(0);
}

/* ---- the parent ---- */

static bool read_ack(int acks, uint32_t *n_acked)
{
    struct ack ack;
    if (read(acks, &ack, sizeof ack) != (ssize_t)sizeof ack)
        return false;
    assert_true(ack.writer < WRITERS && ack.op >= n_acked[ack.writer]);
    n_acked[ack.writer] = ack.op + 1;
    return true;
}

static void run_and_kill(const char *folder, uint32_t *n_acked)
{
    int acks[2];
    assert_int_equal(pipe(acks), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(acks[0]);
        write_until_killed(folder, n_acked, acks[1]);
    }
    close(acks[1]);
    for (int n = 1 + rand() % ACKS_MAX; n > 0; n--)
        assert_true(read_ack(acks[0], n_acked));
    struct timespec delay = {.tv_nsec = rand() % DELAY_MAX_US * 1000L};
    nanosleep(&delay, NULL); /* into the middle of whatever is going on */
    kill(pid, SIGKILL);
    while (read_ack(acks[0], n_acked)) {
        /* acknowledged before the signal arrived */
    }
    close(acks[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static unsigned times(unsigned ordinary, unsigned all)
{
    const char *wanted = getenv("VITRINE_TEST_ALL");
    return wanted != NULL && strcmp(wanted, "1") == 0 ? all : ordinary;
}

static void check_in_child(const char *folder, const uint32_t *n_acked)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        check_acknowledged(folder, n_acked);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void acknowledged_writes_survive_kill_9_whole_and_once(void **state)
{
    (void)state;
    uint32_t n_acked[WRITERS] = {0};
    char *folder = vt_test_folder_new();
    srand(20261123);
    for (unsigned i = times(KILLS, KILLS_ALL); i > 0; i--) {
        run_and_kill(folder, n_acked);
        check_in_child(folder, n_acked);
    }
    vt_test_folder_remove(folder);
}

static void run_until_the_power_is_cut(const char *folder, uint32_t *n_acked, uint64_t at)
{
    char buried[4200];
    int acks[2], status = 0;
    assert_int_equal(pipe(acks), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(acks[0]);
        vt_power_cut_arm(folder, at, at);
        write_until_killed(folder, n_acked, acks[1]);
    }
    close(acks[1]);
    while (read_ack(acks[0], n_acked)) {
        /* until it is dark */
    }
    close(acks[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    snprintf(buried, sizeof buried, "%s.buried", folder);
    assert_ok(vt_folder_remove(buried, NULL));
}

/* A folder lives for a few cuts: the first hours of a store are as dangerous as the later ones. */
static void acknowledged_writes_survive_power_cuts_whole_and_once(void **state)
{
    (void)state;
    unsigned n_cuts = times(CUTS, CUTS_ALL);
    srand(20261124);
    for (unsigned done = 0; done < n_cuts;) {
        uint32_t n_acked[WRITERS] = {0};
        char *folder = vt_test_folder_new();
        for (unsigned i = 0; i < CUTS_OF_A_FOLDER && done < n_cuts; i++, done++) {
            run_until_the_power_is_cut(folder, n_acked, 1 + (uint64_t)rand() % CUT_CALLS_MAX);
            check_in_child(folder, n_acked);
        }
        vt_test_folder_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_writes_survive_kill_9_whole_and_once),
        cmocka_unit_test(acknowledged_writes_survive_power_cuts_whole_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
