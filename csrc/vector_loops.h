/* vector_loops.h: VECTOR_LANES numbers side by side, which the compiler keeps in one register.
 *
 * loops.h includes this file for each type. GCC and Clang do arithmetic on such vectors as on
 * numbers. Without them a vector is one number, and what is made of vectors is the same.
 */

#if VECTOR_LANES > 1
typedef real NAME(vector) __attribute__((vector_size(VECTOR_LANES * sizeof(real))));
typedef bits NAME(mask) __attribute__((vector_size(VECTOR_LANES * sizeof(real))));
#else
typedef real NAME(vector);
#endif

static INLINE NAME(vector) NAME(load)(const real *x)
{
    NAME(vector) v;
    memcpy(&v, x, sizeof v);
    return v;
}

static INLINE void NAME(store)(real *x, NAME(vector) v)
{
    memcpy(x, &v, sizeof v);
}

/* x where x is not below 0, else 0; a NaN stays. */
static INLINE NAME(vector) NAME(rectified)(NAME(vector) x)
{
#if VECTOR_LANES > 1
    return (NAME(vector))((NAME(mask))x & ~(x < 0));
#else
    return x < 0 ? 0 : x;
#endif
}

/* The numbers of two vectors in turns: those of their lower halves, and of their upper. */
#if VECTOR_LANES == 16
#define LOWER_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_LANES == 8
#define LOWER_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#elif VECTOR_LANES == 4
#define LOWER_HALVES 0, 4, 1, 5
#define UPPER_HALVES 2, 6, 3, 7
#elif VECTOR_LANES == 2
#define LOWER_HALVES 0, 2
#define UPPER_HALVES 1, 3
#endif

#ifdef __clang__
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (NAME(mask)){__VA_ARGS__})
#endif

/* Transpose a square of n = VECTOR_LANES vectors: in each of log2(n) rounds, row i and row
 * i + n / 2 become rows 2 i and 2 i + 1, their numbers in turns. */
static INLINE void NAME(transpose)(NAME(vector) *row)
{
#if VECTOR_LANES > 1
    NAME(vector) next[VECTOR_LANES];
    UNROLL
    for (int round = 1; round < VECTOR_LANES; round *= 2) {
        UNROLL
        for (int i = 0; i < VECTOR_LANES / 2; i++) {
            next[2 * i] = SHUFFLED(row[i], row[i + VECTOR_LANES / 2], LOWER_HALVES);
            next[2 * i + 1] = SHUFFLED(row[i], row[i + VECTOR_LANES / 2], UPPER_HALVES);
        }
        UNROLL
        for (int i = 0; i < VECTOR_LANES; i++)
            row[i] = next[i];
    }
#else
    (void)row;
#endif
}

#undef LOWER_HALVES
#undef UPPER_HALVES
#undef SHUFFLED
