/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Gradient optimizers on the user's arrays: the numbers of a step, and its pages dealt out to threads.  The loop itself is
 * kernels/optimizer_template.h.  Sequences are those of torch.optim: SGD (Sutskever et al. 2013), RMSprop (Hinton 2012; centered:
 * Graves 2013), Adagrad (Duchi et al. 2011), Adam (Kingma, Ba 2015), AMSGrad (Reddi et al. 2018), AdamW (Loshchilov, Hutter 2019).
 */
#include "optimizers.h"
#include "blocksizes.h"
#include "kernels.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <stddef.h>

static flsq_update_kind kind_of(const flsq_optimizer *s)
{
    switch ((flsq_rule)s->rule) {
    case FLSQ_RULE_SGD:
        return s->momentum == 0 ? FLSQ_UPDATE_PLAIN : s->nesterov ? FLSQ_UPDATE_NESTEROV : FLSQ_UPDATE_MOMENTUM;
    case FLSQ_RULE_RMSPROP:
        if (s->centered)
            return s->momentum == 0 ? FLSQ_UPDATE_RMSPROP_CENTERED : FLSQ_UPDATE_RMSPROP_BOTH;
        return s->momentum == 0 ? FLSQ_UPDATE_RMSPROP : FLSQ_UPDATE_RMSPROP_MOMENTUM;
    case FLSQ_RULE_ADAGRAD:
        return FLSQ_UPDATE_ADAGRAD;
    default:
        return s->amsgrad ? FLSQ_UPDATE_AMSGRAD : FLSQ_UPDATE_ADAM;
    }
}

void flsq_optimizer_at(const flsq_optimizer *s, double learning_rate, double factor, int64_t t, flsq_update *update)
{
    flsq_update u = {.kind = kind_of(s), .limit = s->clip_value > 0 ? s->clip_value : INFINITY,
                     .factor = s->maximize ? -factor : factor, .l2 = s->decoupled ? 0 : s->weight_decay,
                     .keep = s->decoupled ? 1 - learning_rate * s->weight_decay : 1, .rate = learning_rate,
                     .old = s->momentum, .new = 1, .old_square = s->beta2, .new_square = 1 - s->beta2,
                     .root_factor = 1, .eps = s->eps};
    const double steps = (double)t;
    switch ((flsq_rule)s->rule) {
    case FLSQ_RULE_SGD: /* the first momentum is the gradient itself */
        u.root_factor = s->momentum; /* what Nesterov's direction adds of it */
        u.old = t > 1 ? s->momentum : 0;
        u.new = t > 1 ? 1 - s->dampening : 1;
        break;
    case FLSQ_RULE_RMSPROP:
        break;
    case FLSQ_RULE_ADAGRAD:
        u.rate = learning_rate / (1 + (steps - 1) * s->rate_decay);
        break;
    case FLSQ_RULE_ADAM: /* means that start at 0 are too small by 1 - beta^t */
        u.new = 1 - s->beta1;
        u.rate = learning_rate / (1 - pow(s->beta1, steps));
        u.root_factor = 1 / sqrt(1 - pow(s->beta2, steps));
        break;
    }
    u.shaped = u.limit < INFINITY || u.factor != 1 || u.l2 != 0;
    *update = u;
}

