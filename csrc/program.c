/* program.c: runs a program; kernels.h lists its instructions. */
#include "dispatch.h"
#include "threads.h"

#include <string.h>

/* ---- instructions without a type ------------------------------------------------------- */

static int do_input(const tgl_instruction *i)
{
    memcpy(i->x[0], *(void *const *)i->x[1], (size_t)i->n[0]);
    return 1;
}

static int do_copy(const tgl_instruction *i)
{
    memcpy(i->x[0], i->x[1], (size_t)i->n[0]);
    return 1;
}

static int do_add_one(const tgl_instruction *i)
{
    *(int64_t *)i->x[0] = *(const int64_t *)i->x[1] + 1;
    return 1;
}

static int do_take_rows(const tgl_instruction *i)
{
    const size_t n = (size_t)i->n[0];
    return tgl_take_rows(i->x[0], i->x[1], i->x[2], n, (size_t)i->n[1], (size_t)i->n[2]) == n;
}

static int do_update(const tgl_instruction *i)
{
    tgl_update((int)i->n[0], i->is_double, i->x[0], i->x[1]);
    return 1;
}

static int do_tape(const tgl_instruction *i)
{
    tgl_tape(i->x[0], i->x[1], (size_t)i->n[0]);
    return 1;
}

/* ---- those of each type ---------------------------------------------------------------- */

#define real float
#define loops_of_type() (&loops_in_use()->f32)
#define NAME(name) name##_f32
#include "instructions.h"
#undef real
#undef loops_of_type
#undef NAME

#define real double
#define loops_of_type() (&loops_in_use()->f64)
#define NAME(name) name##_f64
#include "instructions.h"

#define BOTH(name) {name##_f32, name##_f64}
static int (*const instructions[TGL_MAP][2])(const tgl_instruction *i) = {
    [TGL_INPUT] = {do_input, do_input},
    [TGL_COPY] = {do_copy, do_copy},
    [TGL_ADD_ONE] = {do_add_one, do_add_one},
    [TGL_MATMUL] = BOTH(do_matmul),
    [TGL_SUM] = BOTH(do_sum),
    [TGL_LOSSES] = BOTH(do_losses),
    [TGL_SLOPE] = BOTH(do_slope),
    [TGL_CONV] = BOTH(do_conv),
    [TGL_CONV_IMAGES] = BOTH(do_conv_images),
    [TGL_CONV_WEIGHTS] = BOTH(do_conv_weights),
    [TGL_MAX_POOL] = BOTH(do_max_pool),
    [TGL_SCATTER] = BOTH(do_scatter),
    [TGL_BATCH_NORM] = BOTH(do_batch_norm),
    [TGL_NORMALIZE] = BOTH(do_normalize),
    [TGL_NORM_SLOPES] = BOTH(do_norm_slopes),
    [TGL_TAKE_ROWS] = {do_take_rows, do_take_rows},
    [TGL_ADD_ROWS] = BOTH(do_add_rows),
    [TGL_UPDATE] = {do_update, do_update},
    [TGL_TAPE] = {do_tape, do_tape},
};

/* ---- maps ------------------------------------------------------------------------------ */

/* Elements that a chain of maps goes through at a time: what it reads and writes is then in
 * the first cache. And what a thread takes of them at a time. */
enum { BLOCK_OF_MAPS = 1024, PART_OF_MAPS = 32 * BLOCK_OF_MAPS };

/* Maps that are joined, and have as many elements each. */
struct chain {
    const tgl_instruction *first;
    size_t maps;
};

static void chain_part(void *job, size_t begin, size_t end)
{
    const struct chain *chain = job;
    const size_t block = chain->maps > 1 ? BLOCK_OF_MAPS : end - begin;
    for (size_t from = begin; from < end; from += block) {
        const size_t to = end - from < block ? end : from + block;
        for (size_t k = 0; k < chain->maps; k++) {
            const tgl_instruction *i = chain->first + k;
            if (i->is_double)
                do_map_f64(i, from, to);
            else
                do_map_f32(i, from, to);
        }
    }
}

/* Run the chain that begins here; returns how many maps it has. */
static size_t run_chain(const tgl_instruction *i, size_t left)
{
    struct chain chain = {.first = i, .maps = 1};
    while (chain.maps < left && i[chain.maps].joined)
        chain.maps++;
    const size_t n = (size_t)i->n[0];
    if (n <= PART_OF_MAPS)
        chain_part(&chain, 0, n);
    else
        share_job(chain_part, &chain, n, PART_OF_MAPS);
    return chain.maps;
}

size_t tgl_run(const tgl_instruction *program, size_t n)
{
    size_t k = 0;
    while (k < n) {
        const tgl_instruction *i = program + k;
        if (i->kind >= TGL_MAP)
            k += run_chain(i, n - k);
        else if (instructions[i->kind][i->is_double](i))
            k++;
        else
            return k;
    }
    return n;
}
