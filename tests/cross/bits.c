/* bits.c: runs every kernel on fixed numbers and prints a hash of the bits of its results, a
 * line each. Two processors that print the same compute the same. cross_check.py compiles it.
 */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

enum { N = 1003, MOST_ARRAYS = 5 };

static float floats[MOST_ARRAYS][N];
static double doubles[MOST_ARRAYS][N];

static uint64_t state;

/* A number in (0, 1), the same everywhere; the generator is Knuth's MMIX. */
static double next_number(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(state >> 40) + 1) / 16777218.0;
}

static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 1099511628211u; /* FNV-1a */
    return h;
}

static void fill_arrays(void)
{
    state = 1;
    for (int a = 0; a < MOST_ARRAYS; a++)
        for (int i = 0; i < N; i++) {
            /* w and g of either sign, state positive; the mean square, array 2, above the
             * square of the mean, array 3: the root of less than 0 is a NaN, whose sign is the
             * machine's */
            const double shift = a < 2 ? -0.5 : a == 2 ? 1 : 0;
            doubles[a][i] = next_number() + shift;
            floats[a][i] = (float)doubles[a][i];
        }
}

static void check(const char *name, int kernel, int arrays, const void *scalars)
{
    for (int is_double = 0; is_double < 2; is_double++) {
        void *x[MOST_ARRAYS];
        void *const *tables[MOST_ARRAYS] = {NULL};
        for (int a = 0; a < arrays; a++) {
            x[a] = is_double ? (void *)doubles[a] : (void *)floats[a];
            tables[a] = &x[a];
        }
        const size_t sizes[] = {N};
        const tgl_group group = {tables, sizes, 1, N};
        fill_arrays();
        for (int step = 0; step < 3; step++)
            tgl_update(kernel, is_double, &group, scalars);
        uint64_t h = 14695981039346656037u;
        for (int a = 0; a < arrays; a++)
            h = hash(h, x[a], N * (is_double ? sizeof(double) : sizeof(float)));
        printf("%s_f%d %016llx\n", name, is_double ? 64 : 32, (unsigned long long)h);
    }
}

int main(void)
{
    const tgl_sgd sgd = {0.1, 0.9, 0.3, 0, 0.01, 0};
    const tgl_sgd nesterov = {0.1, 0.9, 0, 1, 0.01, 1};
    const tgl_momentum momentum = {0.1, 0.9, 1, 0.01, 0};
    const tgl_adagrad adagrad = {0.1, 0, 1e-10, 0.01, 0};
    const tgl_adadelta adadelta = {1, 0.9, 1e-6, 0.01, 0};
    const tgl_rmsprop rmsprop = {0.01, 0.9, 0.5, 1e-8, 0.9, 0.01, 0};
    const tgl_adam adam = {0.01, 0.9, 0.999, 1e-8, 0.01, 0.99, 0, 0.1, 0.001};
    const tgl_clip clip = {-0.25, 0.25};
    const double value = 0.3;
    for (int simd = 0; simd <= TGL_AVX512; simd++)
        if (tgl_simd_runs(simd))
            tgl_set_simd(simd); /* the widest in the end */
    check("sgd", TGL_SGD, 2, &sgd);
    check("sgd_momentum", TGL_SGD, 3, &sgd);
    check("sgd_nesterov", TGL_SGD, 3, &nesterov);
    check("momentum", TGL_MOMENTUM, 3, &momentum);
    check("adagrad", TGL_ADAGRAD, 3, &adagrad);
    check("adadelta", TGL_ADADELTA, 4, &adadelta);
    check("rmsprop", TGL_RMSPROP, 3, &rmsprop);
    check("rmsprop_centered", TGL_RMSPROP, 4, &rmsprop);
    check("rmsprop_momentum", TGL_RMSPROP, 5, &rmsprop);
    check("adam", TGL_ADAM, 4, &adam);
    check("amsgrad", TGL_ADAM, 5, &adam);
    check("fill", TGL_FILL, 1, &value);
    check("scale", TGL_SCALE, 1, &value);
    check("clip", TGL_CLIP, 1, &clip);
    check("average", TGL_AVERAGE, 2, &value);
    check("add_scaled", TGL_ADD_SCALED, 2, &value);
    check("triad", TGL_TRIAD, 3, &value);
    return 0;
}
