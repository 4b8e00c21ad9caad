/* matmul_loops.h: blocks of a matrix product; matmul.c has the whole, kernels.h the formula.
 *
 * The work is done by tiles: some rows of c, and some vectors of each, that stay in registers
 * while k goes by. A step of k takes one row of b, as many vectors, and one number of each
 * row of a. The tiles below one another, a block, share a panel of b: TGL_DEPTH rows that are
 * as wide as a tile. It is copied where b is transposed, and where that is faster; a is read
 * where it lies, transposed or not, a number at a time.
 *
 * Each sum of products belongs to one element of c and is taken in the order of k, so it is
 * the same wherever the element lies, and however c is divided into blocks.
 */
enum { NAME(PANEL) = TILE_VECTORS * VECTOR_LANES };

/* Where a tile finds its numbers: the first of each, and the way from one row, or from one
 * step of k, to the next. */
struct NAME(tile) {
    real *c;
    const real *a, *b;
    const real *start;      /* what the sums of each row of c begin with */
    size_t c_row, a_row, a_step, b_row;
    size_t k, columns;
    int add, relu;          /* add to what c holds; then replace what is below 0 */
};

/* c = start + a b, or c = c + (start + a b). Inlined for constant rows and vectors, it has no
 * loop but that over k, and the sums are registers. */
static INLINE void NAME(do_tile)(const struct NAME(tile) *t, int rows, int vectors)
{
    real *c = t->c;
    const real *a = t->a;
    const real *b = t->b;
    const size_t c_row = t->c_row;
    const size_t a_row = t->a_row;
    const size_t a_step = t->a_step;
    const size_t b_row = t->b_row;
    NAME(vector) sum[TILE_ROWS][TILE_VECTORS];
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = NAME(load)(t->start + v * VECTOR_LANES);
    if (t->add)
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                WILL_WRITE(c + (size_t)i * c_row + v * VECTOR_LANES);
    for (size_t p = t->k; p > 0; p--) {
        NAME(vector) y[TILE_VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            y[v] = NAME(load)(b + v * VECTOR_LANES);
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] = FUSED(a[(size_t)i * a_row], y[v], sum[i][v]);
        a += a_step;
        b += b_row;
    }
    if (t->add)
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] += NAME(load)(c + (size_t)i * c_row + v * VECTOR_LANES);
    if (t->relu)
        UNROLL
        for (int i = 0; i < rows; i++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] = NAME(rectified)(sum[i][v]);
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            NAME(store)(c + (size_t)i * c_row + v * VECTOR_LANES, sum[i][v]);
}

