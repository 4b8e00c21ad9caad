/* dispatch.h: what the loops of one instruction set are called by. */
#ifndef TINYGRAD_LITE_DISPATCH_H
#define TINYGRAD_LITE_DISPATCH_H

#include "kernels.h"

/* A loop over n elements of one tensor; x holds a pointer for each array of the kernel. */
typedef void update_loop(void *const *x, size_t n, const void *scalars);

/* The other loops, whose arguments have the type: for float, and for double. */
#define real float
#define NAME(name) name##_f32
#include "typed_loops.h"
#undef real
#undef NAME

#define real double
#define NAME(name) name##_f64
#include "typed_loops.h"
#undef real
#undef NAME

/* One matrix product. c is divided into blocks of `rows` rows and the width of a panel, which
 * are numbered row after row; k into parts of `depth` steps. */
struct matmul {
    void (*loop)(const struct matmul *x, size_t begin, size_t end);
    void *c;
    const void *a, *b, *bias;
    size_t c_row, a_row, b_row;
    size_t m, n, k;
    int options;
    size_t rows, panels, depth; /* panels: blocks next to one another */
};

/* Where there are two, the first is for float, the second for double. */
struct loops {
    update_loop *update[TGL_KERNELS][2];
    double (*square_sum[2])(const void *a, size_t n);
    void (*matmul[2])(const struct matmul *x, size_t begin, size_t end);
    size_t panel[2];            /* columns of a panel of the matrix product */
    struct loops_f32 f32;
    struct loops_f64 f64;
};

extern const struct loops loops_baseline;

/* The compilers that can compile one file for several instruction sets of x86-64. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_WIDE_LOOPS
extern const struct loops loops_avx2;
extern const struct loops loops_avx512;
#endif

/* The loops in use. */
const struct loops *loops_in_use(void);

/* The place of the first number that is not in 0 .. ids - 1; n if there is none. */
size_t first_wrong_id(const int64_t *id, size_t n, size_t ids);

#endif
