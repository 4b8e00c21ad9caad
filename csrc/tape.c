/* tape.c: scalar operations in an order fixed before, as kernels.h declares them.
 *
 * A run has one operation, so that its loop need not look up what to do for each number: that
 * would take longer than an addition. */
#include "kernels.h"

#include <math.h>

#ifdef __GNUC__
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

static double multiply_add(double a, double b, double c)
{
    return a + b * c;
}

static double add(double a, double b)            { return a + b; }
static double subtract(double a, double b)       { return a - b; }
static double multiply(double a, double b)       { return a * b; }
static double divide(double a, double b)         { return a / b; }
static double negative(double a)                 { return -a; }
static double equal(double a, double b)          { return a == b; }
static double not_equal(double a, double b)      { return a != b; }
static double less(double a, double b)           { return a < b; }
static double less_equal(double a, double b)     { return a <= b; }
static double greater(double a, double b)        { return a > b; }
static double greater_equal(double a, double b)  { return a >= b; }
static double maximum(double a, double b)        { return a > b || a != a ? a : b; }
static double minimum(double a, double b)        { return a < b || a != a ? a : b; }
static double where(double a, double b, double c) { return a != 0 ? b : c; }

static double sign(double a)
{
    return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a;
}

static double sigmoid(double a)
{
    return exp(minimum(a, 0)) / (1 + exp(-fabs(a)));
}

/* NumPy has the square root for this power: so -0 stays -0, and -inf gives NaN. */
static double power(double a, double b)
{
    return b == 0.5 ? sqrt(a) : pow(a, b);
}

static double clip(double a, double b, double c)
{
    const double raised = a < b || b != b ? b : a;
    return raised > c || c != c ? c : raised;
}

/* ---- a run: its results from y on, its inputs anywhere in x ----------------------------- */

typedef const double *numbers;
typedef const int32_t *places;

static INLINE void each(
    double *restrict y, size_t n, numbers x, places a, double (*of)(double))
{
    for (size_t i = 0; i < n; i++)
        y[i] = of(x[a[i]]);
}

static INLINE void each_two(
    double *restrict y, size_t n, numbers x, places a, double (*of)(double, double))
{
    places b = a + n;
    for (size_t i = 0; i < n; i++)
        y[i] = of(x[a[i]], x[b[i]]);
}

static INLINE void each_three(
    double *restrict y, size_t n, numbers x, places a, double (*of)(double, double, double))
{
    places b = a + n;
    places c = b + n;
    for (size_t i = 0; i < n; i++)
        y[i] = of(x[a[i]], x[b[i]], x[c[i]]);
}

static void move(double *x, size_t n, places a)
{
    places b = a + n;
    for (size_t i = 0; i < n; i++)
        x[a[i]] = x[b[i]];
}

/* Do a run, and return how many inputs its operation has. */
static size_t run(double *x, int operation, double *y, size_t n, places a)
{
    switch (operation) {
    case TGL_TAPE_MOVE:          move(x, n, a);                        return 2;
    case TGL_TAPE_ADD:           each_two(y, n, x, a, add);            return 2;
    case TGL_TAPE_SUBTRACT:      each_two(y, n, x, a, subtract);       return 2;
    case TGL_TAPE_MULTIPLY:      each_two(y, n, x, a, multiply);       return 2;
    case TGL_TAPE_DIVIDE:        each_two(y, n, x, a, divide);         return 2;
    case TGL_TAPE_MULTIPLY_ADD:  each_three(y, n, x, a, multiply_add); return 3;
    case TGL_TAPE_NEGATIVE:      each(y, n, x, a, negative);           return 1;
    case TGL_TAPE_POWER:         each_two(y, n, x, a, power);          return 2;
    case TGL_TAPE_ABS:           each(y, n, x, a, fabs);               return 1;
    case TGL_TAPE_SIGN:          each(y, n, x, a, sign);               return 1;
    case TGL_TAPE_EXP:           each(y, n, x, a, exp);                return 1;
    case TGL_TAPE_EXPM1:         each(y, n, x, a, expm1);              return 1;
    case TGL_TAPE_LOG:           each(y, n, x, a, log);                return 1;
    case TGL_TAPE_LOG1P:         each(y, n, x, a, log1p);              return 1;
    case TGL_TAPE_SQRT:          each(y, n, x, a, sqrt);               return 1;
    case TGL_TAPE_SIN:           each(y, n, x, a, sin);                return 1;
    case TGL_TAPE_COS:           each(y, n, x, a, cos);                return 1;
    case TGL_TAPE_TANH:          each(y, n, x, a, tanh);               return 1;
    case TGL_TAPE_ERF:           each(y, n, x, a, erf);                return 1;
    case TGL_TAPE_SIGMOID:       each(y, n, x, a, sigmoid);            return 1;
    case TGL_TAPE_EQUAL:         each_two(y, n, x, a, equal);          return 2;
    case TGL_TAPE_NOT_EQUAL:     each_two(y, n, x, a, not_equal);      return 2;
    case TGL_TAPE_LESS:          each_two(y, n, x, a, less);           return 2;
    case TGL_TAPE_LESS_EQUAL:    each_two(y, n, x, a, less_equal);     return 2;
    case TGL_TAPE_GREATER:       each_two(y, n, x, a, greater);        return 2;
    case TGL_TAPE_GREATER_EQUAL: each_two(y, n, x, a, greater_equal);  return 2;
    case TGL_TAPE_MAXIMUM:       each_two(y, n, x, a, maximum);        return 2;
    case TGL_TAPE_MINIMUM:       each_two(y, n, x, a, minimum);        return 2;
    case TGL_TAPE_WHERE:         each_three(y, n, x, a, where);        return 3;
    case TGL_TAPE_CLIP:          each_three(y, n, x, a, clip);         return 3;
    default:                                                           return 0;
    }
}

void tgl_tape(double *x, const int32_t *code, size_t size)
{
    const int32_t *end = code + size;
    while (code < end) {
        const size_t n = (size_t)code[1];
        code += 3 + n * run(x, code[0], x + code[2], n, code + 3);
    }
}
