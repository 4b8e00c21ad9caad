/* calls.h: the exported functions of one type, which pick the loops of the instruction set in
 * use, and share rows, images or channels between threads. A struct holds the arguments of a
 * call for its parts. calls.c includes this file for each type. */

/* ---- activations ----------------------------------------------------------------------- */

struct NAME(map) {
    int map;
    real *y;
    const real *a, *b;
};

static void NAME(map_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(map) *x = job;
    loops_of_type()->map[x->map](x->y + begin, x->a + begin, x->b + begin, 1, 1, end - begin);
}

void NAME(tgl_relu)(real *y, const real *a, size_t n)
{
    struct NAME(map) job = {TGL_RELU_OF, y, a, a};
    share_job(NAME(map_part), &job, n, NUMBERS_OF_PART);
}

void NAME(tgl_relu_slope)(real *d, const real *g, const real *y, size_t n)
{
    struct NAME(map) job = {TGL_RELU_SLOPE, d, g, y};
    share_job(NAME(map_part), &job, n, NUMBERS_OF_PART);
}

/* ---- losses ---------------------------------------------------------------------------- */

struct NAME(losses) {
    real *y;
    const real *a;
    const int64_t *target;
    int64_t ignored;
    size_t n, c;
};

static void NAME(losses_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(losses) *x = job;
    loops_of_type()->cross_entropy(
        x->y, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->a, x->target, x->ignored,
        begin, end, x->c);
}

size_t NAME(tgl_cross_entropy)(
    real *y, const real *a, const int64_t *target, int64_t ignored, size_t n, size_t c)
{
    const size_t good = first_wrong_target(target, ignored, n, c);
    if (good < n)
        return good;
    struct NAME(losses) job = {y, a, target, ignored, n, c};
    share_job(NAME(losses_part), &job, n, part_of(c));
    loops_of_type()->last_column(y, y + n + 1, y + 2 * (n + 1), n);
    return n;
}

struct NAME(slope) {
    real *d;
    const real *a;
    const int64_t *target;
    const real *y, *g;
    size_t step, n, c;
};

static void NAME(slope_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(slope) *x = job;
    loops_of_type()->cross_entropy_slope(
        x->d, x->a, x->target, x->y + x->n + 1, x->y + 2 * (x->n + 1), x->g, x->step,
        begin, end, x->c);
}

void NAME(tgl_cross_entropy_slope)(
    real *d, const real *a, const int64_t *target, const real *y,
    const real *g, size_t step, size_t n, size_t c)
{
    struct NAME(slope) job = {d, a, target, y, g, step, n, c};
    share_job(NAME(slope_part), &job, n, part_of(c));
}

/* ---- rows by number -------------------------------------------------------------------- */

size_t NAME(tgl_add_rows)(
    real *y, const real *a, const int64_t *index, size_t n, size_t rows, size_t width)
{
    const size_t good = first_wrong_id(index, n, rows);
    if (good == n)
        loops_of_type()->add_rows(y, a, index, n, width);
    return good;
}

/* ---- windows --------------------------------------------------------------------------- */

struct NAME(columns) {
    void (*loop)(real *to, const real *from, const tgl_windows *at, size_t begin, size_t end);
    real *to;
    const real *from;
    const tgl_windows *at;
};

static void NAME(columns_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(columns) *x = job;
    x->loop(x->to, x->from, x->at, begin, end);
}

static size_t NAME(images_of_part)(const tgl_windows *at)
{
    return part_of((size_t)(at->out_h * at->out_w * at->kernel_h * at->kernel_w));
}

void NAME(tgl_im2col)(real *cols, const real *x, const tgl_windows *at, size_t images)
{
    struct NAME(columns) job = {loops_of_type()->im2col, cols, x, at};
    share_job(NAME(columns_part), &job, images, NAME(images_of_part)(at));
}

