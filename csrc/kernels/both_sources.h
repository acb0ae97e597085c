/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Includes FLSQ_TEMPLATE once for each type of rows that kernels read where they lie, with
 *   FLSQ_SOURCE       the type            FLSQ_SOURCE_NAME  f64 or f32, for names
 *   LOAD_SOURCE(p)    VL elements at any address, as doubles
 */
#define FLSQ_SOURCE double
#define FLSQ_SOURCE_NAME f64
#define LOAD_SOURCE(p) (*(const loose_vec *)(p))
#include FLSQ_TEMPLATE
#undef FLSQ_SOURCE
#undef FLSQ_SOURCE_NAME
#undef LOAD_SOURCE
#define FLSQ_SOURCE float
#define FLSQ_SOURCE_NAME f32
#define LOAD_SOURCE(p) widen((const loose_half *)(p))
#include FLSQ_TEMPLATE
#undef FLSQ_SOURCE
#undef FLSQ_SOURCE_NAME
#undef LOAD_SOURCE
#undef FLSQ_TEMPLATE
