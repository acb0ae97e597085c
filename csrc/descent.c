/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Steps of gradient descent: the sums of a mini-batch (or of all rows), then the optimizer, while the coefficients stay in cache.
 *
 * A mini-batch is cut into pieces of a fixed length, dealt to the threads, and their sums are added as by a binary counter: node of
 * 2^l pieces = sum of its halves.  A thread announces the nodes that lie in its share; then every thread adds them all and makes the
 * same step, to the bit, on coefficients of its own, so that they meet once a step: slots of sums alternate, and nobody can be two
 * steps ahead.
 */
#include "descent.h"
#include "await.h"
#include "blocksizes.h"
#include "optimizers.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum { SPARSE_COLUMNS = 4096, SPARSE_PIECE_ROWS = 1024 };
enum { MOST_PIECES = 16, MOST_NODES = 5 }; /* nodes that wait for their other half, and the last */

typedef struct descent_run {
    flsq_descent_layout layout;
    flsq_ordered ordered;
    const flsq_descent_plan *plan;
    flsq_descent_state *state;
    flsq_descent_report *report;
    int64_t piece_rows, most_pieces, sums_length;
    double *slots; /* of two steps, most_pieces each */
    flsq_counter *done; /* steps whose sums each thread has announced */
    char *threads;
    int64_t thread_bytes;
} descent_run;

/* What a thread works with: its copy of the state. */
typedef struct descent_own {
    flsq_descent_state state;
    flsq_descent_folded folded;
    flsq_descent_report report;
    double *gradient, *total; /* total: the first of MOST_NODES sums */
    flsq_descent_memory memory;
} descent_own;

static flsq_status place_own(const descent_run *run, char *memory, descent_own *own, int64_t *bytes)
{
    const flsq_descent_layout *const l = &run->layout;
    const int64_t d = l->parameters, k = l->problem->predictors;
    const int64_t item = sizeof(double);
    const flsq_piece sizes[] = {{d, item}, {d, item}, {d, item}, {d, item}, {d, item}, {d, item},
                                {k * l->length, item}, {k, item}, {MOST_NODES, run->sums_length * item}};
    void *pieces[9];
    int64_t total = 0, rest;
    flsq_status status = flsq_lay_out_pieces(9, sizes, memory, pieces, &total);
    if (status != FLSQ_OK)
        return status;
    *own = (descent_own){.state = {.b = pieces[0], .state = {pieces[1], pieces[2], pieces[3]}, .average = pieces[4]},
                         .gradient = pieces[5], .folded = {pieces[6], pieces[7]}, .total = pieces[8]};
    status = flsq_descent_place(l, memory == NULL ? NULL : memory + total, &own->memory, &rest);
    *bytes = FLSQ_CEIL_DIV(total + rest, 2 * FLSQ_ALIGNMENT) * 2 * FLSQ_ALIGNMENT;
    return status;
}

static void copy_state(const flsq_descent_layout *l, const flsq_descent_state *from, flsq_descent_state *to)
{
    const size_t bytes = (size_t)l->parameters * sizeof(double);
    memcpy(to->b, from->b, bytes);
    for (int s = 0; s < FLSQ_STATES; s++)
        if (from->state[s] != NULL && to->state[s] != NULL)
            memcpy(to->state[s], from->state[s], bytes);
    if (from->average != NULL && to->average != NULL)
        memcpy(to->average, from->average, bytes);
    to->averaged = from->averaged;
    to->steps = from->steps;
}

static void open_own(const descent_run *run, int thread, descent_own *own)
{
    int64_t bytes;
    place_own(run, run->threads + thread * run->thread_bytes, own, &bytes);
    copy_state(&run->layout, run->state, &own->state);
    for (int s = 0; s < FLSQ_STATES; s++)
        if (run->state->state[s] == NULL)
            own->state.state[s] = NULL;
    if (run->state->average == NULL)
        own->state.average = NULL;
    own->report.finite = 1;
    flsq_descent_prepare(&run->layout, &own->memory);
}

static void close_own(const descent_run *run, const descent_own *own)
{
    copy_state(&run->layout, &own->state, run->state);
    *run->report = own->report;
}

/* ---- a step ----------------------------------------------------------------------------------------------------- */

/* Squared length of the gradient of the objective. */
static double square_of(const descent_run *run, const descent_own *own)
{
    const flsq_descent_plan *const plan = run->plan;
    const int64_t d = run->layout.parameters, slopes = d - run->layout.problem->predictors;
    double sum = 0;
    for (int64_t j = 0; j < slopes; j++) {
        const double derivative = flsq_descent_derivative(plan, own->state.b[j], own->gradient[j]);
        sum += derivative * derivative;
    }
    for (int64_t j = slopes; plan->intercept && j < d; j++)
        sum += own->gradient[j] * own->gradient[j];
    return sum;
}

