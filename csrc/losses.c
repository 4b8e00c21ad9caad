/* losses.c: the losses, as kernels.h declares them; rows are shared between threads. */
#include "dispatch.h"
#include "threads.h"

enum { LOSS_GRAIN = 16384 };

/* Rows that a thread takes at a time: about as many elements as LOSS_GRAIN. */
static size_t rows_of_part(size_t c)
{
    return c < LOSS_GRAIN ? LOSS_GRAIN / (c ? c : 1) : 1;
}

/* The place of the first id that is neither a class nor ignored; n if there is none. */
static size_t first_wrong_target(const int64_t *target, int64_t ignored, size_t n, size_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c == 0 || ((uint64_t)target[i] >= c && target[i] != ignored))
            return i;
    return n;
}

struct losses_f32 {
    float *y;
    const float *a;
    const int64_t *target;
    int64_t ignored;
    size_t n, c;
};

static void losses_part_f32(void *job, size_t start, size_t end)
{
    const struct losses_f32 *x = job;
    loops_in_use()->cross_entropy_f32(
        x->y, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->a, x->target, x->ignored,
        start, end, x->c);
}

size_t tgl_cross_entropy_f32(
    float *y, const float *a, const int64_t *target, int64_t ignored, size_t n, size_t c)
{
    const size_t good = first_wrong_target(target, ignored, n, c);
    if (good < n)
        return good;
    struct losses_f32 job = {y, a, target, ignored, n, c};
    share_job(losses_part_f32, &job, n, rows_of_part(c));
    loops_in_use()->last_column_f32(y, y + n + 1, y + 2 * (n + 1), n);
    return n;
}

struct slope_f32 {
    float *d;
    const float *a;
    const int64_t *target;
    const float *y;
    const float *g;
    size_t step, n, c;
};

static void slope_part_f32(void *job, size_t start, size_t end)
{
    const struct slope_f32 *x = job;
    loops_in_use()->cross_entropy_slope_f32(
        x->d, x->a, x->target, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->g, x->step,
        start, end, x->c);
}

void tgl_cross_entropy_slope_f32(
    float *d, const float *a, const int64_t *target, const float *y,
    const float *g, size_t step, size_t n, size_t c)
{
    struct slope_f32 job = {d, a, target, y, g, step, n, c};
    share_job(slope_part_f32, &job, n, rows_of_part(c));
}

struct losses_f64 {
    double *y;
    const double *a;
    const int64_t *target;
    int64_t ignored;
    size_t n, c;
};

static void losses_part_f64(void *job, size_t start, size_t end)
{
    const struct losses_f64 *x = job;
    loops_in_use()->cross_entropy_f64(
        x->y, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->a, x->target, x->ignored,
        start, end, x->c);
}

size_t tgl_cross_entropy_f64(
    double *y, const double *a, const int64_t *target, int64_t ignored, size_t n, size_t c)
{
    const size_t good = first_wrong_target(target, ignored, n, c);
    if (good < n)
        return good;
    struct losses_f64 job = {y, a, target, ignored, n, c};
    share_job(losses_part_f64, &job, n, rows_of_part(c));
    loops_in_use()->last_column_f64(y, y + n + 1, y + 2 * (n + 1), n);
    return n;
}

struct slope_f64 {
    double *d;
    const double *a;
    const int64_t *target;
    const double *y;
    const double *g;
    size_t step, n, c;
};

static void slope_part_f64(void *job, size_t start, size_t end)
{
    const struct slope_f64 *x = job;
    loops_in_use()->cross_entropy_slope_f64(
        x->d, x->a, x->target, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->g, x->step,
        start, end, x->c);
}

void tgl_cross_entropy_slope_f64(
    double *d, const double *a, const int64_t *target, const double *y,
    const double *g, size_t step, size_t n, size_t c)
{
    struct slope_f64 job = {d, a, target, y, g, step, n, c};
    share_job(slope_part_f64, &job, n, rows_of_part(c));
}
