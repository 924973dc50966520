/* The draws are cheap and on the request's way; the probabilities behind them are not, and are
 * worked out only for answers that somebody will read or record. */
#include "services/ranking/explore.h"

#include <math.h>
#include <string.h>

enum { GRID = 256 };

/* ---- randomness ---- */

uint64_t vt__random_next(struct vt__random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double vt__random_uniform(struct vt__random *random)
{
    return ((double)(vt__random_next(random) >> 11) + .5) * 0x1p-53;
}

/* Box and Muller's; the second of the pair is not kept, so that a draw is a function of the state.
 */
static double normal(struct vt__random *random)
{
    double radius = sqrt(-2 * log(vt__random_uniform(random)));
    return radius * cos(2 * 3.14159265358979323846 * vt__random_uniform(random));
}

/* Of shape at least 1. Accepts 95 of 100 at once; the bound keeps a broken state from looping. */
static double gamma_draw(struct vt__random *random, double shape)
{
    enum { TRIES_MAX = 100 };
    double d = shape - 1. / 3, c = 1 / sqrt(9 * d);
    for (int i = 0; i < TRIES_MAX; i++) {
        double x = normal(random), v = 1 + c * x;
        if (!(v > 0))
            continue;
        v = v * v * v;
        if (log(vt__random_uniform(random)) < .5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
    return shape;
}

double vt__random_beta(struct vt__random *random, double a, double b)
{
    double x = gamma_draw(random, a), y = gamma_draw(random, b);
    return x / (x + y);
}

/* ---- arms ---- */

/* Whether the candidate is new; then *ret_arm is made of it. */
static bool find_arm(const struct vt_exploration *options, struct vt_sight *sight, int64_t now_ms,
                     const struct vt_candidate *candidate, struct vt__arm *ret_arm)
{
    int64_t create_ms = vt_sight_create_time_ms(sight, candidate->item);
    if (create_ms <= 0 || create_ms <= now_ms - options->new_for_ms)
        return false;
    double events = vt_sight_count(sight, candidate->item);
    if (!(events < options->until_events))
        return false;
    *ret_arm =
        (struct vt__arm){candidate, options->prior_wins + fmax(0, events), options->prior_misses};
    return true;
}

/* The best by score, ties by item number: a short list kept in order. */
static void offer_arm(struct vt__exploration *exploration, double scores[VT_EXPLORE_ARMS_MAX],
                      const struct vt__scored *scored, struct vt__arm arm)
{
    uint32_t at = exploration->n_arms;
    while (at > 0 && (scored->score > scores[at - 1] ||
                      (!(scored->score < scores[at - 1]) &&
                       scored->candidate->item < exploration->arms[at - 1].candidate->item)))
        at--;
    if (at == VT_EXPLORE_ARMS_MAX)
        return;
    uint32_t n_behind = exploration->n_arms - at;
    if (exploration->n_arms == VT_EXPLORE_ARMS_MAX)
        n_behind--;
    else
        exploration->n_arms++;
    memmove(&exploration->arms[at + 1], &exploration->arms[at], n_behind * sizeof arm);
    memmove(&scores[at + 1], &scores[at], n_behind * sizeof scores[0]);
    exploration->arms[at] = arm;
    scores[at] = scored->score;
}

void vt__exploration_init(struct vt__exploration *exploration, const struct vt_exploration *options,
                          struct vt_sight *sight, int64_t now_ms, uint64_t seed,
                          const struct vt__scored *scored, uint32_t n_scored, uint32_t n)
{
    double scores[VT_EXPLORE_ARMS_MAX];
    double wanted = options->quota * (double)n, whole = floor(wanted);
    *exploration = (struct vt__exploration){.random = {seed}, .chance = 1};
    for (uint32_t i = 0; i < n_scored; i++) {
        struct vt__arm arm;
        if (find_arm(options, sight, now_ms, scored[i].candidate, &arm))
            offer_arm(exploration, scores, &scored[i], arm);
    }
    exploration->n_places = (uint32_t)whole;
    if (wanted > whole) {
        exploration->chance = wanted - whole;
        exploration->n_places += vt__random_uniform(&exploration->random) < exploration->chance;
    }
}

bool vt__exploration_is_place(const struct vt__exploration *exploration, uint32_t place, uint32_t n)
{
    for (uint32_t k = 1; k <= exploration->n_places; k++)
        if (k * (uint64_t)n / (exploration->n_places + 1) == place)
            return true;
    return false;
}

static void remove_arm(struct vt__exploration *exploration, uint32_t at)
{
    exploration->n_arms--;
    memmove(&exploration->arms[at], &exploration->arms[at + 1],
            (exploration->n_arms - at) * sizeof exploration->arms[0]);
}

void vt__exploration_remove(struct vt__exploration *exploration, uint32_t item)
{
    for (uint32_t at = exploration->n_arms; at-- > 0;)
        if (exploration->arms[at].candidate->item == item)
            remove_arm(exploration, at);
}

uint32_t vt__exploration_draw(struct vt__exploration *exploration, bool wanted,
                              double *ret_propensity)
{
    double best = -1, propensities[VT_EXPLORE_ARMS_MAX];
    uint32_t winner = UINT32_MAX;
    *ret_propensity = 0;
    for (uint32_t at = 0; at < exploration->n_arms; at++) {
        const struct vt__arm *arm = &exploration->arms[at];
        double draw = vt__random_beta(&exploration->random, arm->wins, arm->misses);
        if (draw > best) {
            best = draw;
            winner = at;
        }
    }
    if (winner == UINT32_MAX)
        return UINT32_MAX;
    if (wanted) {
        vt__thompson_propensities(exploration->arms, exploration->n_arms, propensities);
        *ret_propensity = propensities[winner];
    }
    uint32_t item = exploration->arms[winner].candidate->item;
    remove_arm(exploration, winner);
    return item;
}

/* ---- propensities ---- */

/* Masses of Beta(a, b) in the cells of a grid that is finer towards 0, where rates are: at the
 * cell's middle in u, x = u³, density · 3u² · du; brought to a sum of 1. */
static void beta_masses(const struct vt__arm *arm, double *ret_masses)
{
    double highest = -INFINITY, sum = 0;
    for (int g = 0; g < GRID; g++) {
        double u = (g + .5) / GRID, x = u * u * u;
        ret_masses[g] = (arm->wins - 1) * log(x) + (arm->misses - 1) * log1p(-x) + 2 * log(u);
        highest = fmax(highest, ret_masses[g]);
    }
    for (int g = 0; g < GRID; g++)
        sum += ret_masses[g] = exp(ret_masses[g] - highest);
    for (int g = 0; g < GRID; g++)
        ret_masses[g] /= sum;
}

/* Adds to ret[i] what a win in each cell contributes: own mass × the others' share below it, a draw
 * in the same cell counting half. */
void vt__thompson_propensities(const struct vt__arm *arms, uint32_t n, double *ret)
{
    double masses[VT_EXPLORE_ARMS_MAX][GRID], below[VT_EXPLORE_ARMS_MAX] = {0}, sum = 0;
    n = n < VT_EXPLORE_ARMS_MAX ? n : VT_EXPLORE_ARMS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        beta_masses(&arms[i], masses[i]);
        ret[i] = 0;
    }
    for (int g = 0; g < GRID; g++) {
        for (uint32_t i = 0; i < n; i++) {
            double wins = masses[i][g];
            for (uint32_t j = 0; j < n; j++)
                wins *= j != i ? below[j] + masses[j][g] / 2 : 1;
            ret[i] += wins;
        }
        for (uint32_t i = 0; i < n; i++)
            below[i] += masses[i][g];
    }
    for (uint32_t i = 0; i < n; i++)
        sum += ret[i];
    for (uint32_t i = 0; i < n; i++)
        ret[i] /= sum;
}
