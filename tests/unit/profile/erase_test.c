#include "services/common/base/clock.h"
#include "services/profile/erase.h"
#include "services/profile/profile_internal.h"
#include "tests/testlib/testlib.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_BYTES = 4 << 20, FILE_BYTES_MAX = 64 << 20, EVENTS = 40, HOUR_MS = 3600 * 1000 };
#define NOW_MS INT64_C(1760000000000)
#define ANN "ann-7f3c9a1e5b"
#define ANNS_VISITOR "cookie-of-ann-d41d8cd9"
#define ANNS_QUERY "gift-for-my-aunt-0b57c1"
#define ANNS_TOKEN "token-of-ann-5e2b9f"
#define BOB "bob-52aa07d1"
static const unsigned char key[VT_AUDIT_KEY_BYTES] = "thirty-two bytes of a secret key";

struct shop {
    char *folder;
    struct vt_clock_fake clock;
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
    unsigned n_written;
};

static void open_shop(struct shop *shop)
{
    struct vt_profile_options options = {.data_dir = shop->folder,
                                         .clock = &shop->clock.clock,
                                         .audit_key = key,
                                         .consent_default = true,
                                         .create = true};
    assert_ok(vt_profile_open(&options, &shop->diag, &shop->profile));
}

static int set_up(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    assert_non_null(shop);
    shop->folder = vt_test_folder_new();
    shop->request =
        (struct vt_request){.arena = &shop->arena, .diag = &shop->diag, .deadline_ns = INT64_MAX};
    pthread_mutex_init(&shop->lock, NULL);
    pthread_cond_init(&shop->changed, NULL);
    assert_true(vt_arena_init_owned(&shop->arena, MEMORY_BYTES));
    vt_clock_fake_init(&shop->clock, NOW_MS);
    open_shop(shop);
    *state = shop;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *shop = *state;
    vt_profile_close(shop->profile);
    vt_arena_fini(&shop->arena);
    pthread_cond_destroy(&shop->changed);
    pthread_mutex_destroy(&shop->lock);
    vt_test_folder_remove(shop->folder);
    free(shop);
    return 0;
}

static void reopen(struct shop *shop)
{
    vt_profile_close(shop->profile);
    open_shop(shop);
}

static void on_written(void *ctx, struct vt_err err)
{
    struct shop *shop = ctx;
    pthread_mutex_lock(&shop->lock);
    shop->err = err;
    shop->done = true;
    pthread_cond_signal(&shop->changed);
    pthread_mutex_unlock(&shop->lock);
}

static void wait_until_written(struct shop *shop)
{
    pthread_mutex_lock(&shop->lock);
    while (!shop->done)
        pthread_cond_wait(&shop->changed, &shop->lock);
    pthread_mutex_unlock(&shop->lock);
    shop->done = false;
    assert_ok(shop->err);
}

static void write_event(struct shop *shop, struct vt_event event)
{
    char id[32], item[32];
    struct vt_event_result result;
    const struct vt_profile_write write = {
        .request = &shop->request, .done = on_written, .ctx = shop};
    snprintf(id, sizeof id, "event-%u", shop->n_written);
    snprintf(item, sizeof item, "item-%u", shop->n_written % 5);
    event.event_id = vt_slice_str(id);
    event.item_id = vt_slice_str(item);
    event.type = VT_EVENT_VIEW;
    event.time_ms = NOW_MS - HOUR_MS + shop->n_written++;
    vt_arena_reset(&shop->arena);
    vt_profile_write_events(shop->profile, &write, &event, 1, &result);
    wait_until_written(shop);
    assert_int_equal(result.outcome, VT_EVENT_ACCEPTED);
}

/* Ann as a member and as a visitor, and Bob, in many small log blocks. */
static void fill(struct shop *shop)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        write_event(shop, (struct vt_event){.customer_id = vt_slice_str(BOB)});
        write_event(shop, (struct vt_event){.customer_id = vt_slice_str(ANN),
                                            .query = vt_slice_str(ANNS_QUERY),
                                            .attribution_token = vt_slice_str(ANNS_TOKEN)});
        write_event(shop, (struct vt_event){.visitor_id = vt_slice_str(ANNS_VISITOR)});
    }
}

static void link_ann(struct shop *shop)
{
    const struct vt_identity identities[] = {
        {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str(ANN)},
        {.type = VT_IDENTITY_VISITOR, .id = vt_slice_str(ANNS_VISITOR)}};
    const struct vt_link link = {.identities = identities, .n_identities = 2};
    const struct vt_profile_write write = {
        .request = &shop->request, .done = on_written, .ctx = shop};
    struct vt_link_result result;
    vt_arena_reset(&shop->arena);
    vt_profile_link_identities(shop->profile, &write, &link, &result);
    wait_until_written(shop);
    assert_int_equal(result.n_merged, 1);
}

