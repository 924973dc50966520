/*
 * Zipf's distribution by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to
 * generate variates from monotone discrete distributions", 1996): a point is drawn below the
 * integral H of x^-exponent, taken back to x, rounded to a rank k, and kept when it lies in k's
 * share. A table of a million cumulative sums would be searched through cold memory for every call.
 */
#include "loadtest/zipf.h"

#include <math.h>

static const double ALMOST_0 = 1e-8; /* where the series is as exact as the function */

/* (e^x - 1) / x and log(1 + x) / x, which at 0 are 1. */
static double expm1_over(double x)
{
    return fabs(x) > ALMOST_0 ? expm1(x) / x : 1 + x / 2;
}

static double log1p_over(double x)
{
    return fabs(x) > ALMOST_0 ? log1p(x) / x : 1 - x / 2;
}

/* The integral of t^-exponent from 1 to x, which holds for exponent 1 too, and its inverse. */
static double integral(const struct zipf *zipf, double x)
{
    double log_x = log(x);
    return expm1_over((1 - zipf->exponent) * log_x) * log_x;
}

static double inverse(const struct zipf *zipf, double area)
{
    double t = area * (1 - zipf->exponent);
    return exp(log1p_over(t < -1 ? -1 : t) * area);
}

static double height(const struct zipf *zipf, double x)
{
    return exp(-zipf->exponent * log(x));
}

void zipf_init(struct zipf *zipf, uint64_t n, double exponent)
{
    *zipf = (struct zipf){.n = n, .exponent = exponent};
    zipf->h_first = integral(zipf, 1.5) - 1;
    zipf->h_last = integral(zipf, (double)n + 0.5);
    zipf->shortcut = 2 - inverse(zipf, integral(zipf, 2.5) - height(zipf, 2));
}

uint64_t zipf_draw(const struct zipf *zipf, struct load_random *random)
{
    if (!(zipf->exponent > 0))
        return load_random_below(random, zipf->n);
    for (;;) {
        double unit = load_random_unit(random);
        double area = zipf->h_last + unit * (zipf->h_first - zipf->h_last);
        double x = inverse(zipf, area), k = floor(x + 0.5);
        k = k < 1 ? 1 : k > (double)zipf->n ? (double)zipf->n : k;
        if (k - x <= zipf->shortcut || area >= integral(zipf, k + 0.5) - height(zipf, k))
            return (uint64_t)k - 1;
    }
}
