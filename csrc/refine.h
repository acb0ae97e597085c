/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * How far refinement has come, for one target.
 */
#ifndef FLSQ_REFINE_H
#define FLSQ_REFINE_H
#include "internal.h"

/* Of D M D: the 1-norm condition number, the trace and the unit roundoff of its sums. */
typedef struct flsq_system {
    double condition, trace, roundoff;
} flsq_system;

typedef struct flsq_progress {
    double first;       /* ‖D⁻¹ step‖/‖D⁻¹ b‖ of the first pass */
    double delta;       /* and of the last */
    double contraction; /* of the last step against the one before; after the first pass, delta */
    double measured;    /* sum of squared residuals that the last pass found */
    int settled;        /* whether further steps would be rounding */
} flsq_progress;

/* Backward errors up to this are no worse than those of Householder QR: no further pass is made for less. */
#define FLSQ_BACKWARD_GOAL (4 * FLSQ_UNIT_ROUNDOFF)

/* Judges pass number `pass` (from 1) after its step was computed and before it is taken: size = ‖D⁻¹b‖, step_size that of
 * the step, correction = stepᵀXᵀr; *rss becomes that of the corrected b.  Returns whether another pass is needed, or sets
 * report->verdict to the reason to give up. */
int flsq_judge(int pass, const flsq_system *system, double size, double step_size, double correction,
               flsq_progress *progress, double *rss, flsq_report *report);

/* Estimate of the normwise backward error after the last step.  Where g = Xᵀr was measured it is at most
 * min(‖R⁻ᵀDg‖/‖D⁻¹b‖, ‖Dg‖/‖r‖)/‖XD‖ (Karlson and Waldén, BIT 37, 1997, 862-869), with half = ‖R⁻ᵀDg‖ and
 * whole = ‖Dg‖; the step that followed shrank it by its contraction, of which rounding the sums keeps it above u*kappa²,
 * or what the first step shows of it. */
double flsq_backward_error(const flsq_system *system, double size, double whole, double half,
                           const flsq_progress *progress);

#endif