int flsq_optimizer_states(const flsq_optimizer *settings)
{
    static const int states[] = {
        [FLSQ_UPDATE_PLAIN] = 0, [FLSQ_UPDATE_MOMENTUM] = 1, [FLSQ_UPDATE_NESTEROV] = 1, [FLSQ_UPDATE_RMSPROP] = 1,
        [FLSQ_UPDATE_RMSPROP_MOMENTUM] = 3, [FLSQ_UPDATE_RMSPROP_CENTERED] = 5, [FLSQ_UPDATE_RMSPROP_BOTH] = 7,
        [FLSQ_UPDATE_ADAGRAD] = 1, [FLSQ_UPDATE_ADAM] = 3, [FLSQ_UPDATE_AMSGRAD] = 7};
    return states[kind_of(settings)];
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

typedef struct update_job {
    const flsq_kernels *kernels;
    const flsq_optimizer *settings;
    const flsq_parameter *parameters;
    int64_t count, pages, claimed;
    double learning_rate, factor, limit, scale;
    double *squares; /* one sum to a page, or NULL for a step */
} update_job;

static int64_t pages_of(const flsq_parameter *a) { return FLSQ_CEIL_DIV(a->n, FLSQ_UPDATE_PAGE); }

static void *at_element(const flsq_parameter *a, const void *array, int64_t element)
{
    const int64_t item = a->dtype == FLSQ_F64 ? sizeof(double) : sizeof(float);
    return array == NULL ? NULL : (char *)(uintptr_t)array + element * item;
}

static void step_elements(const update_job *job, const flsq_parameter *a, int64_t first, int64_t count)
{
    flsq_update u;
    void *state[FLSQ_STATES];
    flsq_optimizer_at(job->settings, job->learning_rate, job->factor, a->t, &u);
    for (int s = 0; s < FLSQ_STATES; s++)
        state[s] = at_element(a, a->state[s], first);
    void *const values = at_element(a, a->values, first);
    const void *const gradient = at_element(a, a->gradient, first);
    if (a->dtype == FLSQ_F64)
        job->kernels->update_f64(&u, count, values, gradient, state[0], state[1], state[2]);
    else
        job->kernels->update_f32(&u, count, values, gradient, state[0], state[1], state[2]);
}

static double square_elements(const update_job *job, const flsq_parameter *a, int64_t first, int64_t count)
{
    const void *const gradient = at_element(a, a->gradient, first);
    if (a->dtype == FLSQ_F64)
        return job->kernels->clipped_squares_f64(count, gradient, job->limit, job->scale);
    return job->kernels->clipped_squares_f32(count, gradient, job->limit, job->scale);
}

/* Pages are claimed in their order, so each thread walks the list of parameters once. */
static void pages_body(void *context, int thread, int n_threads)
{
    update_job *const job = context;
    int64_t array = 0, before = 0; /* pages of the arrays before */
    (void)thread, (void)n_threads;
    for (int64_t page = flsq_parallel_claim(&job->claimed); page < job->pages; page = flsq_parallel_claim(&job->claimed)) {
        while (page - before >= pages_of(&job->parameters[array]))
            before += pages_of(&job->parameters[array++]);
        const flsq_parameter *const a = &job->parameters[array];
        const int64_t first = (page - before) * FLSQ_UPDATE_PAGE, count = FLSQ_MIN(FLSQ_UPDATE_PAGE, a->n - first);
        if (job->squares != NULL)
            job->squares[page] = square_elements(job, a, first, count);
        else
            step_elements(job, a, first, count);
    }
}

static void run_pages(update_job *job, int n_threads)
{
    int64_t elements = 0;
    job->pages = 0;
    job->claimed = 0;
    for (int64_t i = 0; i < job->count; i++) {
        elements += job->parameters[i].n;
        job->pages += pages_of(&job->parameters[i]);
    }
    if (elements < FLSQ_UPDATE_ELEMENTS)
        n_threads = 1;
    flsq_parallel_run((int)FLSQ_MAX(FLSQ_MIN(n_threads, job->pages), 1), pages_body, job);
}

void flsq_optimizer_step(const flsq_kernels *kernels, const flsq_optimizer *settings, double learning_rate, double factor,
                         int64_t count, const flsq_parameter *parameters, int n_threads)
{
    update_job job = {.kernels = kernels, .settings = settings, .parameters = parameters, .count = count,
                      .learning_rate = learning_rate, .factor = factor};
    run_pages(&job, n_threads);
}

flsq_status flsq_gradient_norm(const flsq_kernels *kernels, double limit, int64_t count, const flsq_parameter *parameters,
                               int n_threads, double *norm)
{
    update_job job = {.kernels = kernels, .parameters = parameters, .count = count, .limit = limit > 0 ? limit : INFINITY};
    /* squares of large gradients overflow: once more, scaled */
    const double scales[] = {1, 0x1p-600};
    int64_t pages = 0, size = 0;
    flsq_arena arena;
    for (int64_t i = 0; i < count; i++)
        pages += pages_of(&parameters[i]);
    flsq_status status = flsq_size_add(&size, pages, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    job.squares = flsq_arena_take(&arena, pages, sizeof(double));
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        job.scale = scales[i];
        run_pages(&job, n_threads);
        for (int64_t page = 0; page < pages; page++)
            sum += job.squares[page];
        *norm = sqrt(sum) / scales[i];
        if (sum < INFINITY)
            break;
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
