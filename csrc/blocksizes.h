/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Block sizes.  Register tiles are set per instruction set in kernels/; here are the cache blocks.
 *
 *   KC  rows packed at a time.  One AVX2 panel is KC * 12 * 8 B = 12 KiB: two of them stay in a 32 KiB L1, of which a
 *       neighbour on the other hyperthread may hold half.  Each sum runs KC terms in a register before it is added to
 *       memory, so the worst rounding error of a block grows with KC + rows/KC instead of rows.  2026-11, Zen 3 with a
 *       busy neighbour, 4 x 12 tile, GFlop/s a core: KC = 64 45, 128 45, 192 43, 256 41; whole passes of p = 64 to 512
 *       are 5 - 10 % faster with 128 than with 256 and 3 - 5 % faster than with 96, above it makes no difference.
 *       Rows that are multiplied where they lie, this chunk and the next, share L1: p = 32, ns a row, KC = 64 20.7,
 *       96 21.0, 128 22.1, 256 23.1; for p = 8 to 16 it makes no difference; p = 4 1.79, 128 1.70, but with sums of 128
 *       terms the certificate of a single read is missed more often.
 *       Two chains for even and odd rows are as short with 128.  2026-12, Emerald Rapids with AVX-512, one thread, share of the
 *       roofline: p = 4 72 %, 128 78 %.  Rows in place want 64 up to where there are too many columns (KC = 64 / 128): p = 64
 *       71 / 63, p = 112 80 / 77, p = 144 82 / 77; packed rows do not care (p = 128 74.2 / 74.9, AVX2 80 / 83).
 *   block rows  the leaf of the summation tree.  A leaf costs one addition of the whole moment buffer; at
 *       2048 rows that is < 2 % of the leaf for p <= 256, and above, where the buffer leaves the cache, 8192 rows
 *       keep it there.  Above 512 columns a second node would be most of the memory of a short problem, and to touch
 *       17 MiB for the first time costs 11 ms.  Up to 96 columns, where a sample of the leaves may save a pass (sample.c),
 *       they are shorter: what twice as many samples of half the length show is sharper by the root of two.
 * Both are functions of p alone: with n or the thread count in them the bits would move.
 *
 * FLSQ_TEST_BLOCKSIZES builds with tiny blocks, so that small matrices reach every edge.
 */
#ifndef FLSQ_BLOCKSIZES_H
#define FLSQ_BLOCKSIZES_H

/* Right panels that a task of the shared regime takes past a group of left ones. */
#define FLSQ_TASK_PANELS 4

#ifdef FLSQ_TEST_BLOCKSIZES
#define FLSQ_KC(p) ((p) <= 8 ? 6 : 8)
#define FLSQ_MAX_KC 8
#define FLSQ_SINGLE_KC 8
#define FLSQ_BLOCK_ROWS(p) ((p) <= 8 ? 16 : 32)
#define FLSQ_RESIDUAL_BLOCK_ROWS(p, few) FLSQ_BLOCK_ROWS(p)
#define FLSQ_RESIDUAL_ROWS(p) ((p) <= 8 ? 8 : 4)
#define FLSQ_SCORE_ROWS(p) ((p) <= 8 ? 8 : 4)
#define FLSQ_GLM_ROWS(p) ((p) <= 8 ? 8 : 4)
#define FLSQ_CLUSTER_ROWS 20
#define FLSQ_DESCENT_CHUNK_BYTES 512
#define FLSQ_DESCENT_PIECE_ROWS 16
#define FLSQ_DESCENT_LEAF_ROWS(p) 32
#define FLSQ_DESCENT_STEP_FLOPS 0.0
#define FLSQ_TILE_PARALLEL_BYTES 2048
#define FLSQ_LANES_BYTES(lanes, p) 2048
#define FLSQ_GROUP_PANELS 2
#define FLSQ_SLAB_CHUNKS 2
#define FLSQ_CHOLESKY_NB 24
#define FLSQ_CHOLESKY_STEPS 2
#define FLSQ_WINDOW_BYTES 2048
#define FLSQ_WINDOW_ROWS 12
#define FLSQ_LEAST_WINDOW_ROWS 3
#define FLSQ_THREAD_FLOPS 0.0
#define FLSQ_UPDATE_PAGE 24
#define FLSQ_UPDATE_ELEMENTS 0
#define FLSQ_CHOLESKY_THREAD_FLOPS 0.0
#else
#define FLSQ_KC(p) ((p) > 4 && (p) < 128 ? 64 : 128)
#define FLSQ_MAX_KC 128
#define FLSQ_SINGLE_KC 128
#define FLSQ_BLOCK_ROWS(p) ((p) <= FLSQ_SAMPLED_COLUMNS ? 1024 : (p) <= 256 ? 2048 : (p) <= 512 ? 8192 : 32768)
/* The leaf of the residual pass.  The sums of one or two targets are few: short enough that every thread has some of a
 * short wide problem; those of many are p by k. */
