/* matmul.c: the matrix product, as kernels.h declares it; the blocks are in matmul_loops.h. */
#include "dispatch.h"
#include "threads.h"

/* Multiplications that are worth a second thread: some 20 microseconds for one. And those that
 * a thread takes at a time. Measured; see benchmarks/products.py. */
static const double SHARED = 1e6;
static const double PART = 2e5;

/* Rows of a block, at most: what it writes and what it reads of a stays in a cache while the
 * blocks beside it are done. Fewer where there are so few panels that threads would be idle. */
enum { MOST_ROWS = 512, FEW_PANELS = 4, FEW_ROWS = 64 };

static void matmul_part(void *job, size_t begin, size_t end)
{
    const struct matmul *x = job;
    x->loop(x, begin, end);
}

static size_t divided_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static void matmul(int is_double, struct matmul *x)
{
    const struct loops *loops = loops_in_use();
    const double work = (double)x->m * (double)x->n * (double)x->k;
    const size_t parts_of_k = x->k ? divided_up(x->k, TGL_DEPTH) : 1;
    x->depth = divided_up(divided_up(x->k, parts_of_k), 16) * 16;
    x->loop = loops->matmul[is_double];
    x->panels = divided_up(x->n, loops->panel[is_double]);
    x->rows = MOST_ROWS;
    const int shared = work >= SHARED && tgl_get_threads() > 1;
    if (shared && x->panels < FEW_PANELS && x->m >= 4 * FEW_ROWS)
        x->rows = FEW_ROWS;
    const size_t blocks = x->panels * divided_up(x->m, x->rows);
    const double grain = shared ? PART * (double)blocks / work : (double)blocks;
    share_job(matmul_part, x, blocks, grain > 1 ? (size_t)grain : 1);
}

void tgl_matmul_f32(
    float *c, size_t c_row, const float *a, size_t a_row, const float *b, size_t b_row,
    const float *bias, size_t m, size_t n, size_t k, int options)
{
    struct matmul x = {.c = c, .a = a, .b = b, .bias = bias, .c_row = c_row, .a_row = a_row,
                       .b_row = b_row, .m = m, .n = n, .k = k, .options = options};
    matmul(0, &x);
}

void tgl_matmul_f64(
    double *c, size_t c_row, const double *a, size_t a_row, const double *b, size_t b_row,
    const double *bias, size_t m, size_t n, size_t k, int options)
{
    struct matmul x = {.c = c, .a = a, .b = b, .bias = bias, .c_row = c_row, .a_row = a_row,
                       .b_row = b_row, .m = m, .n = n, .k = k, .options = options};
    matmul(1, &x);
}