/* What one unit of l1 takes off slope j: the rate of its own metric. */
static double own_rate(const flsq_update *u, double rate, const flsq_descent_state *state, int64_t j)
{
    double v;
    switch (u->kind) {
    case FLSQ_UPDATE_ADAM:
        v = state->state[1][j];
        break;
    case FLSQ_UPDATE_AMSGRAD:
        v = state->state[2][j];
        break;
    case FLSQ_UPDATE_RMSPROP_CENTERED:
    case FLSQ_UPDATE_RMSPROP_BOTH:
        v = fmax(state->state[0][j] - state->state[2][j] * state->state[2][j], 0);
        break;
    default:
        v = state->state[0][j];
    }
    return rate / (u->root_factor * sqrt(v) + u->eps);
}

/* How many times its gradient a parameter moves by where that stays the same: the sum of what momentum repeats. */
static double gain_of(const flsq_optimizer *o)
{
    const int sums = o->rule == FLSQ_RULE_SGD || o->rule == FLSQ_RULE_RMSPROP;
    return sums && o->momentum < 1 ? (o->rule == FLSQ_RULE_SGD && o->momentum > 0 ? 1 - o->dampening : 1) / (1 - o->momentum) : 1;
}

/* b := sign(b) max(|b| - rate l1, 0), the proximal step of l1.  At the minimum the gradient is not 0 but what l1 takes off, so l1 has
 * the gain of a gradient. */
static void shrink(const descent_run *run, const flsq_update *u, double rate, const flsq_descent_state *state)
{
    const double l1 = run->plan->l1 * gain_of(run->plan->optimizer);
    const int64_t slopes = run->layout.parameters - run->layout.problem->predictors;
    if (u->kind <= FLSQ_UPDATE_NESTEROV) {
        const double threshold = rate * l1;
        for (int64_t j = 0; j < slopes; j++)
            state->b[j] = copysign(fmax(fabs(state->b[j]) - threshold, 0), state->b[j]);
    } else {
        for (int64_t j = 0; j < slopes; j++)
            state->b[j] = copysign(fmax(fabs(state->b[j]) - own_rate(u, rate, state, j) * l1, 0), state->b[j]);
    }
}

static double *behind(double *state, int64_t count) { return state == NULL ? NULL : state + count; }

/* Step `i` of the run from the sums of so many rows; 0 if something is not finite, and then nothing has changed. */
static int make_step(const descent_run *run, descent_own *own, int64_t rows, int64_t i)
{
    const flsq_descent_layout *const l = &run->layout;
    const flsq_kernels *const kernels = l->kernels;
    const flsq_descent_plan *const plan = run->plan;
    flsq_descent_state *const state = &own->state;
    const int64_t k = l->problem->predictors, d = l->parameters, slopes = d - k;
    const flsq_descent_sums sums = flsq_descent_sums_at(l, own->total);
    double *const g = own->gradient, *const *const s = state->state;
    const double scale = 1 / ((double)rows * plan->mean_weight);
    flsq_descent_unfold(l, &sums, g);
    for (int64_t j = 0; j < d; j++)
        g[j] *= scale;
    if (!plan->intercept)
        memset(g + slopes, 0, (size_t)k * sizeof(double));
    const double square = kernels->dot(d, g, g);
    if (!isfinite(square) || !isfinite(sums.totals[0])) {
        own->report.finite = 0;
        return 0;
    }
    own->report.steps++;
    own->report.rows += rows;
    own->report.loss += sums.totals[0];
    own->report.weight += sums.totals[1];
    if (i == plan->steps - 1)
        own->report.square = square_of(run, own);
    double factor = 1;
    if (plan->clip_norm > 0) { /* the length of what is left by clipping values */
        const double limit = plan->optimizer->clip_value > 0 ? plan->optimizer->clip_value : INFINITY;
        factor = fmin(1, plan->clip_norm / (sqrt(kernels->clipped_squares_f64(d, g, limit, 1)) + 1e-6));
    }
    flsq_update u;
    flsq_optimizer_at(plan->optimizer, plan->rates[i], factor, ++state->steps, &u);
    if (plan->intercept) {
        flsq_update free = u;
        free.l2 = 0;
        free.keep = 1;
        kernels->update_f64(&free, k, state->b + slopes, g + slopes, behind(s[0], slopes), behind(s[1], slopes),
                            behind(s[2], slopes));
    }
    u.l2 += plan->l2;
    u.shaped |= u.l2 != 0;
    kernels->update_f64(&u, slopes, state->b, g, s[0], s[1], s[2]);
    if (plan->l1 > 0)
        shrink(run, &u, u.kind == FLSQ_UPDATE_ADAGRAD ? u.rate : plan->rates[i], state);
    if (state->average != NULL && state->steps > plan->average_from) {
        const double share = 1 / (double)++state->averaged;
        for (int64_t j = 0; j < d; j++)
            state->average[j] += share * (state->b[j] - state->average[j]);
    }
    return 1;
}