#define FLSQ_RESIDUAL_BLOCK_ROWS(p, few) ((few) ? ((p) <= 512 ? 1024 : 512) : FLSQ_MIN(FLSQ_BLOCK_ROWS(p), 8192))
/* Rows of a chunk of the residual pass: used twice, so they should stay in L2 (32 rows of 2048 columns are 512 KiB). */
#define FLSQ_RESIDUAL_ROWS(p) ((p) <= 128 ? 128 : 32)
/* Rows of a chunk of the score pass, one or two sets of panels and swept like those of the Gram pass. */
#define FLSQ_SCORE_ROWS(p) ((p) <= 256 ? 64 : 32)
/* The leaf of the pass that sums scores by group: two sums are kept for each. */
#define FLSQ_CLUSTER_ROWS 8192
/* And of a chunk of the pass of a generalized linear model, likewise. */
#define FLSQ_GLM_ROWS(p) ((p) <= 256 ? 64 : 32)
/* A chunk of gradient descent is read twice from L1, as float64, or is eight rows. */
#define FLSQ_DESCENT_CHUNK_BYTES (16 * 1024)
/* Rows of a mini-batch that are summed by one thread: longer where there would be more than 16 of them. */
#define FLSQ_DESCENT_PIECE_ROWS 64
/* The leaf of a pass over all rows. */
#define FLSQ_DESCENT_LEAF_ROWS(p) ((p) <= 512 ? 1024 : 512)
/* A mini-batch with fewer flops runs on one thread. */
#define FLSQ_DESCENT_STEP_FLOPS 3e4
/* Above this many bytes of moments the threads share one moment buffer instead of holding one each. */
#define FLSQ_TILE_PARALLEL_BYTES (320 * 1024)
/* Rows of a group of small problems that are in memory at a time: L1, less what the factors need.  What has to leave is made
 * twice, so eight lanes of few columns may fill the 48 KiB of cores with AVX-512: 2026-12, Emerald Rapids, two threads, 24 / 48 KiB,
 * ms: 100,000 problems of (100, 5) 53 / 43, 30,000 of (60, 12) 24 / 24, but 20,000 of (100, 16) 29 / 33. */
#define FLSQ_LANES_BYTES(lanes, p) ((lanes) == 8 && (p) <= 12 ? 48 * 1024 : 24 * 1024)
/* Chunks packed at a time where the threads share the moments, which go through the caches once for each slab.
 * 2026-11, Zen 3, two threads, p = 2048, us a row: 1 62.4, 2 60.5, 4 60.1, 8 68.5. */
#define FLSQ_SLAB_CHUNKS 2
/* Blocks of rows that windows are cut at: the running sums of one fill half of a small L2, up to a length at which the rest of
 * the work on a block no longer counts; and no shorter than a few rows, which are summed one by one instead. */
#define FLSQ_WINDOW_BYTES (128 * 1024)
#define FLSQ_WINDOW_ROWS 256
#define FLSQ_LEAST_WINDOW_ROWS 16
/* Left panels that stay in L2 while the right panels stream: 10 * 12 KiB, and as much again with weights. */
#define FLSQ_GROUP_PANELS 10
/* Rows of a Cholesky block; a multiple of every NR. */
#define FLSQ_CHOLESKY_NB 96
/* Blocks by which the trailing matrix is updated at once. */
#define FLSQ_CHOLESKY_STEPS 4
/* A pass of fewer flops runs on one thread.  2026-11, Zen 3, us on one thread / two that are awake: p = 16, 2e5 flops
 * 10.1 / 10.1, 4e5 21.5 / 18.7, 8e5 41 / 30, 1.6e6 83 / 50; two that have to be woken cost some 10 us more. */
#define FLSQ_THREAD_FLOPS 1e6
/* Likewise: n = 195 182 / 185, 243 303 / 256, 303 478 / 394, 378 795 / 587, 472 1393 / 976.  But there are two barriers
 * for every NB rows, and where another process holds a core each may cost a time slice.  1.5e7 is n = 356. */
