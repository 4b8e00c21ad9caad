/* threads.h: one loop shared by several threads. */
#ifndef TINYGRAD_LITE_THREADS_H
#define TINYGRAD_LITE_THREADS_H

#include <stddef.h>

/* Does the part [begin, end) of a job. */
typedef void part_of_job(void *job, size_t begin, size_t end);

/* Call `part` for [0, n) in parts of `grain`, by several threads if there are that many parts,
 * and return when all are done. Which thread does a part must not matter to its result. */
void share_job(part_of_job *part, void *job, size_t n, size_t grain);

#endif
