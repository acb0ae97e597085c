# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Builds the one extension module: the Cython boundary linked with the C core.

Environment: FASTLSQ_DEBUG=1 builds with bounds checks and C asserts; FASTLSQ_OPENMP=0 builds without threads.
"""

import os
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTLSQ_DEBUG", "0") not in ("", "0")
WANT_OPENMP = os.environ.get("FASTLSQ_OPENMP", "1") not in ("", "0")

# gnu11, or explicit contraction: gcc's strict c11 mode would emit no fused multiply-adds.  No -ffast-math, no -march:
# each kernel file raises the instruction set for itself.
COMPILE = ["-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden"]
COMPILE += ["-O1", "-g", "-DFLSQ_DEBUG", "-UNDEBUG"] if DEBUG else ["-O3", "-g0"]
LINK = [] if DEBUG or sys.platform == "darwin" else ["-Wl,--strip-debug"]

OPENMP_FLAGS = {
    "darwin": [(["-Xpreprocessor", "-fopenmp"], ["-lomp"]), (["-fopenmp"], ["-fopenmp"])],
}.get(sys.platform, [(["-fopenmp"], ["-fopenmp"])])

OPENMP_PROBE = """
#include <omp.h>
int main(void)
{
    int n = 0;
#pragma omp parallel reduction(+ : n)
    n += 1;
    return n == 0 || omp_get_max_threads() == 0;
}
"""


class BuildExt(build_ext):
    """Adds OpenMP when a probe both compiles and links; says so plainly when it does not."""

    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":
            raise SystemExit("fastlsq needs GCC or Clang: its kernels are written in their vector extensions.")
        flags = self.openmp_flags() if WANT_OPENMP else None
        if flags is None:
            self.warn("OpenMP not found or not wanted: building a serial fastlsq (every call runs on one thread).")
        for extension in self.extensions:
            extension.extra_compile_args += flags[0] if flags else []
            extension.extra_link_args += flags[1] if flags else []
        super().build_extensions()

    def openmp_flags(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            for compile_flags, link_flags in OPENMP_FLAGS:
                try:
                    objects = self.compiler.compile(
                        [str(source)], output_dir=folder, extra_postargs=compile_flags
                    )
                    self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=link_flags)
                except Exception as error:  # the compiler's own message is already on the screen
                    self.announce(f"OpenMP probe with {compile_flags} failed: {error}", level=2)
                else:
                    return compile_flags, link_flags
        return None


C_SOURCES = sorted(str(path) for folder in ("csrc", "csrc/kernels") for path in Path(folder).glob("*.c"))
C_HEADERS = sorted(str(path) for path in Path("csrc").rglob("*.h"))

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "binding": True,
    "autotestdict": False,
    "freethreading_compatible": True,
}

setup(
    ext_modules=cythonize(
        [
            Extension(
                "fastlsq._core.lib",
                ["fastlsq/_core/lib.pyx", *C_SOURCES],
                include_dirs=["csrc"],
                depends=C_HEADERS,
                extra_compile_args=COMPILE,
                extra_link_args=LINK,
            )
        ],
        compiler_directives=DIRECTIVES,
    ),
    cmdclass={"build_ext": BuildExt},
)
