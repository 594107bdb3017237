/*
 * What a spinning loop does between two looks: tells the processor that it spins, which gives the other
 * hardware thread of the core its share and saves power. No memory order is implied beyond the
 * compiler's.
 */
#ifndef PE__BASE_CPU_RELAX_H
#define PE__BASE_CPU_RELAX_H

static inline void pe__base_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __asm__ __volatile__("pause" ::: "memory");
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#endif
