/* channels.h: what the loops of batch normalization count with. */
#ifndef TINYGRAD_LITE_CHANNELS_H
#define TINYGRAD_LITE_CHANNELS_H

#include <stddef.h>

enum {
    STEPS = 32,      /* so many numbers are added in single precision, if at all */
    CHANNELS = 512   /* channels side by side, whose sums stay in the cache */
};

/* how many numbers a channel has, to divide by: no numbers have the mean 0 */
static inline size_t count(size_t numbers)
{
    return numbers > 0 ? numbers : 1;
}

/* how many of the channels left the next block has */
static inline size_t block(size_t left)
{
    return left < CHANNELS ? left : CHANNELS;
}

#endif