void NAME(tgl_col2im)(real *x, const real *cols, const tgl_windows *at, size_t images)
{
    struct NAME(columns) job = {loops_of_type()->col2im, x, cols, at};
    share_job(NAME(columns_part), &job, images, NAME(images_of_part)(at));
}

struct NAME(pool) {
    real *y;
    int32_t *index;
    const real *x;
    const tgl_windows *at;
};

static void NAME(pool_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(pool) *x = job;
    loops_of_type()->max_pool(x->y, x->index, x->x, x->at, begin, end);
}

void NAME(tgl_max_pool)(
    real *y, int32_t *index, const real *x, const tgl_windows *at, size_t images)
{
    struct NAME(pool) job = {y, index, x, at};
    share_job(NAME(pool_part), &job, images, NAME(images_of_part)(at));
}

int NAME(tgl_gather)(
    real *y, const real *x, const int32_t *index,
    size_t pixels, size_t outputs, size_t images)
{
    return loops_of_type()->gather(y, x, index, pixels, outputs, 0, images);
}

int NAME(tgl_scatter)(
    real *x, const real *y, const int32_t *index,
    size_t pixels, size_t outputs, size_t images)
{
    return loops_of_type()->scatter(x, y, index, pixels, outputs, 0, images);
}

void NAME(tgl_average)(
    real *y, const real *x, const int64_t *rows, const int64_t *columns,
    const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images)
{
    loops_of_type()->average_windows(
        y, x, rows, columns, divisor, height, width, out_h, out_w, 0, images);
}

void NAME(tgl_spread)(
    real *x, const real *y, const int64_t *rows, const int64_t *columns,
    const real *divisor, size_t height, size_t width, size_t out_h, size_t out_w,
    size_t images)
{
    loops_of_type()->spread_windows(
        x, y, rows, columns, divisor, height, width, out_h, out_w, 0, images);
}

/* ---- batch normalization --------------------------------------------------------------- */

struct NAME(norm) {
    real *y, *mean, *var, *running_mean, *running_var;
    const real *x, *w, *b;
    size_t n, c, s;
    double eps, share;
};

static void NAME(norm_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(norm) *x = job;
    loops_of_type()->batch_norm(
        x->y, x->mean, x->var, x->running_mean, x->running_var, x->x, x->w, x->b,
        x->n, x->c, x->s, x->eps, x->share, begin, end);
}

void NAME(tgl_batch_norm)(
    real *y, real *mean, real *var, real *running_mean, real *running_var,
    const real *x, const real *w, const real *b,
    size_t n, size_t c, size_t s, double eps, double share)
{
    struct NAME(norm) job = {
        y, mean, var, running_mean, running_var, x, w, b, n, c, s, eps, share};
    share_job(NAME(norm_part), &job, c, part_of(n * s));
}

void NAME(tgl_normalize)(
    real *y, const real *x, const real *w, const real *b, const real *mean, const real *var,
    size_t n, size_t c, size_t s, double eps)
{
    loops_of_type()->normalize(y, x, w, b, mean, var, n, c, s, eps, 0, c);
}

struct NAME(norm_slopes) {
    real *dx, *dw, *db;
    const real *g, *x, *w, *mean, *var;
    size_t n, c, s;
    double eps;
    int training;
};

static void NAME(norm_slopes_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(norm_slopes) *x = job;
    loops_of_type()->batch_norm_slopes(
        x->dx, x->dw, x->db, x->g, x->x, x->w, x->mean, x->var, x->n, x->c, x->s, x->eps,
        x->training, begin, end);
}

void NAME(tgl_batch_norm_slopes)(
    real *dx, real *dw, real *db, const real *g, const real *x, const real *w,
    const real *mean, const real *var,
    size_t n, size_t c, size_t s, double eps, int training)
{
    struct NAME(norm_slopes) job = {
        dx, dw, db, g, x, w, mean, var, n, c, s, eps, training};
    share_job(NAME(norm_slopes_part), &job, c, part_of(n * s));
}
