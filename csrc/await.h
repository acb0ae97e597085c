/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Waits of less than microseconds, between threads of a team that meet again and again.  Each has a counter, which only it moves on,
 * and looks at those of the others.
 */
#ifndef FLSQ_AWAIT_H
#define FLSQ_AWAIT_H
#include "internal.h"

/* Alone on its line. */
typedef struct flsq_counter {
    _Alignas(64) int64_t value;
} flsq_counter;

/* What was written before is seen by who has awaited the value. */
void flsq_announce(flsq_counter *counter, int64_t value);
/* Returns when the value has been reached.  Who waits long gives the core up. */
void flsq_await(const flsq_counter *counter, int64_t value);

#endif