static struct vt_erasure_result erase(struct shop *shop, const char *member, bool now)
{
    const struct vt_identity who = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str(member)};
    const struct vt_erasure erasure = {.now = now, .actor = "test"};
    struct vt_erasure_result result;
    assert_ok(vt_profile_erase(shop->profile, &shop->request, &who, &erasure, &result));
    return result;
}

static struct vt_profile_view get(struct shop *shop, const char *member, const char *visitor)
{
    struct vt_profile_view view;
    const struct vt_profile_key who = {.customer_id = vt_slice_str(member),
                                       .visitor_id = vt_slice_str(visitor)};
    vt_arena_reset(&shop->arena);
    assert_ok(vt_profile_get(shop->profile, &shop->request, &who, 200, &view));
    return view;
}

/* ---- the log ---- */

struct census {
    unsigned n_rows;
    uint64_t customer; /* rows of this one are counted in n_of_customer */
    unsigned n_of_customer;
    uint64_t sequences[4 * EVENTS]; /* of its rows */
};

static struct vt_err count_row(void *ctx, const struct vt_logged_event *event)
{
    struct census *census = ctx;
    census->n_rows++;
    if (event->customer_number == census->customer)
        census->sequences[census->n_of_customer++] = event->sequence;
    return vt_ok();
}

static struct census count_rows(struct shop *shop, uint64_t customer)
{
    struct census census = {.customer = customer};
    assert_ok(vt_profile_each_event(shop->profile, count_row, &census));
    return census;
}

/* ---- the bytes ---- */

static unsigned count_in_file(const char *path, const char *text)
{
    static char bytes[FILE_BYTES_MAX];
    unsigned n = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (const char *at = bytes;
         (at = memmem(at, len - (size_t)(at - bytes), text, strlen(text))) != NULL; at++)
        n++;
    return n;
}

static unsigned count_in_folder(const char *folder, const char *text)
{
    unsigned n = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_REG)
            n += count_in_file(path, text);
        else if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            n += count_in_folder(path, text);
    }
    closedir(entries);
    return n;
}

/* ---- tests ---- */

static void nobody_finds_the_customer_after_the_request(void **state)
{
    struct shop *shop = *state;
    fill(shop);
    link_ann(shop);
    uint64_t ann = get(shop, ANN, "").customer_number, bob = get(shop, BOB, "").customer_number;
    struct vt_erasure_result result = erase(shop, ANN, false);
    assert_false(result.done);
    assert_int_equal(result.customer_number, ann);
    assert_int_equal(result.n_customers, 2);
    assert_int_equal(result.complete_by_ms, NOW_MS + 24 * HOUR_MS);
    assert_true(strlen(result.receipt) > 0);

    assert_false(get(shop, ANN, "").found);
    assert_false(get(shop, "", ANNS_VISITOR).found);
    assert_int_equal(get(shop, BOB, "").n_events, EVENTS);
    assert_int_equal(count_rows(shop, bob).n_of_customer, EVENTS);
    assert_int_equal(count_rows(shop, 0).n_rows, EVENTS); /* training sees Bob alone */

    const struct vt_identity who = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str(ANN)};
    const struct vt_erasure again = {.actor = "test"};
    assert_code(vt_profile_erase(shop->profile, &shop->request, &who, &again, &result),
                VT_NOT_FOUND);
}

static void the_next_event_makes_somebody_new(void **state)
{
    struct shop *shop = *state;
    fill(shop);
    uint64_t before = get(shop, ANN, "").customer_number;
    (void)erase(shop, ANN, false);
    write_event(shop, (struct vt_event){.customer_id = vt_slice_str(ANN)});
    struct vt_profile_view view = get(shop, ANN, "");
    assert_true(view.found);
    assert_int_not_equal(view.customer_number, before);
    assert_int_equal(view.n_events, 1);
    /* … who stays when the old one's traces go */
    assert_ok(vt__erase_pass(shop->profile, NULL));
    reopen(shop);
    assert_int_equal(get(shop, ANN, "").n_events, 1);
    assert_int_equal(count_rows(shop, view.customer_number).n_of_customer, 1);
    assert_int_equal(count_rows(shop, before).n_of_customer, 0);
}

