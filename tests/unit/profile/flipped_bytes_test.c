#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * One flipped bit in any file of a store: opening or reading says so, or nothing anybody can ask
 * has another answer. Asked is everything: items, customers with their histories, the log, items by
 * SKU, and whether accepted events are known as such. Who asks is a child, so that an abort is seen
 * as what it is. VITRINE_TEST_ALL=1 flips 100 bits instead of 20, five in each kind of file.
 */

enum {
    FLIPS_PER_KIND = 4,
    FLIPS_PER_KIND_ALL = 20,
    BATCHES = 30, /* half of them end in tables, half in the log */
    BATCH_EVENTS = 40,
    CUSTOMERS = 60,
    ITEMS = 50,
    KNOWN_EVENTS = 20, /* asked for again */
    ID_BYTES = 32,
    MEMORY_BYTES = 8 << 20,
    PATH_BYTES = 4096,
    REFUSED = 3, /* exit status of a child: the damage was told */
};
#define TIME_MS INT64_C(1750000000000)

static const char *const kinds[] = {".sst", ".log", "MANIFEST", "CURRENT", "live.acked"};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- a child's view of a store ---- */

struct asker {
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
    FILE *out;
    char ids[BATCH_EVENTS][3][ID_BYTES];
};

/* The child ends: what is damaged was told, and not answered wrongly. */
static void need(struct vt_err err)
{
    if (vt_failed(err))
        _exit(REFUSED);
}

static void on_written(void *ctx, struct vt_err err)
{
    struct asker *asker = ctx;
    pthread_mutex_lock(&asker->lock);
    asker->err = err;
    asker->done = true;
    pthread_cond_signal(&asker->changed);
    pthread_mutex_unlock(&asker->lock);
}

static void wait_until_written(struct asker *asker)
{
    pthread_mutex_lock(&asker->lock);
    while (!asker->done)
        pthread_cond_wait(&asker->changed, &asker->lock);
    asker->done = false;
    pthread_mutex_unlock(&asker->lock);
    need(asker->err);
}

static void open_asker(struct asker *asker, const char *folder)
{
    *asker = (struct asker){.out = NULL};
    asker->request =
        (struct vt_request){.arena = &asker->arena, .diag = &asker->diag, .deadline_ns = INT64_MAX};
    pthread_mutex_init(&asker->lock, NULL);
    pthread_cond_init(&asker->changed, NULL);
    if (!vt_arena_init_owned(&asker->arena, MEMORY_BYTES))
        _exit(1);
    need(vt_profile_open(
        &(struct vt_profile_options){.data_dir = folder, .consent_default = true, .create = true},
        &asker->diag, &asker->profile));
}

/* Event `i` of batch `batch` is the same in every call. */
static struct vt_event event_of(struct asker *asker, unsigned batch, unsigned i)
{
    unsigned n = batch * BATCH_EVENTS + i;
    snprintf(asker->ids[i][0], ID_BYTES, "event-%u", n);
    snprintf(asker->ids[i][1], ID_BYTES, "customer-%u", n * 7 % CUSTOMERS);
    snprintf(asker->ids[i][2], ID_BYTES, "item-%u", n * 13 % ITEMS);
    return (struct vt_event){.event_id = vt_slice_str(asker->ids[i][0]),
                             .customer_id = vt_slice_str(asker->ids[i][1]),
                             .item_id = vt_slice_str(asker->ids[i][2]),
                             .type = VT_EVENT_VIEW,
                             .time_ms = TIME_MS + n};
}

static void write_batch(struct asker *asker, unsigned batch)
{
    struct vt_event events[BATCH_EVENTS];
    struct vt_event_result results[BATCH_EVENTS];
    struct vt_upsert_result upserted;
    const struct vt_profile_write write = {
        .request = &asker->request, .done = on_written, .ctx = asker};
    vt_arena_reset(&asker->arena);
    for (unsigned i = 0; i < BATCH_EVENTS; i++)
        events[i] = event_of(asker, batch, i);
    vt_profile_write_events(asker->profile, &write, events, BATCH_EVENTS, results);
    wait_until_written(asker);
    struct vt_item item = {.id = events[0].item_id,
                           .title = vt_slice_str("a thing of some length"),
                           .price = (double)batch,
                           .stock = 1};
    vt_profile_upsert_items(asker->profile, &write, &item, 1, 0, &upserted);
    wait_until_written(asker);
}

