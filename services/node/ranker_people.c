/*
 * Both lists are copied and sorted by customer, then walked together. Orders are total over all
 * fields, so that equal times cannot come out one way or the other.
 */
#include "services/node/ranker_people.h"

#include "models/dataset/history.h"
#include "models/dataset/mix.h"

#include <stdlib.h>
#include <string.h>

void vt_ranker_people_free(struct vt_ranker_people *people)
{
    free(people->list);
    free(people->events);
    free(people->wanted);
    *people = (struct vt_ranker_people){0};
}

bool vt_ranker_wanted(const struct vt_ranker_people *people, const struct vt_ranker_person *person,
                      uint32_t item)
{
    uint32_t low = person->first_wanted, high = low + person->n_wanted;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (people->wanted[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < person->first_wanted + person->n_wanted && people->wanted[low] == item;
}

/* ---- sorting ---- */

/* By customer, newest first, equal times by item number: as the profile service answers. */
static int newest_first(const void *a, const void *b)
{
    const struct vt_interaction *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    if (x->time_ms != y->time_ms)
        return x->time_ms > y->time_ms ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static int by_item(const void *a, const void *b)
{
    const struct vt_interaction *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static struct vt_interaction *sorted(const struct vt_interaction *list, uint64_t n,
                                     int (*compare)(const void *, const void *))
{
    struct vt_interaction *copy = malloc((n + 1) * sizeof *copy);
    if (copy == NULL)
        return NULL;
    if (n > 0)
        memcpy(copy, list, n * sizeof *copy);
    qsort(copy, n, sizeof *copy, compare);
    return copy;
}

static int by_hash(const void *a, const void *b)
{
    const struct vt_ranker_person *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->user > y->user) - (x->user < y->user);
}

/* ---- one customer after the other ---- */

struct walk {
    const struct vt_interaction *known, *later;
    uint64_t n_known, n_later, at_known, at_later;
    const struct vt_ranker_people_options *options;
    struct vt_ranker_people *people;
    uint32_t n_events, n_wanted;
};

static bool is_in_history(const struct vt_interaction *history, uint64_t n, uint32_t item)
{
    for (uint64_t i = 0; i < n; i++)
        if (history[i].item == item)
            return true;
    return false;
}

static bool is_wanted(const struct vt_interaction *event, const float *event_weights)
{
    return event->item != 0 && event->type < VT_EVENT_TYPE_COUNT &&
           event_weights[event->type] > 0 && vt_event_opinion(event->type, event->value) >= 0;
}

/* Each item once; known or not wanted ones do not count. */
static void add_wanted(struct walk *walk, const struct vt_interaction *history, uint64_t n_history,
                       uint64_t end_later, struct vt_ranker_person *person)
{
    person->first_wanted = walk->n_wanted;
    for (; walk->at_later < end_later; walk->at_later++) {
        const struct vt_interaction *event = &walk->later[walk->at_later];
        uint32_t *wanted = walk->people->wanted;
        bool again =
            walk->n_wanted > person->first_wanted && wanted[walk->n_wanted - 1] == event->item;
        if (!again && is_wanted(event, walk->options->event_weights) &&
            !is_in_history(history, n_history, event->item))
            wanted[walk->n_wanted++] = event->item;
    }
    person->n_wanted = walk->n_wanted - person->first_wanted;
}

static void add_history(struct walk *walk, const struct vt_interaction *history, uint64_t n,
                        struct vt_ranker_person *person)
{
    person->first = walk->n_events;
    for (uint64_t i = 0; i < n && i < walk->options->history_max; i++)
        walk->people->events[walk->n_events++] =
            (struct vt_history_event){.item = history[i].item,
                                      .type = history[i].type,
                                      .channel = history[i].channel,
                                      .value = history[i].value,
                                      .time_ms = history[i].time_ms};
    person->n_events = walk->n_events - person->first;
}

static uint64_t end_of_user(const struct vt_interaction *list, uint64_t n, uint64_t at,
                            uint64_t user)
{
    while (at < n && list[at].user == user)
        at++;
    return at;
}

static void add_person(struct walk *walk, uint64_t user)
{
    const struct vt_interaction *history = walk->known + walk->at_known;
    uint64_t end_known = end_of_user(walk->known, walk->n_known, walk->at_known, user);
    uint64_t end_later = end_of_user(walk->later, walk->n_later, walk->at_later, user);
    uint64_t n_history = end_known - walk->at_known;
    struct vt_ranker_person person = {.user = user,
                                      .hash = vt_mix64(vt_mix64(walk->options->seed) + user)};
    walk->at_known = end_known;
    add_wanted(walk, history, n_history, end_later, &person);
    if (n_history == 0 || person.n_wanted == 0) {
        walk->n_wanted = person.first_wanted;
        return;
    }
    add_history(walk, history, n_history, &person);
    walk->people->list[walk->people->n++] = person;
}

static void walk_all(struct walk *walk)
{
    while (walk->at_later < walk->n_later) {
        uint64_t user = walk->later[walk->at_later].user;
        while (walk->at_known < walk->n_known && walk->known[walk->at_known].user < user)
            walk->at_known++;
        add_person(walk, user);
    }
    struct vt_ranker_people *people = walk->people;
    qsort(people->list, people->n, sizeof *people->list, by_hash);
    if (people->n > walk->options->people_max)
        people->n = walk->options->people_max;
}

static struct vt_err allocate(uint64_t n_known, uint64_t n_later, struct vt_ranker_people *people)
{
    VT_CHECK(n_known < UINT32_MAX && n_later < UINT32_MAX, VT_EXHAUSTED,
             "too many events for the examples of a ranker");
    people->list = malloc((n_later + 1) * sizeof *people->list);
    people->events = malloc((n_known + 1) * sizeof *people->events);
    people->wanted = malloc((n_later + 1) * sizeof *people->wanted);
    VT_CHECK(people->list != NULL && people->events != NULL && people->wanted != NULL, VT_EXHAUSTED,
             "out of memory for the examples of a ranker");
    return vt_ok();
}

struct vt_err vt_ranker_people_make(const struct vt_interaction *known, uint64_t n_known,
                                    const struct vt_interaction *later, uint64_t n_later,
                                    const struct vt_ranker_people_options *options,
                                    struct vt_ranker_people *ret_people)
{
    struct vt_ranker_people people = {0};
    struct vt_interaction *before = sorted(known, n_known, newest_first);
    struct vt_interaction *after = sorted(later, n_later, by_item);
    struct vt_err err = before != NULL && after != NULL
                            ? allocate(n_known, n_later, &people)
                            : VT_ERR(VT_EXHAUSTED, "out of memory for the examples of a ranker");
    if (!vt_failed(err))
        walk_all(&(struct walk){.known = before,
                                .later = after,
                                .n_known = n_known,
                                .n_later = n_later,
                                .options = options,
                                .people = &people});
    free(before);
    free(after);
    if (vt_failed(err))
        vt_ranker_people_free(&people);
    else
        *ret_people = people;
    return err;
}