static void no_byte_of_the_customer_is_left_in_any_file(void **state)
{
    static const char *const texts[] = {ANN, ANNS_VISITOR, ANNS_QUERY, ANNS_TOKEN};
    struct shop *shop = *state;
    fill(shop);
    reopen(shop); /* tables and a log */
    fill(shop);
    link_ann(shop);
    struct census before = count_rows(shop, get(shop, BOB, "").customer_number);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_not_equal(count_in_folder(shop->folder, texts[i]), 0);

    assert_true(erase(shop, ANN, true).done);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(count_in_folder(shop->folder, texts[i]), 0);

    struct census after = count_rows(shop, get(shop, BOB, "").customer_number);
    assert_int_equal(after.n_of_customer, 2 * EVENTS);
    assert_memory_equal(before.sequences, after.sequences, sizeof before.sequences);
    assert_int_equal(count_rows(shop, 0).n_rows, 2 * EVENTS);
    assert_int_equal(get(shop, BOB, "").n_events, 2 * EVENTS);
    assert_int_not_equal(count_in_folder(shop->folder, BOB), 0);
}

static void the_chore_keeps_the_promise(void **state)
{
    struct shop *shop = *state;
    fill(shop);
    (void)erase(shop, ANN, false);
    assert_ok(vt__erase_chore(shop->profile));
    assert_int_not_equal(count_in_folder(shop->folder, ANNS_TOKEN), 0); /* not due yet */
    reopen(shop); /* a restart forgets no promise */
    vt_clock_fake_advance_ms(&shop->clock, 12 * HOUR_MS);
    assert_ok(vt__erase_chore(shop->profile));
    assert_int_equal(count_in_folder(shop->folder, ANN), 0);
    assert_int_equal(count_in_folder(shop->folder, ANNS_TOKEN), 0);
    struct vt__pending_set pending = {0};
    assert_ok(vt__pending_load(shop->profile, &pending));
    assert_int_equal(pending.n, 0);
    vt__pending_fini(&pending);
}

static struct vt_err note_entry(void *ctx, const struct vt_audit_entry *entry)
{
    char *actions = ctx;
    strcat(strcat(actions, entry->action), " ");
    return vt_ok();
}

static void both_steps_are_audited_without_a_name(void **state)
{
    struct shop *shop = *state;
    char path[4096], actions[256] = "";
    uint64_t n = 0;
    fill(shop);
    (void)erase(shop, ANN, true);
    snprintf(path, sizeof path, "%s/audit.log", shop->folder);
    assert_ok(vt_audit_read(path, NULL, note_entry, actions, &n));
    assert_string_equal(actions, "erase_requested erase_done ");
    assert_int_equal(count_in_file(path, ANN), 0);
}

static void a_restored_customer_is_erased_again(void **state)
{
    struct shop *shop = *state;
    char path[4096], kept[4096 + 8];
    uint64_t n_erased = 0;
    snprintf(path, sizeof path, "%s/audit.log", shop->folder);
    snprintf(kept, sizeof kept, "%s/kept.log", shop->folder);
    fill(shop);
    (void)erase(shop, ANN, true);
    assert_int_equal(rename(path, kept), 0); /* the log stays, the store is an older one */
    reopen(shop);
    fill(shop);
    assert_true(get(shop, ANN, "").found);
    assert_ok(vt_profile_reapply_erasures(shop->profile, kept, NOW_MS + 1, NULL, &n_erased));
    assert_int_equal(n_erased, 0); /* erased before the backup: who is there came back since */
    assert_ok(vt_profile_reapply_erasures(shop->profile, kept, NOW_MS - 1, NULL, &n_erased));
    assert_int_equal(n_erased, 1);
    assert_false(get(shop, ANN, "").found);
    assert_true(get(shop, BOB, "").found);
    assert_int_equal(count_in_folder(shop->folder, ANNS_TOKEN), 0);
}

static void a_question_changes_nothing(void **state)
{
    struct shop *shop = *state;
    const struct vt_identity ann = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str(ANN)};
    const struct vt_identity nobody = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str("nobody")};
    const struct vt_identity broken = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str("")};
    const struct vt_erasure question = {.validate_only = true, .actor = "test"};
    struct vt_erasure_result result;
    fill(shop);
    assert_ok(vt_profile_erase(shop->profile, &shop->request, &ann, &question, &result));
    assert_string_equal(result.receipt, "");
    assert_true(get(shop, ANN, "").found);
    assert_code(vt_profile_erase(shop->profile, &shop->request, &nobody, &question, &result),
                VT_NOT_FOUND);
    assert_code(vt_profile_erase(shop->profile, &shop->request, &broken, &question, &result),
                VT_INVALID);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_finds_the_customer_after_the_request),
        TEST(the_next_event_makes_somebody_new),
        TEST(no_byte_of_the_customer_is_left_in_any_file),
        TEST(the_chore_keeps_the_promise),
        TEST(both_steps_are_audited_without_a_name),
        TEST(a_restored_customer_is_erased_again),
        TEST(a_question_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
