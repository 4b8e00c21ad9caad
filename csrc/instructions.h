/* instructions.h: what the instructions of one type do, each returning whether it went well.
 * program.c includes this file for each type; their arguments are listed in kernels.h. */

static int NAME(do_matmul)(const tgl_instruction *i)
{
    const int64_t *n = i->n;
    NAME(tgl_matmul)(
        i->x[0], (size_t)n[3], i->x[1], (size_t)n[4], i->x[2], (size_t)n[5], i->x[3],
        (size_t)n[0], (size_t)n[1], (size_t)n[2], (int)n[6]);
    return 1;
}

static int NAME(do_sum)(const tgl_instruction *i)
{
    const int64_t *n = i->n;
    loops_of_type()->sum(
        i->x[0], i->x[1], (size_t)n[0], (size_t)n[1], (size_t)n[2], i->s[0]);
    return 1;
}

static int NAME(do_losses)(const tgl_instruction *i)
{
    const size_t rows = (size_t)i->n[0];
    return NAME(tgl_cross_entropy)(
        i->x[0], i->x[1], i->x[2], i->n[2], rows, (size_t)i->n[1]) == rows;
}

static int NAME(do_slope)(const tgl_instruction *i)
{
    NAME(tgl_cross_entropy_slope)(
        i->x[0], i->x[1], i->x[2], i->x[3], i->x[4], (size_t)i->n[2], (size_t)i->n[0],
        (size_t)i->n[1]);
    return 1;
}

/* ---- convolution ----------------------------------------------------------------------- */

/* The sizes of a convolution: of one group, c channels in, out of it, places and windows. */
struct NAME(conv) {
    const tgl_instruction *i;
    size_t images, groups, parts, c, out, places, windows, pixels;
    size_t weights;     /* numbers in all of w */
};

static struct NAME(conv) NAME(conv_of)(const tgl_instruction *i)
{
    struct NAME(conv) v = {.i = i, .images = (size_t)i->n[0], .groups = (size_t)i->n[3],
                           .parts = (size_t)i->n[4]};
    v.c = (size_t)i->n[1] / v.groups;
    v.out = (size_t)i->n[2] / v.groups;
    v.places = v.c * (size_t)(i->at.kernel_h * i->at.kernel_w);
    v.windows = (size_t)(i->at.out_h * i->at.out_w);
    v.pixels = (size_t)(i->at.height * i->at.width);
    v.weights = v.groups * v.out * v.places;
    return v;
}

/* The images of part p, from one up to another. */
static size_t NAME(conv_bound)(const struct NAME(conv) *v, size_t p)
{
    return v->images * p / v->parts;
}

static real *NAME(conv_columns)(const struct NAME(conv) *v, size_t p)
{
    return (real *)v->i->x[1] + p * v->groups * v->places * v->windows;
}

/* For each image and group: its columns, then y = bias + w columns. */
static void NAME(conv_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(conv) *v = job;
    const real *x = v->i->x[2];
    const real *bias = v->i->x[4];
    const int options = TGL_ACCUMULATE | (v->i->n[5] ? TGL_RELU : 0);
    for (size_t p = begin; p < end; p++) {
        real *columns = NAME(conv_columns)(v, p);
        for (size_t k = NAME(conv_bound)(v, p); k < NAME(conv_bound)(v, p + 1); k++)
            for (size_t g = 0; g < v->groups; g++) {
                const size_t part = k * v->groups + g;
                real *y = (real *)v->i->x[0] + part * v->out * v->windows;
                const real *w = (const real *)v->i->x[3] + g * v->out * v->places;
                loops_of_type()->im2col(
                    columns, x + part * v->c * v->pixels, &v->i->at, 0, v->c);
                for (size_t o = 0; o < v->out; o++)
                    for (size_t j = 0; j < v->windows; j++)
                        y[o * v->windows + j] = bias ? bias[g * v->out + o] : 0;
                NAME(tgl_matmul)(
                    y, v->windows, w, v->places, columns, v->windows, NULL, v->out,
                    v->windows, v->places, options);
            }
    }
}

/* For each image and group: columns = w' y, then their sum back into x. */
static void NAME(conv_images_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(conv) *v = job;
    const real *y = v->i->x[2];
    for (size_t p = begin; p < end; p++) {
        real *columns = NAME(conv_columns)(v, p);
        for (size_t k = NAME(conv_bound)(v, p); k < NAME(conv_bound)(v, p + 1); k++)
            for (size_t g = 0; g < v->groups; g++) {
                const size_t part = k * v->groups + g;
                const real *w = (const real *)v->i->x[3] + g * v->out * v->places;
                NAME(tgl_matmul)(
                    columns, v->windows, w, v->places, y + part * v->out * v->windows,
                    v->windows, NULL, v->places, v->windows, v->out, TGL_A_TRANSPOSED);
                loops_of_type()->col2im(
                    (real *)v->i->x[0] + part * v->c * v->pixels, columns, &v->i->at, 0, v->c);
            }
    }
}

