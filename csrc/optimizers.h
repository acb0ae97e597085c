/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One step of a gradient optimizer, reduced to the numbers its loop multiplies with.  A C room that updates parameters of its
 * own fills a flsq_update with flsq_optimizer_at and calls kernels->update_f64 (or _f32): serial, no memory, no overhead.
 */
#ifndef FLSQ_OPTIMIZERS_H
#define FLSQ_OPTIMIZERS_H
#include "internal.h"

/* The loops of kernels/optimizer_template.h, and the states they keep. */
typedef enum flsq_update_kind {
    FLSQ_UPDATE_PLAIN,             /* none */
    FLSQ_UPDATE_MOMENTUM,          /* momentum */
    FLSQ_UPDATE_NESTEROV,          /* momentum */
    FLSQ_UPDATE_RMSPROP,           /* mean square */
    FLSQ_UPDATE_RMSPROP_MOMENTUM,  /* mean square, momentum */
    FLSQ_UPDATE_RMSPROP_CENTERED,  /* mean square, -, mean */
    FLSQ_UPDATE_RMSPROP_BOTH,      /* mean square, momentum, mean */
    FLSQ_UPDATE_ADAGRAD,           /* sum of squares */
    FLSQ_UPDATE_ADAM,              /* mean, mean square */
    FLSQ_UPDATE_AMSGRAD,           /* mean, mean square, its maximum */
} flsq_update_kind;

typedef struct flsq_update {
    flsq_update_kind kind;
    int shaped;          /* whether limit, factor or l2 change a gradient */
    double limit;        /* of a gradient's absolute value, or infinity */
    double factor, l2;   /* the gradient that enters is factor*g + l2*p */
    double keep, rate;   /* p becomes keep*p - rate*direction */
    double old, new;     /* momentum or mean: old*m + new*g */
    double old_square, new_square;
    double root_factor, eps; /* the direction is over root_factor*sqrt(mean square) + eps */
} flsq_update;

/* Step t >= 1 of a parameter, its gradients multiplied by `factor` (that of a clipped norm, or 1) after they are clipped by value. */
void flsq_optimizer_at(const flsq_optimizer *settings, double learning_rate, double factor, int64_t t, flsq_update *update);

#endif
