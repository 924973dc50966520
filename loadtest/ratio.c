/* Two tests that every textbook has. The quantile of Student's distribution is read from a table
 * and between its rows rounded to the wider one. */
#include "loadtest/ratio.h"

#include <math.h>
#include <stddef.h>

/* Mean and squared standard error of the mean of logarithms. */
struct moments {
    double mean, error_squared;
    uint32_t n;
};

static struct moments moments_of(const double *values, const double *divisors, uint32_t n)
{
    struct moments moments = {.n = n};
    double squares = 0;
    for (uint32_t i = 0; i < n; i++)
        moments.mean += log(values[i] / (divisors != NULL ? divisors[i] : 1)) / n;
    for (uint32_t i = 0; i < n; i++) {
        double d = log(values[i] / (divisors != NULL ? divisors[i] : 1)) - moments.mean;
        squares += d * d;
    }
    moments.error_squared = n > 1 ? squares / (n - 1) / n : INFINITY;
    return moments;
}

/* The 97.5 % quantile. */
static double student(double freedom)
{
    static const struct {
        double freedom, quantile;
    } rows[] = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},  {5, 2.571},
                {6, 2.447},  {7, 2.365},  {8, 2.306},  {9, 2.262},  {10, 2.228},
                {12, 2.179}, {15, 2.131}, {20, 2.086}, {30, 2.042}, {60, 2.000}};
    double quantile = INFINITY;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] && rows[i].freedom <= freedom; i++)
        quantile = rows[i].quantile;
    return quantile;
}

static struct ratio bound(double log_a, double log_b, double error_squared, double freedom)
{
    double width = student(freedom) * sqrt(error_squared), mean = log_b - log_a;
    struct ratio ratio = {.a = exp(log_a), .b = exp(log_b), .value = exp(mean)};
    bool known = isfinite(width);
    ratio.low = known ? exp(mean - width) : 0;
    ratio.high = known ? exp(mean + width) : INFINITY;
    ratio.differs = ratio.low > 1 || ratio.high < 1;
    return ratio;
}

struct ratio ratio_paired(const double *a, const double *b, uint32_t n)
{
    struct moments of_a = moments_of(a, NULL, n), of_b = moments_of(b, NULL, n);
    struct moments of_pairs = moments_of(b, a, n);
    return bound(of_a.mean, of_b.mean, of_pairs.error_squared, (double)n - 1);
}

struct ratio ratio_separate(const double *a, uint32_t n_a, const double *b, uint32_t n_b)
{
    struct moments of_a = moments_of(a, NULL, n_a), of_b = moments_of(b, NULL, n_b);
    double sum = of_a.error_squared + of_b.error_squared;
    double share_a = of_a.error_squared / sum, share_b = of_b.error_squared / sum;
    /* Welch and Satterthwaite; two that did not vary at all are as good as paired ones. */
    double freedom = isfinite(sum) && sum > 0
                         ? 1 / (share_a * share_a / (n_a - 1) + share_b * share_b / (n_b - 1))
                         : (double)(n_a < n_b ? n_a : n_b) - 1;
    return bound(of_a.mean, of_b.mean, sum, freedom);
}
