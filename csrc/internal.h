/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Private macros shared by the rooms of csrc/.  Nothing here crosses into Python.
 */
#ifndef FLSQ_INTERNAL_H
#define FLSQ_INTERNAL_H
#include <stdint.h>
#include "fastlsq.h"

#define FLSQ_CONCAT_(a, b) flsq_##a##_##b
#define FLSQ_CONCAT(a, b) FLSQ_CONCAT_(a, b)
#define FLSQ_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FLSQ_MAX(a, b) ((a) > (b) ? (a) : (b))
#define FLSQ_CEIL_DIV(a, b) (((a) + (b) - 1) / (b))
#define FLSQ_UNIT_ROUNDOFF 0x1p-53
#define FLSQ_SINGLE_ROUNDOFF 0x1p-24

/* FASTLSQ_DEBUG=1 at build time turns these on. */
#ifdef FLSQ_DEBUG
#include <assert.h>
#define FLSQ_ASSERT(condition) assert(condition)
#else
#define FLSQ_ASSERT(condition) ((void)0)
#endif

#endif