/* Functions of their own, lest their registers be shared with anything else. */
#define TILE(rows, vectors) \
    static void NAME(tile_##rows##x##vectors)(const struct NAME(tile) *t) \
    { \
        NAME(do_tile)(t, rows, vectors); \
    }
TILE(1, 1)
TILE(2, 1)
TILE(4, 1)
TILE(1, 2)
TILE(2, 2)
TILE(4, 2)
#if TILE_VECTORS == 3
TILE(1, 3)
TILE(2, 3)
TILE(4, 3)
#endif
#if TILE_ROWS == 8
TILE(8, 1)
TILE(8, 2)
#endif
#undef TILE

/* The tiles of 2^i rows and v + 1 vectors. */
static void (*const NAME(tiles)[][TILE_VECTORS])(const struct NAME(tile) *t) = {
#if TILE_VECTORS == 3
    {NAME(tile_1x1), NAME(tile_1x2), NAME(tile_1x3)},
    {NAME(tile_2x1), NAME(tile_2x2), NAME(tile_2x3)},
    {NAME(tile_4x1), NAME(tile_4x2), NAME(tile_4x3)},
#else
    {NAME(tile_1x1), NAME(tile_1x2)},
    {NAME(tile_2x1), NAME(tile_2x2)},
    {NAME(tile_4x1), NAME(tile_4x2)},
#endif
#if TILE_ROWS == 8
    {NAME(tile_8x1), NAME(tile_8x2)},
#endif
};

/* Copy less than 32 numbers in pieces of 16, 8, 4, 2 and 1: each is a move or two. */
static INLINE void NAME(copy_some)(real *restrict to, const real *restrict from, size_t n)
{
    UNROLL
    for (size_t piece = 16; piece > 0; piece /= 2)
        if (n & piece) {
            memcpy(to, from, piece * sizeof(real));
            to += piece;
            from += piece;
        }
}

static void NAME(copy_rows)(
    real *restrict to, size_t to_row, const real *restrict from, size_t from_row, size_t rows,
    size_t n)
{
    for (size_t i = 0; i < rows; i++)
        NAME(copy_some)(to + i * to_row, from + i * from_row, n);
}

/* All tiles of a block of m rows, from the top down; t is the first one. Tiles that are wider
 * than what is left of c go by way of memory that is wide enough. */
static void NAME(do_tiles)(struct NAME(tile) *t, size_t m, size_t vectors)
{
    NAME(vector) whole[TILE_ROWS * TILE_VECTORS];
    const int narrow = t->columns < vectors * VECTOR_LANES;
    const size_t c_row = t->c_row;
    real *c = t->c;
    int power = TILE_ROWS == 8 ? 3 : 2;
    if (narrow) {
        t->c = (real *)whole;
        t->c_row = vectors * VECTOR_LANES;
    }
    for (size_t left = m; left > 0;) {
        while ((size_t)1 << power > left)
            power--;
        const size_t rows = (size_t)1 << power;
        if (narrow && t->add)
            NAME(copy_rows)(t->c, t->c_row, c, c_row, rows, t->columns);
        NAME(tiles)[power][vectors - 1](t);
        if (narrow)
            NAME(copy_rows)(c, c_row, t->c, t->c_row, rows, t->columns);
        else
            t->c += rows * c_row;
        c += rows * c_row;
        t->a += rows * t->a_row;
        left -= rows;
    }
}

/* Copy a panel of k rows out of b; it is `columns` wide, and filled up with 0 to `width`. */
static void NAME(copy_panel)(
    real *restrict panel, const real *restrict b, size_t b_row, size_t k, size_t columns,
    size_t width)
{
    if (columns == NAME(PANEL)) {
        for (size_t p = 0; p < k; p++)
            memcpy(panel + p * width, b + p * b_row, NAME(PANEL) * sizeof(real));
        return;
    }
    memset(panel, 0, k * width * sizeof(real));
    for (size_t p = 0; p < k; p++)
        NAME(copy_some)(panel + p * width, b + p * b_row, columns);
}

/* The same where b is transposed, in squares of VECTOR_LANES x VECTOR_LANES numbers. */
static void NAME(turn_panel)(
    real *restrict panel, const real *restrict b, size_t b_row, size_t k, size_t columns,
    size_t width)
{
    static const real zeros[VECTOR_LANES];
    for (size_t p = 0; p < k && k < VECTOR_LANES; p++)
        for (size_t j = 0; j < width; j++)
            panel[p * width + j] = j < columns ? b[j * b_row + p] : 0;
    for (size_t j = 0; j < width; j += VECTOR_LANES)
        for (size_t p = 0; p < k && k >= VECTOR_LANES; p += VECTOR_LANES) {
            /* the last square overlaps another */
            const size_t q = p + VECTOR_LANES <= k ? p : k - VECTOR_LANES;
            NAME(vector) square[VECTOR_LANES];
            UNROLL
            for (size_t i = 0; i < VECTOR_LANES; i++)
                square[i] = NAME(load)(j + i < columns ? b + (j + i) * b_row + q : zeros);
            NAME(transpose)(square);
            UNROLL
            for (size_t i = 0; i < VECTOR_LANES; i++)
                NAME(store)(panel + (q + i) * width + j, square[i]);
        }
}

/* What the steps of k from p on, at most x->depth, add to block number `block` of c. */
static void NAME(do_block)(const struct matmul *x, size_t block, size_t p, real *panel)
{
    const size_t i = block / x->panels * x->rows;
    const size_t j = block % x->panels * NAME(PANEL);
    const size_t m = x->m - i < x->rows ? x->m - i : x->rows;
    const size_t columns = x->n - j < NAME(PANEL) ? x->n - j : NAME(PANEL);
    const size_t vectors = (columns + VECTOR_LANES - 1) / VECTOR_LANES;
    const size_t width = vectors * VECTOR_LANES;
    const int a_turned = x->options & TGL_A_TRANSPOSED;
    const int b_turned = x->options & TGL_B_TRANSPOSED;
    const int last = x->k - p <= x->depth;
    real start[NAME(PANEL)] = {0};
    if (x->bias && p == 0)
        memcpy(start, (const real *)x->bias + j, columns * sizeof(real));
    struct NAME(tile) t = {
        .c = (real *)x->c + i * x->c_row + j,
        .a = (const real *)x->a + (a_turned ? p * x->a_row + i : i * x->a_row + p),
        .b = (const real *)x->b + (b_turned ? j * x->b_row + p : p * x->b_row + j),
        .start = start,
        .c_row = x->c_row,
        .a_row = a_turned ? 1 : x->a_row,
        .a_step = a_turned ? x->a_row : 1,
        .b_row = x->b_row,
        .k = last ? x->k - p : x->depth,
        .columns = columns,
        .add = p > 0 || x->options & TGL_ACCUMULATE,
        .relu = last && x->options & TGL_RELU,
    };
    if (b_turned)
        NAME(turn_panel)(panel, t.b, x->b_row, t.k, columns, width);
    else if (columns < width || m >= COPY_ROWS)
        NAME(copy_panel)(panel, t.b, x->b_row, t.k, columns, width);
    if (b_turned || columns < width || m >= COPY_ROWS) {
        t.b = panel;
        t.b_row = width;
    }
    NAME(do_tiles)(&t, m, vectors);
}

/* Blocks [begin, end) of c, those next to one another together: a part of k is done with for
 * all of them before the next, so that what they read of a stays in the second cache. */
static void NAME(matmul)(const struct matmul *x, size_t begin, size_t end)
{
    NAME(vector) panel[TGL_DEPTH * TILE_VECTORS];
    while (begin < end) {
        const size_t row_end = begin - begin % x->panels + x->panels;
        const size_t stop = row_end < end ? row_end : end;
        size_t p = 0;
        do {
            for (size_t block = begin; block < stop; block++)
                NAME(do_block)(x, block, p, (real *)panel);
            p += x->depth;
        } while (p < x->k);
        begin = stop;
    }
}
