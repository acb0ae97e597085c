/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * CPU detection.  A vector instruction may be used only when CPUID lists it and XCR0 says that the operating system
 * saves its registers (Intel SDM vol. 1, section 13.3).
 */
#include "cpu_features.h"
#include "internal.h"
#include <stddef.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define XCR0_SSE_AVX 0x06u    /* XMM and upper YMM state */
#define XCR0_AVX512 0xE6u     /* and opmask, upper ZMM, ZMM16-31 */
#define LEAF1_ECX_FMA (1u << 12)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_AVX512F (1u << 16)
#define LEAF7_EBX_AVX512DQ (1u << 17)

static uint32_t xgetbv_low(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static uint32_t detect(void)
{
    uint32_t eax, ebx, ecx, edx, found = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & LEAF1_ECX_OSXSAVE))
        return 0;
    const uint32_t saved = xgetbv_low();
    if (!(ecx & LEAF1_ECX_AVX) || (saved & XCR0_SSE_AVX) != XCR0_SSE_AVX)
        return 0;
    if (ecx & LEAF1_ECX_FMA)
        found |= FLSQ_CPU_FMA;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return found;
    if (ebx & LEAF7_EBX_AVX2)
        found |= FLSQ_CPU_AVX2;
    if ((saved & XCR0_AVX512) == XCR0_AVX512) {
        if (ebx & LEAF7_EBX_AVX512F)
            found |= FLSQ_CPU_AVX512F;
        if (ebx & LEAF7_EBX_AVX512DQ)
            found |= FLSQ_CPU_AVX512DQ;
    }
    return found;
}

#elif defined(__aarch64__)

static uint32_t detect(void)
{
    return FLSQ_CPU_NEON | FLSQ_CPU_FMA; /* both are part of the base architecture */
}

#else

static uint32_t detect(void) { return 0; }

#endif

/* Detected once: under a hypervisor one CPUID is a trap that takes longer than a small fit.  Racing threads store the
 * same value. */
uint32_t flsq_cpu_features(void)
{
    static uint32_t cached = 0;
    const uint32_t done = 1u << 31;
    uint32_t found = __atomic_load_n(&cached, __ATOMIC_RELAXED);
    if (!found) {
        found = detect() | done;
        __atomic_store_n(&cached, found, __ATOMIC_RELAXED);
    }
    return found & ~done;
}

const char *flsq_cpu_feature(int i, int *present)
{
    static const struct { const char *name; uint32_t bit; } features[] = {
        {"avx2", FLSQ_CPU_AVX2}, {"fma", FLSQ_CPU_FMA}, {"avx512f", FLSQ_CPU_AVX512F},
        {"avx512dq", FLSQ_CPU_AVX512DQ}, {"neon", FLSQ_CPU_NEON},
    };
    if (i < 0 || i >= (int)(sizeof features / sizeof features[0]))
        return NULL;
    *present = (flsq_cpu_features() & features[i].bit) != 0;
    return features[i].name;
}

void flsq_cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