/* The sum over the images of part p of y columns', in a matrix like w behind all columns. */
static void NAME(conv_weights_part)(void *job, size_t begin, size_t end)
{
    const struct NAME(conv) *v = job;
    const real *x = v->i->x[2];
    const real *y = v->i->x[3];
    for (size_t p = begin; p < end; p++) {
        real *columns = NAME(conv_columns)(v, p);
        real *sums = NAME(conv_columns)(v, v->parts) + p * v->weights;
        memset(sums, 0, v->weights * sizeof(real));
        for (size_t k = NAME(conv_bound)(v, p); k < NAME(conv_bound)(v, p + 1); k++)
            for (size_t g = 0; g < v->groups; g++) {
                const size_t part = k * v->groups + g;
                loops_of_type()->im2col(
                    columns, x + part * v->c * v->pixels, &v->i->at, 0, v->c);
                NAME(tgl_matmul)(
                    sums + g * v->out * v->places, v->places, y + part * v->out * v->windows,
                    v->windows, columns, v->windows, NULL, v->out, v->places, v->windows,
                    TGL_ACCUMULATE | TGL_B_TRANSPOSED);
            }
    }
}

static int NAME(do_conv)(const tgl_instruction *i)
{
    struct NAME(conv) v = NAME(conv_of)(i);
    share_job(NAME(conv_part), &v, v.parts, 1);
    return 1;
}

static int NAME(do_conv_images)(const tgl_instruction *i)
{
    struct NAME(conv) v = NAME(conv_of)(i);
    share_job(NAME(conv_images_part), &v, v.parts, 1);
    return 1;
}

static int NAME(do_conv_weights)(const tgl_instruction *i)
{
    struct NAME(conv) v = NAME(conv_of)(i);
    share_job(NAME(conv_weights_part), &v, v.parts, 1);
    const real *sums = NAME(conv_columns)(&v, v.parts);
    real *w = i->x[0];
    for (size_t j = 0; j < v.weights; j++) {
        real total = 0;
        for (size_t p = 0; p < v.parts; p++)
            total += sums[p * v.weights + j];
        w[j] = total;
    }
    return 1;
}

/* ---- pooling and batch normalization --------------------------------------------------- */

static int NAME(do_max_pool)(const tgl_instruction *i)
{
    NAME(tgl_max_pool)(i->x[0], i->x[1], i->x[2], &i->at, (size_t)i->n[0]);
    return 1;
}

static int NAME(do_scatter)(const tgl_instruction *i)
{
    return NAME(tgl_scatter)(
        i->x[0], i->x[1], i->x[2], (size_t)i->n[0], (size_t)i->n[1], (size_t)i->n[2]);
}

static int NAME(do_batch_norm)(const tgl_instruction *i)
{
    void *const *x = i->x;
    NAME(tgl_batch_norm)(
        x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], (size_t)i->n[0], (size_t)i->n[1],
        (size_t)i->n[2], i->s[0], i->s[1]);
    return 1;
}

static int NAME(do_normalize)(const tgl_instruction *i)
{
    void *const *x = i->x;
    NAME(tgl_normalize)(
        x[0], x[1], x[2], x[3], x[4], x[5], (size_t)i->n[0], (size_t)i->n[1],
        (size_t)i->n[2], i->s[0]);
    return 1;
}

static int NAME(do_norm_slopes)(const tgl_instruction *i)
{
    void *const *x = i->x;
    NAME(tgl_batch_norm_slopes)(
        x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], (size_t)i->n[0], (size_t)i->n[1],
        (size_t)i->n[2], i->s[0], (int)i->n[3]);
    return 1;
}

/* ---- rows by number -------------------------------------------------------------------- */

static int NAME(do_add_rows)(const tgl_instruction *i)
{
    const size_t n = (size_t)i->n[0];
    const size_t rows = (size_t)i->n[1];
    const size_t width = (size_t)i->n[2];
    memset(i->x[0], 0, rows * width * sizeof(real));
    return NAME(tgl_add_rows)(i->x[0], i->x[1], i->x[2], n, rows, width) == n;
}

/* ---- element by element ---------------------------------------------------------------- */

/* Elements [begin, end) of one map, row by row. */
static void NAME(do_map)(const tgl_instruction *i, size_t begin, size_t end)
{
    const size_t columns = (size_t)i->n[1];
    const size_t a_step = (size_t)i->n[2];
    const size_t b_step = (size_t)i->n[4];
    while (begin < end) {
        const size_t row = begin / columns;
        const size_t j = begin % columns;
        const size_t n = end - begin < columns - j ? end - begin : columns - j;
        loops_of_type()->map[i->kind - TGL_MAP](
            (real *)i->x[0] + begin, (const real *)i->x[1] + row * (size_t)i->n[3] + j * a_step,
            (const real *)i->x[2] + row * (size_t)i->n[5] + j * b_step, a_step, b_step, n);
        begin += n;
    }
}