/* ---- mini-batches ----------------------------------------------------------------------------------------------- */

/* Pieces [first, end) of a batch that a thread sums. */
typedef struct descent_share {
    int64_t begin, rows, first, end;
} descent_share;

static descent_share share_of(const descent_run *run, int64_t step, int thread, int n_threads)
{
    const flsq_descent_plan *const plan = run->plan;
    const int64_t begin = plan->first_row + step * plan->batch_rows;
    const int64_t rows = FLSQ_MIN(plan->batch_rows, plan->order.rows - begin);
    const int64_t pieces = FLSQ_CEIL_DIV(rows, run->piece_rows);
    return (descent_share){begin, rows, pieces * thread / n_threads, pieces * (thread + 1) / n_threads};
}

/* Walks the chunks of a thread, one ahead of the sums. */
typedef struct descent_walk {
    int64_t step, piece, at; /* the chunk that comes: at rows into the piece */
    descent_share share;
    int thread, n_threads;
} descent_walk;

/* The next chunk; 0 if there is none. */
static int find_chunk(const descent_run *run, descent_walk *walk, flsq_descent_rows *rows)
{
    while (walk->piece == walk->share.end) {
        if (++walk->step >= run->plan->steps || run->plan->first_row + walk->step * run->plan->batch_rows >= run->plan->order.rows)
            return 0;
        walk->share = share_of(run, walk->step, walk->thread, walk->n_threads);
        walk->piece = walk->share.first;
    }
    const int64_t before = walk->piece * run->piece_rows;
    const int64_t length = FLSQ_MIN(run->piece_rows, walk->share.rows - before);
    const int64_t place = walk->share.begin + before + walk->at;
    rows->count = FLSQ_MIN(run->layout.chunk, length - walk->at);
    rows->segments = 0;
    for (int64_t found = 0; found < rows->count; found += rows->segment[rows->segments++].count)
        rows->segment[rows->segments] = flsq_ordered_segment(&run->ordered, place + found, rows->count - found);
    flsq_descent_find(&run->layout, rows);
    walk->at += rows->count;
    if (walk->at == length) {
        walk->at = 0;
        walk->piece++;
    }
    return 1;
}

/* The longest node that begins with a piece and ends before `end`. */
static int64_t node_of(int64_t piece, int64_t end)
{
    int64_t size = 1;
    while (piece % (2 * size) == 0 && piece + 2 * size <= end)
        size *= 2;
    return size;
}

/* The sums of every node of a share, in the slot of its first piece. */
static void join_pieces(const descent_run *run, double *slots, int64_t first, int64_t end)
{
    const int64_t length = run->sums_length;
    for (int64_t piece = first, size; piece < end; piece += size) {
        size = node_of(piece, end);
        for (int64_t half = 1; half < size; half *= 2)
            for (int64_t at = piece; at < piece + size; at += 2 * half)
                run->layout.kernels->axpy(length, 1.0, slots + (at + half) * length, slots + at * length);
    }
}

/* total := the sums of a batch, from the nodes of all threads; `total` is the first of MOST_NODES. */
static void add_shares(const descent_run *run, const double *slots, int64_t step, int n_threads, double *total)
{
    const flsq_kernels *const kernels = run->layout.kernels;
    const int64_t length = run->sums_length;
    int64_t sizes[MOST_NODES];
    int waiting = 0;
    for (int thread = 0; thread < n_threads; thread++) {
        const descent_share share = share_of(run, step, thread, n_threads);
        flsq_await(&run->done[thread], step + 1);
        for (int64_t piece = share.first, size; piece < share.end; piece += size) {
            size = node_of(piece, share.end);
            memcpy(total + waiting * length, slots + piece * length, (size_t)length * sizeof(double));
            sizes[waiting++] = size;
            for (; waiting > 1 && sizes[waiting - 1] == sizes[waiting - 2]; waiting--) {
                kernels->axpy(length, 1.0, total + (waiting - 1) * length, total + (waiting - 2) * length);
                sizes[waiting - 2] *= 2;
            }
        }
    }
    for (; waiting > 1; waiting--)
        kernels->axpy(length, 1.0, total + (waiting - 1) * length, total + (waiting - 2) * length);
}

