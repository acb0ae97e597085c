# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# CPU, kernels, OpenMP and the probes behind every roofline.


cdef const flsq_kernels *select(name) except NULL:
    cdef const flsq_kernels *kernels = NULL
    cdef bytes encoded = b"" if name is None else name.encode()
    cdef flsq_status status = flsq_kernels_select(encoded, &kernels)
    if status == FLSQ_OK:
        return kernels
    import os
    asked = name or os.environ.get("FASTLSQ_KERNEL")
    built = kernels_built()
    if status == FLSQ_UNSUPPORTED_KERNEL:
        raise ValueError(f"kernel {asked!r} is built, but this CPU cannot run it")
    raise ValueError(f"kernel {asked!r} is not built; FASTLSQ_KERNEL may be one of {', '.join(sorted(built))}")


def kernel_name(name=None):
    """Name of the kernel set that would run: `name`, else FASTLSQ_KERNEL, else the best for this CPU."""
    return flsq_kernels_name(select(name)).decode()


def kernels_built():
    """{name: whether this CPU can run it}, best first."""
    cdef int runs = 0
    cdef int i = 0
    found = {}
    while flsq_kernels_built(i, &runs) != NULL:
        found[flsq_kernels_built(i, &runs).decode()] = bool(runs)
        i += 1
    return found


def cpu_features():
    """{feature: whether CPU and operating system have it}."""
    cdef int present = 0
    cdef int i = 0
    found = {}
    while flsq_cpu_feature(i, &present) != NULL:
        found[flsq_cpu_feature(i, &present).decode()] = bool(present)
        i += 1
    return found


def openmp_version():
    """The _OPENMP date of the build; 0 for a serial build."""
    return flsq_openmp_version()


def openmp_max_threads():
    """OpenMP's own limit for the calling thread; 1 in a serial build."""
    return flsq_openmp_max_threads()


def is_forked_child():
    """True in a child of fork(), where passes run on one thread."""
    return bool(flsq_is_forked_child())


def probe_fma(int n_threads, int64_t sweeps, kernel=None):
    """(seconds, flops) of independent multiply-adds held in registers."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef double flops, seconds
    with nogil:
        seconds = flsq_probe_fma(kernels, n_threads, sweeps, &flops)
    return seconds, flops * sweeps


def probe_read(int n_threads, const double[::1] data, kernel=None):
    """Seconds to read `data` once."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef double total, seconds
    with nogil:
        seconds = flsq_probe_read(kernels, n_threads, &data[0], data.shape[0], &total)
    return seconds


def probe_update(int n_threads, const double[::1] g, double[::1] a, double[::1] b, double[::1] c, kernel=None):
    """Seconds to add g to a, b and c."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef double seconds
    if g.shape[0] == 0 or a.shape[0] != g.shape[0] or b.shape[0] != g.shape[0] or c.shape[0] != g.shape[0]:
        raise ValueError("four arrays of one length, not empty")
    cdef double *arrays[4]
    arrays[0], arrays[1], arrays[2], arrays[3] = <double *> &g[0], &a[0], &b[0], &c[0]
    with nogil:
        seconds = flsq_probe_update(kernels, n_threads, g.shape[0], arrays)
    return seconds
