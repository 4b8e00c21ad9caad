/* threads.c: a pool of threads, made for updates that take longer than it takes to wake one.
 *
 * There is one job at a time. Whoever is free takes its next part, the calling thread first:
 * if the others are slow to wake, because the cores are busy, it has done the work meanwhile.
 */
#include "threads.h"

#include "kernels.h"

#ifdef _WIN32

/* Without POSIX threads the caller does all the work. */
void tgl_set_threads(int threads)
{
    (void)threads;
}

int tgl_get_threads(void)
{
    return 1;
}

void share_job(part_of_job *part, void *job, size_t n, size_t grain)
{
    (void)grain;
    part(job, 0, n);
}

#else

#include <pthread.h>
#include <sched.h>

enum {
    MOST_SHARES = 64,      /* more threads than that take from the shares of others */
    PARTS_OF_A_SHARE = 16, /* so that late threads leave little to wait for */
    PATIENCE = 60          /* looks, with a yield between, before a thread goes to sleep */
};

/* Parts first .. end - 1 are not yet taken. */
struct share {
    size_t first, end;
};

static struct {
    pthread_mutex_t lock;    /* held to read or write what follows */
    pthread_cond_t more;     /* there are parts to take */
    pthread_cond_t done;     /* a worker has finished a part */
    int wanted;              /* threads for a job, the caller among them */
    int started;             /* workers that exist */
    int working;             /* workers at a part */
    int in_use;              /* a caller has a job here */
    part_of_job *part;
    void *job;
    size_t n, grain;         /* part p is [p * grain, (p + 1) * grain), or less at the end */
    size_t left;             /* parts not yet taken, of all shares */
    int shares;
    struct share share[MOST_SHARES];
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .more = PTHREAD_COND_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
    .wanted = 1,
};

/* The share that thread `me` takes its next part from: its own, and then the fullest. */
static struct share *next_share(int me)
{
    struct share *fullest = pool.share;
    if (me < pool.shares && pool.share[me].first < pool.share[me].end)
        return pool.share + me;
    for (int i = 1; i < pool.shares; i++)
        if (pool.share[i].end - pool.share[i].first > fullest->end - fullest->first)
            fullest = pool.share + i;
    return fullest;
}

/* Take parts until none is left. The lock is held on entry and on return. A thread has the
 * same share in each job of a size, which therefore is in the cache of its core; what it takes
 * from others it takes from the end. */
static void take_parts(int me)
{
    while (pool.left) {
        part_of_job *const part = pool.part;
        void *const job = pool.job;
        struct share *const share = next_share(me);
        const size_t number = share == pool.share + me ? share->first++ : --share->end;
        const size_t begin = number * pool.grain;
        const size_t end = pool.n - begin > pool.grain ? begin + pool.grain : pool.n;
        __atomic_store_n(&pool.left, pool.left - 1, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&pool.lock);
        part(job, begin, end);
        pthread_mutex_lock(&pool.lock);
    }
}

/* Whether there are parts to take, which the next job may bring at once: sleeping and waking
 * takes longer than many a job. The lock is held on entry and on return. */
static int more_soon(void)
{
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < PATIENCE && !__atomic_load_n(&pool.left, __ATOMIC_RELAXED); i++)
        sched_yield();
    pthread_mutex_lock(&pool.lock);
    return pool.left != 0;
}

static void *work(void *number)
{
    const int me = (int)(size_t)number;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (!pool.left || me >= pool.wanted)
            pthread_cond_wait(&pool.more, &pool.lock);
        do {
            __atomic_store_n(&pool.working, pool.working + 1, __ATOMIC_RELAXED);
            take_parts(me);
            __atomic_store_n(&pool.working, pool.working - 1, __ATOMIC_RELAXED);
            if (!pool.working)
                pthread_cond_signal(&pool.done);
        } while (more_soon() && me < pool.wanted);
    }
    return NULL;
}

/* Wait until no worker is at a part of a job that has no more. The lock is held likewise. */
static void wait_for_workers(void)
{
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < PATIENCE && __atomic_load_n(&pool.working, __ATOMIC_RELAXED); i++)
        sched_yield();
    pthread_mutex_lock(&pool.lock);
    while (pool.working)
        pthread_cond_wait(&pool.done, &pool.lock);
}

/* A child process has none of its parent's threads, and what they held is held for good. */
static void forget_workers(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.more, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.started = 0;
    pool.working = 0;
    pool.in_use = 0;
    pool.left = 0;
}

/* Start what is missing of so many workers, if there are to be that many threads. */
static void start_workers(size_t workers)
{
    while (pool.started < pool.wanted - 1 && (size_t)pool.started < workers) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)(size_t)(pool.started + 1)))
            break; /* then those that there are do the work */
        pthread_detach(thread);
        pool.started++;
    }
}

static void prepare_for_forks(void)
{
    pthread_atfork(NULL, NULL, forget_workers);
}

/* Python sets the number on import: so no lock was ever taken when forks are prepared for. */
void tgl_set_threads(int threads)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    pthread_once(&prepared, prepare_for_forks);
    pthread_mutex_lock(&pool.lock);
    pool.wanted = threads < 1 ? 1 : threads;
    pthread_mutex_unlock(&pool.lock);
}

int tgl_get_threads(void)
{
    pthread_mutex_lock(&pool.lock);
    const int threads = pool.wanted;
    pthread_mutex_unlock(&pool.lock);
    return threads;
}

/* Divide the parts between the threads, in order. The lock is held. */
static void make_shares(size_t n, size_t grain)
{
    const size_t most = (size_t)pool.wanted * PARTS_OF_A_SHARE;
    const size_t grains = (n + grain - 1) / grain;
    pool.n = n;
    pool.grain = (grains + most - 1) / most * grain;
    const size_t parts = (n + pool.grain - 1) / pool.grain;
    pool.shares = pool.wanted < MOST_SHARES ? pool.wanted : MOST_SHARES;
    for (int i = 0; i < pool.shares; i++) {
        pool.share[i].first = parts * (size_t)i / (size_t)pool.shares;
        pool.share[i].end = parts * (size_t)(i + 1) / (size_t)pool.shares;
    }
    __atomic_store_n(&pool.left, parts, __ATOMIC_RELAXED);
}

void share_job(part_of_job *part, void *job, size_t n, size_t grain)
{
    if (n <= grain) {
        part(job, 0, n);
        return;
    }
    pthread_mutex_lock(&pool.lock);
    if (pool.wanted == 1 || pool.in_use) {
        pthread_mutex_unlock(&pool.lock);
        part(job, 0, n);
        return;
    }
    start_workers((n - 1) / grain); /* with the caller, one for each part */
    pool.in_use = 1;
    pool.part = part;
    pool.job = job;
    make_shares(n, grain);
    pthread_cond_broadcast(&pool.more);
    take_parts(0);
    if (pool.working)
        wait_for_workers();
    pool.in_use = 0;
    pthread_mutex_unlock(&pool.lock);
}

#endif