static void batches_body(void *context, int thread, int n_threads)
{
    const descent_run *const run = context;
    const flsq_descent_layout *const l = &run->layout;
    const size_t bytes = (size_t)run->sums_length * sizeof(double);
    descent_own own;
    flsq_descent_rows chunk[2];
    descent_walk walk = {.step = -1, .thread = thread, .n_threads = n_threads};
    open_own(run, thread, &own);
    int now = 0, more = find_chunk(run, &walk, &chunk[0]);
    for (int64_t step = 0; step < run->plan->steps; step++) {
        const descent_share share = share_of(run, step, thread, n_threads);
        double *const slots = run->slots + step % 2 * run->most_pieces * run->sums_length;
        if (share.rows <= 0)
            break;
        flsq_descent_fold(l, own.state.b, &own.folded);
        for (int64_t piece = share.first; piece < share.end; piece++) {
            const int64_t length = FLSQ_MIN(run->piece_rows, share.rows - piece * run->piece_rows);
            const flsq_descent_sums sums = flsq_descent_sums_at(l, slots + piece * run->sums_length);
            memset(sums.gradient, 0, bytes);
            for (int64_t at = 0; at < length; now = !now) {
                FLSQ_ASSERT(more);
                more = find_chunk(run, &walk, &chunk[!now]);
                flsq_descent_add(l, &own.memory, &own.folded, &chunk[now], more ? &chunk[!now] : NULL, &sums);
                at += chunk[now].count;
            }
        }
        join_pieces(run, slots, share.first, share.end);
        flsq_announce(&run->done[thread], step + 1);
        add_shares(run, slots, step, n_threads, own.total);
        if (!make_step(run, &own, share.rows, step))
            break;
    }
    if (thread == 0)
        close_own(run, &own);
}

/* ---- all rows --------------------------------------------------------------------------------------------------- */

static flsq_status run_passes(const descent_run *run, int n_threads)
{
    const int64_t n = run->layout.problem->x.rows;
    flsq_status status = FLSQ_OK;
    descent_own own;
    open_own(run, 0, &own);
    for (int64_t step = 0; step < run->plan->steps && status == FLSQ_OK; step++) {
        flsq_descent_fold(&run->layout, own.state.b, &own.folded);
        status = flsq_descent_pass(&run->layout, &own.folded, n_threads, own.total);
        if (status == FLSQ_OK && !make_step(run, &own, n, step))
            break;
    }
    if (status == FLSQ_OK)
        close_own(run, &own);
    return status;
}

flsq_status flsq_descent_run(const flsq_kernels *kernels, const flsq_descent *problem, const flsq_descent_plan *plan,
                             flsq_descent_state *state, int n_threads, flsq_descent_report *report)
{
    const int64_t batch = FLSQ_MIN(plan->batch_rows, plan->order.rows);
    const int whole = batch >= plan->order.rows;
    descent_run run = {.plan = plan, .state = state, .report = report};
    flsq_arena arena;
    descent_own sizes;
    int64_t size = 0;
    *report = (flsq_descent_report){.finite = 1};
    if (plan->steps <= 0 || plan->order.rows == 0)
        return FLSQ_OK;
    flsq_status status = flsq_descent_lay_out(kernels, problem, &run.layout);
    if (status != FLSQ_OK)
        return status;
    if (flsq_descent_is_single(plan, problem))
        return flsq_descent_singles(&run.layout, plan, state, report);
    flsq_ordered_prepare(&plan->order, &run.ordered);
    run.sums_length = flsq_descent_sums_length(&run.layout);
    run.piece_rows = FLSQ_MAX(FLSQ_DESCENT_PIECE_ROWS, FLSQ_CEIL_DIV(FLSQ_CEIL_DIV(batch, MOST_PIECES), 8) * 8);
    /* sums of many columns cost more than the few values of their rows */
    if (problem->sparse != NULL && problem->x.columns > SPARSE_COLUMNS)
        run.piece_rows = FLSQ_MAX(run.piece_rows, SPARSE_PIECE_ROWS);
    run.most_pieces = whole ? 0 : FLSQ_CEIL_DIV(batch, run.piece_rows);
    const double flops = 4.0 * (double)batch * (double)(problem->x.columns + 1) * (double)problem->predictors;
    const int team = whole || flops < FLSQ_DESCENT_STEP_FLOPS ? 1 : (int)FLSQ_MAX(FLSQ_MIN(n_threads, run.most_pieces), 1);
    status = place_own(&run, NULL, &sizes, &run.thread_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, team, run.thread_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2 * run.most_pieces * run.sums_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, team, sizeof(flsq_counter));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    run.done = flsq_arena_take(&arena, team, sizeof(flsq_counter));
    memset(run.done, 0, (size_t)team * sizeof(flsq_counter));
    run.threads = flsq_arena_take(&arena, team, run.thread_bytes);
    run.slots = flsq_arena_take(&arena, 2 * run.most_pieces * run.sums_length, sizeof(double));
    if (whole)
        status = run_passes(&run, n_threads);
    else
        flsq_parallel_run(team, batches_body, &run);
    flsq_arena_close(&arena);
    return status;
}