/* ---- everything that can be asked, as text ---- */

static void tell_slice(struct asker *asker, struct vt_slice text)
{
    fprintf(asker->out, " %.*s", (int)text.len, (const char *)text.data);
}

static void tell_items(struct asker *asker)
{
    struct vt_item items[ITEMS];
    struct vt_item_page page = {.items = items};
    const struct vt_item_page_query query = {.max = ITEMS};
    need(vt_profile_list_items(asker->profile, &asker->request, &query, &page));
    for (uint32_t i = 0; i < page.n; i++) {
        fprintf(asker->out, "\nitem %u %g", items[i].number, items[i].price);
        tell_slice(asker, items[i].id);
        tell_slice(asker, items[i].title);
    }
    for (unsigned i = 0; i < ITEMS; i++) {
        struct vt_item item = {0};
        bool found = false;
        char id[ID_BYTES];
        snprintf(id, sizeof id, "item-%u", i);
        need(vt_profile_get_item(asker->profile, &asker->request, vt_slice_str(id), 0, &item,
                                 &found));
        fprintf(asker->out, "\n%s %d %u", id, found, item.number);
    }
}

static void tell_customers(struct asker *asker)
{
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        struct vt_profile_view view = {0};
        char id[ID_BYTES];
        snprintf(id, sizeof id, "customer-%u", i);
        const struct vt_profile_key key = {.customer_id = vt_slice_str(id)};
        vt_arena_reset(&asker->arena);
        need(vt_profile_get(asker->profile, &asker->request, &key, 200, &view));
        fprintf(asker->out, "\n%s %d %llu %lld", id, view.found,
                (unsigned long long)view.customer_number, (long long)view.n_events);
        for (uint32_t k = 0; k < view.n_events; k++)
            fprintf(asker->out, " %u:%lld", view.events[k].item, (long long)view.events[k].time_ms);
    }
}

static struct vt_err tell_row(void *ctx, const struct vt_logged_event *event)
{
    struct asker *asker = ctx;
    fprintf(asker->out, "\nrow %llu %llu %u %lld", (unsigned long long)event->sequence,
            (unsigned long long)event->customer_number, event->event.item,
            (long long)event->event.time_ms);
    return vt_ok();
}

/* Last, since it writes: an event that is forgotten would be accepted twice. */
static void tell_known_events(struct asker *asker)
{
    struct vt_event events[KNOWN_EVENTS];
    struct vt_event_result results[KNOWN_EVENTS];
    const struct vt_profile_write write = {
        .request = &asker->request, .done = on_written, .ctx = asker};
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        vt_arena_reset(&asker->arena);
        for (unsigned i = 0; i < KNOWN_EVENTS; i++)
            events[i] = event_of(asker, batch, i);
        vt_profile_write_events(asker->profile, &write, events, KNOWN_EVENTS, results);
        wait_until_written(asker);
        for (unsigned i = 0; i < KNOWN_EVENTS; i++)
            fprintf(asker->out, " %d", (int)results[i].outcome);
    }
}

static void tell_everything(const char *folder, const char *to)
{
    static struct asker asker;
    open_asker(&asker, folder);
    asker.out = fopen(to, "w");
    if (asker.out == NULL)
        _exit(1);
    tell_items(&asker);
    tell_customers(&asker);
    need(vt_profile_each_event(asker.profile, tell_row, &asker));
    tell_known_events(&asker);
    fclose(asker.out);
    _exit(0);
}

/* Tables from an earlier run, and a log of one that was killed. */
static void make_store(const char *folder)
{
    static struct asker asker;
    open_asker(&asker, folder);
    for (unsigned batch = 0; batch < BATCHES / 2; batch++)
        write_batch(&asker, batch);
    vt_profile_close(asker.profile);
    open_asker(&asker, folder);
    for (unsigned batch = BATCHES / 2; batch < BATCHES; batch++)
        write_batch(&asker, batch);
    _exit(0);
}

/* ---- the parent ---- */

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int ask(const char *folder, const char *to)
{
    pid_t pid = fork();
    if (pid == 0)
        tell_everything(folder, to);
    return status_of(pid);
}

