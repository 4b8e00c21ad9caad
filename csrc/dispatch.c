/* dispatch.c: the exported functions; each picks the loops of the instruction set in use, and
 * shares large calls between threads. */
#include "dispatch.h"
#include "threads.h"

/* Groups of up to so many elements stay with the caller: to wake another thread takes as long
 * as they do. Measured; see the benchmarks of the updates. */
enum { FEW = 8 * TGL_BLOCK };

/* Arrays of a kernel, at most. */
enum { MOST_ARRAYS = 5 };

int tgl_abi(void)
{
    return 9;
}

/* ---- instruction sets ------------------------------------------------------------------ */

static int simd_in_use = TGL_BASELINE;

int tgl_simd_runs(int simd)
{
#ifdef HAVE_WIDE_LOOPS
    if (simd == TGL_AVX512)
        return __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (simd == TGL_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return simd == TGL_BASELINE;
}

void tgl_set_simd(int simd)
{
    simd_in_use = simd;
}

int tgl_get_simd(void)
{
    return simd_in_use;
}

const struct loops *loops_in_use(void)
{
#ifdef HAVE_WIDE_LOOPS
    if (simd_in_use == TGL_AVX512)
        return &loops_avx512;
    if (simd_in_use == TGL_AVX2)
        return &loops_avx2;
#endif
    return &loops_baseline;
}

/* ---- updates --------------------------------------------------------------------------- */

struct update {
    update_loop *loop;
    const tgl_group *group;
    const void *scalars;
    size_t element;     /* bytes */
    int arrays;
};

/* Bytes of the widest vector, and of a line of the cache. */
enum { LINE = 64 };

/* From how many elements on it pays to begin with a few that lead to the start of a line. */
enum { LONG = 1024 };

/* Call the loop for elements [from, to) of tensor k. A vector that lies across two lines takes
 * two accesses, so a long loop begins at the start of a line of the first array; the others
 * are mostly laid out as that is. */
static void update_tensor(const struct update *u, size_t k, size_t from, size_t to)
{
    void *x[MOST_ARRAYS] = {NULL};
    for (int a = 0; a < u->arrays; a++)
        if (u->group->arrays[a])
            x[a] = (char *)u->group->arrays[a][k] + from * u->element;
    const size_t beyond = (uintptr_t)x[0] % LINE;
    if (beyond && to - from >= LONG) {
        const size_t head = (LINE - beyond) / u->element;
        u->loop(x, head, u->scalars);
        for (int a = 0; a < u->arrays; a++)
            if (x[a])
                x[a] = (char *)x[a] + head * u->element;
        from += head;
    }
    u->loop(x, to - from, u->scalars);
}

/* Call the loop for elements [begin, end) of the group, tensor after tensor. */
static void update_part(void *job, size_t begin, size_t end)
{
    const struct update *u = job;
    const tgl_group *group = u->group;
    size_t first = 0; /* element of the tensor k */
    for (size_t k = 0; k < group->tensors && first < end; first += group->sizes[k++]) {
        const size_t last = first + group->sizes[k];
        if (last <= begin)
            continue;
        const size_t from = begin > first ? begin - first : 0;
        const size_t to = (end < last ? end : last) - first;
        update_tensor(u, k, from, to);
    }
}

void tgl_update(int kernel, int is_double, const tgl_group *group, const void *scalars)
{
    static const int arrays[TGL_KERNELS] = {
        [TGL_SGD] = 3, [TGL_MOMENTUM] = 3, [TGL_ADAGRAD] = 3, [TGL_ADADELTA] = 4,
        [TGL_RMSPROP] = 5, [TGL_ADAM] = 5, [TGL_FILL] = 1, [TGL_SCALE] = 1, [TGL_CLIP] = 1,
        [TGL_AVERAGE] = 2, [TGL_ADD_SCALED] = 2, [TGL_TRIAD] = 3};
    struct update job = {
        .loop = loops_in_use()->update[kernel][is_double],
        .group = group,
        .scalars = scalars,
        .element = is_double ? sizeof(double) : sizeof(float),
        .arrays = arrays[kernel],
    };
    if (group->elements <= FEW)
        update_part(&job, 0, group->elements);
    else
        share_job(update_part, &job, group->elements, TGL_BLOCK);
}

/* ---- the norm of a group --------------------------------------------------------------- */

struct square_sum {
    double (*loop)(const void *a, size_t n);
    const tgl_group *group;
    double *sums;
    size_t element;
};

static size_t blocks_of(size_t size)
{
    return (size + TGL_BLOCK - 1) / TGL_BLOCK;
}

/* Sum blocks [begin, end) of the group, each by itself. */
static void square_sum_part(void *job, size_t begin, size_t end)
{
    const struct square_sum *s = job;
    size_t first = 0; /* block of the tensor k */
    for (size_t k = 0; k < s->group->tensors && first < end; k++) {
        const size_t size = s->group->sizes[k];
        const char *a = s->group->arrays[0][k];
        const size_t last = first + blocks_of(size);
        for (size_t i = begin > first ? begin : first; i < end && i < last; i++) {
            const size_t from = (i - first) * TGL_BLOCK;
            const size_t n = size - from < TGL_BLOCK ? size - from : TGL_BLOCK;
            s->sums[i] = s->loop(a + from * s->element, n);
        }
        first = last;
    }
}

double tgl_square_sum(int is_double, const tgl_group *group, double *sums)
{
    struct square_sum job = {
        .loop = loops_in_use()->square_sum[is_double],
        .group = group,
        .sums = sums,
        .element = is_double ? sizeof(double) : sizeof(float),
    };
    size_t blocks = 0;
    for (size_t k = 0; k < group->tensors; k++)
        blocks += blocks_of(group->sizes[k]);
    if (blocks <= FEW / TGL_BLOCK)
        square_sum_part(&job, 0, blocks);
    else
        share_job(square_sum_part, &job, blocks, 1);
    double sum = 0;
    for (size_t i = 0; i < blocks; i++)
        sum += sums[i];
    return sum;
}
