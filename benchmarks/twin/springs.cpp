// The spring kernels of kneeload/kernels/springs.py once more: the same rows in single precision in the same chunks, the same sums.
// Built by benchmarks/cpp_twin.py with g++ -O3 -march=native -ffast-math and called through ctypes.

#include <cmath>
#include <cstdint>

namespace {

constexpr int64_t CHUNK = 256, ROWS = 20;
enum Row : int64_t { X, Y, Z, W, F0, F1, F2, F3, H0, H1, H2, H3, H4, H5 };

struct Level { float f, fx, fy, fz, xx, xy, xz, yy, yz, zz; };

// Value, gradient and Hessian of the expansion of spring i of a chunk, (u, v, w) mm from where it was placed.
inline Level moved(const float* __restrict c, int64_t i, float u, float v, float w) {
    const float xx = c[H0 * CHUNK + i], xy = c[H1 * CHUNK + i], xz = c[H2 * CHUNK + i];
    const float yy = c[H3 * CHUNK + i], yz = c[H4 * CHUNK + i], zz = c[H5 * CHUNK + i];
    const float fx = c[F1 * CHUNK + i], fy = c[F2 * CHUNK + i], fz = c[F3 * CHUNK + i];
    const float hx = xx * u + xy * v + xz * w, hy = xy * u + yy * v + yz * w, hz = xz * u + yz * v + zz * w;
    const float f = c[F0 * CHUNK + i] + u * (fx + 0.5f * hx) + v * (fy + 0.5f * hy) + w * (fz + 0.5f * hz);
    return {f, fx + hx, fy + hy, fz + hz, xx, xy, xz, yy, yz, zz};
}

}  // namespace

extern "C" void twin_forces(const float* __restrict table, const int64_t* __restrict chunk_size, int64_t first, int64_t last,
                            const double* __restrict e, const double* __restrict t, double* __restrict sums) {
    const float e0 = float(e[0]), e1 = float(e[1]), e2 = float(e[2]), e3 = float(e[3]), e4 = float(e[4]), e5 = float(e[5]), e6 = float(e[6]);
    const float e7 = float(e[7]), e8 = float(e[8]), t0 = float(t[0]), t1 = float(t[1]), t2 = float(t[2]);
    for (int64_t m = first; m < last; ++m) {
        float en = 0, f0 = 0, f1 = 0, f2 = 0, m0 = 0, m1 = 0, m2 = 0;
        const float* __restrict c = table + m * CHUNK * ROWS;
        const int64_t size = chunk_size[m];
        for (int64_t i = 0; i < size; ++i) {
            float x = c[i], y = c[Y * CHUNK + i], z = c[Z * CHUNK + i];
            const float u = e0 * x + e1 * y + e2 * z, v = e3 * x + e4 * y + e5 * z, w = e6 * x + e7 * y + e8 * z;
            const Level s = moved(c, i, u + t0, v + t1, w + t2);
            const float d = s.f < 0.0f ? -s.f : 0.0f, p = c[W * CHUNK + i] * d;
            x += u; y += v; z += w;
            const float gx = -p * s.fx, gy = -p * s.fy, gz = -p * s.fz;
            en += 0.5f * p * d; f0 += gx; f1 += gy; f2 += gz;
            m0 += y * gz - z * gy; m1 += z * gx - x * gz; m2 += x * gy - y * gx;
        }
        sums[0] += en; sums[1] += f0; sums[2] += f1; sums[3] += f2; sums[9] += m0; sums[10] += m1; sums[5] += m2;
    }
}

extern "C" void twin_springs(const float* __restrict table, const int64_t* __restrict chunk_size, int64_t first, int64_t last,
                             const double* __restrict e, const double* __restrict t, double* __restrict sums) {
    const float e0 = float(e[0]), e1 = float(e[1]), e2 = float(e[2]), e3 = float(e[3]), e4 = float(e[4]), e5 = float(e[5]), e6 = float(e[6]);
    const float e7 = float(e[7]), e8 = float(e[8]), t0 = float(t[0]), t1 = float(t[1]), t2 = float(t[2]);
    for (int64_t m = first; m < last; ++m) {
        float en = 0, f0 = 0, f1 = 0, f2 = 0;
        float b00 = 0, b01 = 0, b02 = 0, b10 = 0, b11 = 0, b12 = 0, b20 = 0, b21 = 0, b22 = 0;
        float k00 = 0, k01 = 0, k02 = 0, k11 = 0, k12 = 0, k22 = 0;
        float r00 = 0, r01 = 0, r02 = 0, r10 = 0, r11 = 0, r12 = 0, r20 = 0, r21 = 0, r22 = 0;
        float w00 = 0, w01 = 0, w02 = 0, w11 = 0, w12 = 0, w22 = 0;
        const float* __restrict c = table + m * CHUNK * ROWS;
        const int64_t size = chunk_size[m];
        for (int64_t i = 0; i < size; ++i) {
            float x = c[i], y = c[Y * CHUNK + i], z = c[Z * CHUNK + i];
            const float u = e0 * x + e1 * y + e2 * z, v = e3 * x + e4 * y + e5 * z, w = e6 * x + e7 * y + e8 * z;
            const Level s = moved(c, i, u + t0, v + t1, w + t2);
            const float stiff = c[W * CHUNK + i], d = s.f < 0.0f ? -s.f : 0.0f, p = stiff * d, q = s.f < 0.0f ? stiff : 0.0f;
            x += u; y += v; z += w;
            const float gx = -p * s.fx, gy = -p * s.fy, gz = -p * s.fz;
            const float sx = q * s.fx, sy = q * s.fy;
            const float xx = sx * s.fx - p * s.xx, xy = sx * s.fy - p * s.xy, xz = sx * s.fz - p * s.xz;
            const float yy = sy * s.fy - p * s.yy, yz = sy * s.fz - p * s.yz, zz = q * s.fz * s.fz - p * s.zz;
            const float c00 = y * xz - z * xy, c01 = y * yz - z * yy, c02 = y * zz - z * yz;
            const float c10 = z * xx - x * xz, c11 = z * xy - x * yz, c12 = z * xz - x * zz;
            const float c20 = x * xy - y * xx, c21 = x * yy - y * xy, c22 = x * yz - y * xz;
            en += 0.5f * p * d; f0 += gx; f1 += gy; f2 += gz;
            b00 += x * gx; b01 += x * gy; b02 += x * gz; b10 += y * gx; b11 += y * gy; b12 += y * gz; b20 += z * gx; b21 += z * gy; b22 += z * gz;
            k00 += xx; k01 += xy; k02 += xz; k11 += yy; k12 += yz; k22 += zz;
            r00 += c00; r01 += c01; r02 += c02; r10 += c10; r11 += c11; r12 += c12; r20 += c20; r21 += c21; r22 += c22;
            w00 += y * c02 - z * c01; w01 += z * c00 - x * c02; w02 += x * c01 - y * c00;
            w11 += z * c10 - x * c12; w12 += x * c11 - y * c10; w22 += x * c21 - y * c20;
        }
        const float total[34] = {en, f0, f1, f2, b00, b01, b02, b10, b11, b12, b20, b21, b22, k00, k01, k02, k11, k12, k22,
                                  r00, r01, r02, r10, r11, r12, r20, r21, r22, w00, w01, w02, w11, w12, w22};
        for (int j = 0; j < 34; ++j) sums[j] += total[j];
    }
}
