// The spring kernels of kneeload/kernels/springs.py once more: the same rows in the same chunks, the same sums.
// Built by benchmarks/cpp_twin.py with g++ -O3 -march=native -ffast-math and called through ctypes.

#include <cmath>
#include <cstdint>

namespace {

constexpr int64_t CHUNK = 64, ROWS = 24;
enum Row : int64_t { X, Y, Z, W, F0, F1, F2, F3, H0, H1, H2, H3, H4, H5 };

struct Level { double f, fx, fy, fz, xx, xy, xz, yy, yz, zz; };

// Value, gradient and Hessian of the expansion of spring i of a chunk, (u, v, w) mm from where it was placed.
inline Level moved(const double* __restrict c, int64_t i, double u, double v, double w) {
    const double xx = c[H0 * CHUNK + i], xy = c[H1 * CHUNK + i], xz = c[H2 * CHUNK + i];
    const double yy = c[H3 * CHUNK + i], yz = c[H4 * CHUNK + i], zz = c[H5 * CHUNK + i];
    const double fx = c[F1 * CHUNK + i], fy = c[F2 * CHUNK + i], fz = c[F3 * CHUNK + i];
    const double hx = xx * u + xy * v + xz * w, hy = xy * u + yy * v + yz * w, hz = xz * u + yz * v + zz * w;
    const double f = c[F0 * CHUNK + i] + u * (fx + 0.5 * hx) + v * (fy + 0.5 * hy) + w * (fz + 0.5 * hz);
    return {f, fx + hx, fy + hy, fz + hz, xx, xy, xz, yy, yz, zz};
}

}  // namespace

extern "C" void twin_forces(const double* __restrict table, const int64_t* __restrict chunk_size, int64_t first, int64_t last,
                            const double* __restrict e, const double* __restrict t, double* __restrict sums) {
    const double e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3], e4 = e[4], e5 = e[5], e6 = e[6], e7 = e[7], e8 = e[8];
    const double t0 = t[0], t1 = t[1], t2 = t[2];
    double en = 0, f0 = 0, f1 = 0, f2 = 0, m0 = 0, m1 = 0, m2 = 0;
    for (int64_t m = first; m < last; ++m) {
        const double* __restrict c = table + m * CHUNK * ROWS;
        const int64_t size = chunk_size[m];
        for (int64_t i = 0; i < size; ++i) {
            double x = c[i], y = c[Y * CHUNK + i], z = c[Z * CHUNK + i];
            const double u = e0 * x + e1 * y + e2 * z, v = e3 * x + e4 * y + e5 * z, w = e6 * x + e7 * y + e8 * z;
            const Level s = moved(c, i, u + t0, v + t1, w + t2);
            const double d = s.f < 0.0 ? -s.f : 0.0, p = c[W * CHUNK + i] * d;
            x += u; y += v; z += w;
            const double gx = -p * s.fx, gy = -p * s.fy, gz = -p * s.fz;
            en += 0.5 * p * d; f0 += gx; f1 += gy; f2 += gz;
            m0 += y * gz - z * gy; m1 += z * gx - x * gz; m2 += x * gy - y * gx;
        }
    }
    sums[0] += en; sums[1] += f0; sums[2] += f1; sums[3] += f2; sums[9] += m0; sums[10] += m1; sums[5] += m2;
}

extern "C" void twin_springs(const double* __restrict table, const int64_t* __restrict chunk_size, int64_t first, int64_t last,
                             const double* __restrict e, const double* __restrict t, double* __restrict sums) {
    const double e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3], e4 = e[4], e5 = e[5], e6 = e[6], e7 = e[7], e8 = e[8];
    const double t0 = t[0], t1 = t[1], t2 = t[2];
    double en = 0, f0 = 0, f1 = 0, f2 = 0;
    double b00 = 0, b01 = 0, b02 = 0, b10 = 0, b11 = 0, b12 = 0, b20 = 0, b21 = 0, b22 = 0;
    double k00 = 0, k01 = 0, k02 = 0, k11 = 0, k12 = 0, k22 = 0;
    double r00 = 0, r01 = 0, r02 = 0, r10 = 0, r11 = 0, r12 = 0, r20 = 0, r21 = 0, r22 = 0;
    double w00 = 0, w01 = 0, w02 = 0, w11 = 0, w12 = 0, w22 = 0;
    for (int64_t m = first; m < last; ++m) {
        const double* __restrict c = table + m * CHUNK * ROWS;
        const int64_t size = chunk_size[m];
        for (int64_t i = 0; i < size; ++i) {
            double x = c[i], y = c[Y * CHUNK + i], z = c[Z * CHUNK + i];
            const double u = e0 * x + e1 * y + e2 * z, v = e3 * x + e4 * y + e5 * z, w = e6 * x + e7 * y + e8 * z;
            const Level s = moved(c, i, u + t0, v + t1, w + t2);
            const double stiff = c[W * CHUNK + i], d = s.f < 0.0 ? -s.f : 0.0, p = stiff * d, q = s.f < 0.0 ? stiff : 0.0;
            x += u; y += v; z += w;
            const double gx = -p * s.fx, gy = -p * s.fy, gz = -p * s.fz;
            const double sx = q * s.fx, sy = q * s.fy;
            const double xx = sx * s.fx - p * s.xx, xy = sx * s.fy - p * s.xy, xz = sx * s.fz - p * s.xz;
            const double yy = sy * s.fy - p * s.yy, yz = sy * s.fz - p * s.yz, zz = q * s.fz * s.fz - p * s.zz;
            const double c00 = y * xz - z * xy, c01 = y * yz - z * yy, c02 = y * zz - z * yz;
            const double c10 = z * xx - x * xz, c11 = z * xy - x * yz, c12 = z * xz - x * zz;
            const double c20 = x * xy - y * xx, c21 = x * yy - y * xy, c22 = x * yz - y * xz;
            en += 0.5 * p * d; f0 += gx; f1 += gy; f2 += gz;
            b00 += x * gx; b01 += x * gy; b02 += x * gz; b10 += y * gx; b11 += y * gy; b12 += y * gz; b20 += z * gx; b21 += z * gy; b22 += z * gz;
            k00 += xx; k01 += xy; k02 += xz; k11 += yy; k12 += yz; k22 += zz;
            r00 += c00; r01 += c01; r02 += c02; r10 += c10; r11 += c11; r12 += c12; r20 += c20; r21 += c21; r22 += c22;
            w00 += y * c02 - z * c01; w01 += z * c00 - x * c02; w02 += x * c01 - y * c00;
            w11 += z * c10 - x * c12; w12 += x * c11 - y * c10; w22 += x * c21 - y * c20;
        }
    }
    const double total[34] = {en, f0, f1, f2, b00, b01, b02, b10, b11, b12, b20, b21, b22, k00, k01, k02, k11, k12, k22,
                              r00, r01, r02, r10, r11, r12, r20, r21, r22, w00, w01, w02, w11, w12, w22};
    for (int j = 0; j < 34; ++j) sums[j] += total[j];
}