#define FLSQ_CHOLESKY_THREAD_FLOPS 1.5e7
/* Elements that a thread updates at a time, and below which all run on one thread: some 20 us of work in cache. */
#define FLSQ_UPDATE_PAGE 32768
#define FLSQ_UPDATE_ELEMENTS 32768
#endif
/* Bytes by which an update asks for memory before it needs it.  2026-12, Emerald Rapids, two threads, AdamW of 10M float32 in %
 * of a probe of memory: none 84, 1024 91, 2048 95. */
#define FLSQ_UPDATE_AHEAD 2048

/* Up to this many columns reading a sample of the leaves costs less than a second pass. */
#define FLSQ_SAMPLED_COLUMNS 96

/* From this many columns on, and this many more for each target but the first, moments in single precision are worth a
 * residual pass or two more. */
#ifdef FLSQ_TEST_BLOCKSIZES
#define FLSQ_SINGLE_COLUMNS 40
#define FLSQ_SINGLE_TARGET_COLUMNS 4
#else
#define FLSQ_SINGLE_COLUMNS 192
#define FLSQ_SINGLE_TARGET_COLUMNS 16
#endif

/* Problems of up to so many entries and multiply-adds that rung 1 does not certify are solved by QR on one thread; where there
 * are more columns than rows, whose entries it reads across, of fewer.  2026-11, Zen 3, ms by QR / by the next rungs, condition
 * 1e7 and dependent columns: (300, 60) 0.6 / 1.5, 2.4 / 3.0; (1000, 40) 1.3 / 1.3, 1.3 / 3.0; (2000, 24) 1.2 / 0.9, 0.9 / 2.0;
 * (5000, 12) 1.1 / 0.8, 1.3 / 2.2; (8000, 10) 1.0 / 0.8, 1.7 / 2.1; wide (30, 500) 0.46 / 0.48. */
#define FLSQ_QR_ENTRIES 131072.0
#define FLSQ_QR_WIDE_ENTRIES 16384.0
#define FLSQ_QR_PRODUCTS 2e6
/* Fewer rows than columns may depend on each other up to this many columns; above, LAPACK sees to them. */
#define FLSQ_QR_WIDE_COLUMNS 24

/* Non-negative coefficients of one target are found on its rows up to so many entries and, unless there are fewer rows than
 * columns, multiply-adds of a QR.  2026-11, Zen 3 with busy neighbours, ms on the rows / from moments: (20, 5) 0.006 / 0.6,
 * (200, 40) 0.13 / 0.7, (400, 40) 0.36 / 0.8, (1000, 60) 2.0 / 1.0, (2000, 40) 1.7 / 0.6, (2000, 8) 0.09 / 0.8,
 * (10000, 8) 1.1 / 1.2, (30000, 4) 2.4 / 1.3; wide (60, 120) 0.4 / 2.1. */
#define FLSQ_NNLS_ENTRIES 32768.0
#define FLSQ_NNLS_PRODUCTS 1.5e6

/* Problems of a batch of up to this many columns are solved one to a lane.  2026-11, Zen 3, two threads, us a problem one
 * to a lane / by itself: (100, 5) 0.8 / 4, (60, 12) 1.9 / 11, (500, 16) 16 / 23, (500, 24) 26 / 34, (100, 32) 19 / 35. */
#define FLSQ_LANES_COLUMNS 32
/* And of up to this many rows: the sums of a lane run over all of them without a tree, and one long problem would keep a
 * whole thread busy with one lane. */
#define FLSQ_LANES_ROWS 4096

/* Rows of few columns are multiplied as rows, plain float64 where they lie; how few, each kernel set says.  2026-11, Zen 3, two threads,
 * ns a row in place / packed, rows that start 16 bytes off a cache line: p = 20 11.5 / 13.2, p = 24 14.0 / 15.5, p = 32
 * 21.4 / 24.3, p = 40 35.0 / 35.5, p = 48 60 / 45: half of the vectors of a row cross two lines, and each is read in many
 * sweeps.  2026-12, Emerald Rapids with AVX-512, whose tiles load less: p = 40 34 / 46, p = 64 69 / 80, p = 97 160 / 171,
 * p = 120 207 / 225, p = 240 equal.  But rows a multiple of this many bytes apart share L1 sets: p = 128 270 / 252. */
#define FLSQ_SET_STRIDE 1024
/* The widest vector: what a kernel may read behind the last column of a plain row, in bytes. */
#define FLSQ_READ_PAST 64

/* Rows of a packed panel are allocated up to a multiple of this: the tallest register tile. */
#define FLSQ_ROW_PADDING 24
/* Doubles between panels beyond their padded rows: a multiple of the 4 KiB at which L1 sets repeat must not lie between. */
#define FLSQ_PANEL_GAP 24

#endif
