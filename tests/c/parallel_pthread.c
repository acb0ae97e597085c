/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * csrc/parallel.h on POSIX threads, linked in place of csrc/parallel.c for ThreadSanitizer.  libgomp synchronises
 * with futexes that the sanitizer does not see, and every access behind its barriers would look like a race; threads,
 * joins and barriers of POSIX it understands.
 */
#define _GNU_SOURCE
#include "parallel.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_THREADS = 16 };

typedef struct member {
    void (*body)(void *, int, int);
    void *context;
    pthread_barrier_t *barrier;
    int thread, n_threads;
} member;

static _Thread_local pthread_barrier_t *team_barrier;

static void *run_member(void *argument)
{
    const member *const m = argument;
    team_barrier = m->barrier;
    m->body(m->context, m->thread, m->n_threads);
    return NULL;
}

void flsq_parallel_run(int n_threads, void (*body)(void *context, int thread, int n_threads), void *context)
{
    pthread_barrier_t barrier;
    pthread_t threads[MAX_THREADS];
    member members[MAX_THREADS];
    if (n_threads <= 1) {
        body(context, 0, 1);
        return;
    }
    if (n_threads > MAX_THREADS || pthread_barrier_init(&barrier, NULL, (unsigned)n_threads) != 0)
        abort();
    for (int t = 0; t < n_threads; t++) {
        members[t] = (member){body, context, &barrier, t, n_threads};
        if (t > 0 && pthread_create(&threads[t], NULL, run_member, &members[t]) != 0)
            abort();
    }
    (void)run_member(&members[0]);
    for (int t = 1; t < n_threads; t++)
        (void)pthread_join(threads[t], NULL);
    (void)pthread_barrier_destroy(&barrier);
}

void flsq_parallel_barrier(int n_threads)
{
    if (n_threads > 1)
        (void)pthread_barrier_wait(team_barrier);
}

/* As in csrc/parallel.c: relaxed, so that a driver which leans on the counter for order is found out. */
int64_t flsq_parallel_claim(int64_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

double flsq_parallel_clock(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int flsq_openmp_version(void) { return 0; }
int flsq_openmp_max_threads(void) { return 1; }
int flsq_is_forked_child(void) { return 0; }
