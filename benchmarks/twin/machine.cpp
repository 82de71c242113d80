// What the machine gives: bytes per second of a sum of arrays of a given size, and floating-point operations per second in registers.

#include <cstdint>

// Sum of n numbers (n a multiple of 64), `repeats` times over: n * repeats * 8 bytes read, into eight sums of eight.
typedef double line __attribute__((vector_size(64), aligned(8)));

extern "C" double read_all(const double* a, int64_t n, int64_t repeats) {
    line s0 = line{}, s1 = line{}, s2 = line{}, s3 = line{}, s4 = line{}, s5 = line{}, s6 = line{}, s7 = line{};
    for (int64_t k = 0; k < repeats; ++k) {
        const line* p = reinterpret_cast<const line*>(a);
        for (int64_t i = 0; i + 64 <= n; i += 64, p += 8) {
            s0 += p[0]; s1 += p[1]; s2 += p[2]; s3 += p[3]; s4 += p[4]; s5 += p[5]; s6 += p[6]; s7 += p[7];
        }
        __asm__ volatile("" ::: "memory");
    }
    s0 += s1 + s2 + s3 + s4 + s5 + s6 + s7;
    return s0[0] + s0[1] + s0[2] + s0[3] + s0[4] + s0[5] + s0[6] + s0[7];
}

// a = b + s c (the triad of McCalpin's STREAM): n * repeats * 24 bytes moved, without the read before the write.
extern "C" void triad(double* __restrict a, const double* __restrict b, const double* __restrict c, double s, int64_t n, int64_t repeats) {
    for (int64_t k = 0; k < repeats; ++k) {
        for (int64_t i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
        __asm__ volatile("" ::: "memory");
    }
}

// Twelve independent chains of fused multiply-adds on vectors of 8 or 16 single-precision numbers: 2 * 12 * width * rounds operations.
typedef float eight __attribute__((vector_size(32)));
typedef float sixteen __attribute__((vector_size(64)));
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

template <typename V> static double chains(int64_t rounds, double seed) {
    const float slower = 0.9999f - 1e-5f * float(seed), more = 1e-4f * float(seed);
    const V a = V{} + slower, b = V{} + more;
#define START(k) V x##k = V{} + float(seed + k);
    EACH(START)
    for (int64_t i = 0; i < rounds; ++i) {
#define STEP(k) x##k = x##k * a + b;
        EACH(STEP)
#if defined(__x86_64__)
        __asm__ volatile("" : "+v"(x0), "+v"(x1), "+v"(x2), "+v"(x3), "+v"(x4), "+v"(x5), "+v"(x6), "+v"(x7), "+v"(x8), "+v"(x9), "+v"(x10), "+v"(x11));
#endif
    }
    V total = V{};
#define SUM(k) total += x##k;
    EACH(SUM)
    double all = 0;
    for (unsigned j = 0; j < sizeof(V) / sizeof(float); ++j) all += total[j];
    return all;
}

extern "C" double multiply_add_8(int64_t rounds, double seed) { return chains<eight>(rounds, seed); }
#ifdef __AVX512F__
extern "C" double multiply_add_16(int64_t rounds, double seed) { return chains<sixteen>(rounds, seed); }
#endif
