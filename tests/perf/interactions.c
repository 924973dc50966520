/*
 * vitrine-bench interactions: an adjacency file as large as asked, for measuring training. Shaped
 * as shops are: how much a customer buys and how often an item is bought fall as powers, and
 * customers share tastes, so that there is something to learn. Every line depends on the seed and
 * the customer's number alone.
 */
#include "models/dataset/mix.h"
#include "services/common/base/progress.h"
#include "services/node/command.h"
#include "tests/perf/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TASTES = 64,
    TASTES_EACH = 3,       /* of a customer */
    TASTE_PERCENT = 80,    /* of the choices; the others are from all items */
    SHARE_OF_ITEMS = 10,   /* a customer has at most this part of the items */
    ROWS_PER_UPDATE = 1024 /* of the progress bar */
};
/* The chance of the item of rank r falls as r^-ITEM_POWER; a customer's events follow a Pareto
 * distribution whose quantile at u is u^-USER_POWER. */
#define ITEM_POWER 0.8
#define USER_POWER 0.5

struct interactions_options {
    const char *out;
    uint32_t users, items;
    uint64_t interactions, seed;
};

#define AT(field_) offsetof(struct interactions_options, field_)
static const struct vt_option option_table[] = {
    {.name = "out",
     .kind = VT_OPTION_TEXT,
     .offset = AT(out),
     .argument = "FILE",
     .help = "the adjacency file to write: a line per user, 'user item item …'",
     .required = true,
     .flag_only = true},
    {.name = "users",
     .kind = VT_OPTION_U32,
     .offset = AT(users),
     .argument = "N",
     .help = "customers",
     .fallback = "200000",
     .min = 1,
     .max = 1e8,
     .flag_only = true},
    {.name = "items",
     .kind = VT_OPTION_U32,
     .offset = AT(items),
     .argument = "N",
     .help = "items",
     .fallback = "50000",
     .min = 2 * TASTES,
     .max = 1e8,
     .flag_only = true},
    {.name = "interactions",
     .kind = VT_OPTION_U64,
     .offset = AT(interactions),
     .argument = "N",
     .help = "about so many lines' worth of items in all",
     .fallback = "10000000",
     .flag_only = true},
    {.name = "seed",
     .kind = VT_OPTION_U64,
     .offset = AT(seed),
     .argument = "N",
     .help = "another seed, another shop",
     .fallback = "1",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine-bench interactions",
    .summary = "writes a large adjacency file to measure training with",
    .example = "vitrine-bench interactions --out train.txt --users 200000 --items 50000",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

struct customer {
    uint64_t random;
    uint32_t tastes[TASTES_EACH];
    uint32_t n_events;
};

/* The generator whose output function is vt_mix64. */
static uint64_t draw(uint64_t *random)
{
    *random += VT_MIX64_STEP;
    return vt_mix64(*random);
}

/* Above 0, at most 1. */
static double draw_share(uint64_t *random)
{
    return ((double)(draw(random) >> 11) + 1) * 0x1p-53;
}

/* A rank below n by its power law: the inverse of the distribution of a continuous one. */
static uint32_t draw_rank(uint64_t *random, uint32_t n)
{
    const double power = 1 - ITEM_POWER;
    double rank = pow((pow(n + 1.0, power) - 1) * draw_share(random) + 1, 1 / power) - 1;
    return rank < n ? (uint32_t)rank : n - 1;
}

/* Items of a taste are those with its number modulo TASTES, popular ones first. */
static uint32_t draw_item(struct customer *customer, uint32_t n_items)
{
    if (draw(&customer->random) % 100 >= TASTE_PERCENT)
        return draw_rank(&customer->random, n_items);
    uint32_t taste = customer->tastes[draw(&customer->random) % TASTES_EACH];
    return draw_rank(&customer->random, n_items / TASTES) * TASTES + taste;
}

static struct customer make_customer(const struct interactions_options *options, uint32_t number)
{
    struct customer customer = {.random = vt_mix64(options->seed) ^ vt_mix64(number)};
    double mean = (double)options->interactions / options->users;
    double wanted = mean * (1 - USER_POWER) * pow(draw_share(&customer.random), -USER_POWER) + 0.5;
    double most = 1.0 + (double)options->items / SHARE_OF_ITEMS;
    customer.n_events = (uint32_t)(wanted < 1 ? 1 : wanted < most ? wanted : most);
    for (int i = 0; i < TASTES_EACH; i++)
        customer.tastes[i] = (uint32_t)(draw(&customer.random) % TASTES);
    return customer;
}

/* `last_of` tells who took an item last, so that nobody takes one twice. */
static uint64_t write_customer(FILE *out, const struct interactions_options *options,
                               uint32_t number, uint32_t *last_of)
{
    struct customer customer = make_customer(options, number);
    fprintf(out, "%u", number);
    uint64_t n = 0;
    for (uint32_t tries = 0; n < customer.n_events && tries < 4 * customer.n_events; tries++) {
        uint32_t item = draw_item(&customer, options->items);
        if (last_of[item] == number + 1)
            continue;
        last_of[item] = number + 1;
        fprintf(out, " %u", item);
        n++;
    }
    fputc('\n', out);
    return n;
}

static struct vt_err write_all(const struct interactions_options *options, FILE *out,
                               uint32_t *last_of)
{
    struct vt_progress progress;
    uint64_t n = 0;
    vt_progress_begin(&progress, stderr, "writing", "customers", options->users);
    for (uint32_t number = 0; number < options->users; number++) {
        n += write_customer(out, options, number, last_of);
        if (number % ROWS_PER_UPDATE == 0)
            vt_progress_update(&progress, number);
    }
    vt_progress_end(&progress, options->users);
    VT_CHECK(fflush(out) == 0 && !ferror(out), VT_UNAVAILABLE, "the file cannot be written");
    printf("%llu interactions of %u users and %u items\n", (unsigned long long)n, options->users,
           options->items);
    return vt_ok();
}

static int run_interactions(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct interactions_options *options = target;
    struct vt_diag diag = {0};
    uint32_t *last_of = calloc(options->items, sizeof *last_of);
    FILE *out = fopen(options->out, "we");
    struct vt_err err = VT_ERR(VT_UNAVAILABLE, "the file cannot be opened, or memory is short");
    if (last_of != NULL && out != NULL)
        err = write_all(options, out, last_of);
    if (out != NULL && fclose(out) != 0 && !vt_failed(err))
        err = VT_ERR(VT_UNAVAILABLE, "the file cannot be written");
    free(last_of);
    if (!vt_failed(err))
        return VT_EXIT_DONE;
    vt_diag_set(&diag, "out", "%s", options->out);
    return vt_command_fail(options_spec.command, err, &diag);
}

int bench_interactions(int argc, char **argv)
{
    struct interactions_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_interactions);
}
