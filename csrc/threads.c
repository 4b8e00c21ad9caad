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
    size_t next, n, grain;   /* parts not yet taken begin at `next` */
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .more = PTHREAD_COND_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
    .wanted = 1,
};

/* Take parts until none is left. The lock is held on entry and on return. */
static void take_parts(void)
{
    while (pool.next < pool.n) {
        part_of_job *const part = pool.part;
        void *const job = pool.job;
        const size_t begin = pool.next;
        const size_t end = pool.n - begin > pool.grain ? begin + pool.grain : pool.n;
        pool.next = end;
        pthread_mutex_unlock(&pool.lock);
        part(job, begin, end);
        pthread_mutex_lock(&pool.lock);
    }
}

static void *work(void *number)
{
    const int me = (int)(size_t)number;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.next >= pool.n || me >= pool.wanted)
            pthread_cond_wait(&pool.more, &pool.lock);
        pool.working++;
        take_parts();
        pool.working--;
        if (pool.working == 0)
            pthread_cond_signal(&pool.done);
    }
    return NULL;
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
    pool.next = pool.n = 0;
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
    pool.n = n;
    pool.grain = grain;
    pool.next = 0;
    pthread_cond_broadcast(&pool.more);
    take_parts();
    while (pool.working)
        pthread_cond_wait(&pool.done, &pool.lock);
    pool.in_use = 0;
    pthread_mutex_unlock(&pool.lock);
}

#endif