static void copy_file(const char *from, const char *to)
{
    char block[1 << 16];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_true(in != NULL && out != NULL);
    for (size_t n; (n = fread(block, 1, sizeof block, in)) != 0;)
        assert_int_equal(fwrite(block, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Copies the files of a folder, and of the one folder in it. */
static void copy_folder(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    assert_non_null(folder);
    mkdir(to, 0700);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char a[PATH_BYTES], b[PATH_BYTES];
        struct stat info;
        snprintf(a, sizeof a, "%s/%s", from, entry->d_name);
        snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
        if (entry->d_name[0] == '.' || stat(a, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode))
            copy_folder(a, b);
        else
            copy_file(a, b);
    }
    closedir(folder);
}

/* Flips a bit in one of the files whose name has `kind` in it. */
static void flip_bit(const char *folder, const char *kind, char ret_told[PATH_BYTES])
{
    char path[PATH_BYTES], files[64][PATH_BYTES];
    unsigned n = 0;
    struct stat info;
    snprintf(path, sizeof path, "%s%s", folder, strncmp(kind, "live", 4) == 0 ? "" : "/live");
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL && n < 64;) {
        snprintf(files[n], sizeof files[n], "%s/%s", path, entry->d_name);
        n += strstr(entry->d_name, kind) != NULL && stat(files[n], &info) == 0 && info.st_size != 0;
    }
    closedir(entries);
    assert_true(n != 0);
    const char *file = files[(unsigned)rand() % n];
    unsigned char byte;
    int fd = open(file, O_RDWR);
    assert_int_equal(fstat(fd, &info), 0);
    off_t offset = rand() % info.st_size;
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= (unsigned char)(1 << rand() % 8);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
    snprintf(ret_told, PATH_BYTES, "%s at %lld", strrchr(file, '/') + 1, (long long)offset);
}

static bool same_bytes(const char *a, const char *b)
{
    FILE *files[2] = {fopen(a, "r"), fopen(b, "r")};
    int bytes[2];
    assert_true(files[0] != NULL && files[1] != NULL);
    do {
        bytes[0] = getc(files[0]);
        bytes[1] = getc(files[1]);
    } while (bytes[0] == bytes[1] && bytes[0] != EOF);
    fclose(files[0]);
    fclose(files[1]);
    return bytes[0] == bytes[1];
}

static void flip_and_ask(const char *folder, const char *kind, unsigned n_refused[KINDS],
                         unsigned index)
{
    char whole[PATH_BYTES], trial[PATH_BYTES], expected[PATH_BYTES], told[PATH_BYTES];
    char answers[PATH_BYTES];
    snprintf(whole, sizeof whole, "%s/whole", folder);
    snprintf(trial, sizeof trial, "%s/trial", folder);
    snprintf(expected, sizeof expected, "%s/expected", folder);
    snprintf(answers, sizeof answers, "%s/answers", folder);
    copy_folder(whole, trial);
    flip_bit(trial, kind, told);
    int status = ask(trial, answers);
    if (status != REFUSED && status != 0)
        fail_msg("%s: the process ended with %d", told, status);
    if (status == 0 && !same_bytes(answers, expected))
        fail_msg("%s: other answers, and no error", told);
    n_refused[index] += status == REFUSED;
    vt_test_folder_remove(strdup(trial));
}

static void flipped_bit_is_told_or_changes_no_answer(void **state)
{
    (void)state;
    const char *all = getenv("VITRINE_TEST_ALL");
    bool long_form = all != NULL && strcmp(all, "1") == 0;
    unsigned n = long_form ? FLIPS_PER_KIND_ALL : FLIPS_PER_KIND, n_refused[KINDS] = {0};
    char *folder = vt_test_folder_new();
    char whole[PATH_BYTES], twin[PATH_BYTES], expected[PATH_BYTES];
    snprintf(whole, sizeof whole, "%s/whole", folder);
    snprintf(twin, sizeof twin, "%s/twin", folder);
    snprintf(expected, sizeof expected, "%s/expected", folder);
    srand(20261125);
    pid_t pid = fork();
    if (pid == 0)
        make_store(whole);
    assert_int_equal(status_of(pid), 0);
    copy_folder(whole, twin);
    assert_int_equal(ask(twin, expected), 0);
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < n; i++)
            flip_and_ask(folder, kinds[kind], n_refused, kind);
    for (unsigned kind = 0; kind < KINDS; kind++)
        print_message("# %s: %u of %u refused, the others changed nothing\n", kinds[kind],
                      n_refused[kind], n);
    assert_true(n_refused[0] != 0 && n_refused[1] != 0); /* else the test looks past the damage */
    vt_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bit_is_told_or_changes_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
