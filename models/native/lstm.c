/* The LSTM of torch.nn.LSTM on the CPU in float32: its last hidden states and their gradients.
 *
 * The forward pass takes NB samples (a tile) through all steps and layers while weights and states
 * stay in the cache. For training it keeps the four gates and tanh(c) of each step; the backward
 * pass computes c and h from them again. One thread, and no state between calls, so results repeat
 * bit by bit. A sample's arithmetic does not depend on its place in a tile, so its hidden state
 * does not depend on the other samples of the batch.
 *
 * One source for all instruction sets: GCC vector extensions with VL floats, compiled once for
 * AVX-512, once for AVX2, and with 4 floats for NEON and anything else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* VL floats in a vector. MR rows by 4 vectors of sums fill the registers. */
#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
#define MR 6
#elif defined(__AVX2__)
#include <immintrin.h>
#define VL 8
#define MR 3
#else
#define VL 4
#define MR 4
#endif
#define NB 12    /* samples in a tile, a multiple of MR */
#define ROWS 96  /* rows (steps x samples) in one sum of a weight gradient */
#define SUMS 16  /* such sums that are added up before they join the total */

typedef float V __attribute__((vector_size(VL * 4)));
typedef float Unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t Mask __attribute__((vector_size(VL * 4)));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE V load(const float *from) { return (V) * (const Unaligned *)from; }
INLINE void store(float *to, V value) { *(Unaligned *)to = (Unaligned)value; }
INLINE V all(float value) { return value - (V){0}; }

/* NaN stays NaN: min and max of x86 return their second operand if either is NaN. */
INLINE V clamp(V x, float bound) {
#if VL == 16
    return (V)_mm512_max_ps(
        _mm512_set1_ps(-bound), _mm512_min_ps(_mm512_set1_ps(bound), (__m512)x));
#elif VL == 8
    return (V)_mm256_max_ps(
        _mm256_set1_ps(-bound), _mm256_min_ps(_mm256_set1_ps(bound), (__m256)x));
#else
    Mask above = x > bound, below = x < -bound;
    return (V)(((Mask)x & ~above & ~below) | ((Mask)all(bound) & above) |
               ((Mask)all(-bound) & below));
#endif
}

/* A rational function of degree 13 by 6, right to a few ulp: Eigen's generic_fast_tanh_float. */
INLINE V hyperbolic(V x) {
    x = clamp(x, 7.90531110763549805f);
    V s = x * x, p = all(-2.76076847742355e-16f), q = all(1.19825839466702e-06f);
    p = p * s + 2.00018790482477e-13f;
    p = p * s + -8.60467152213735e-11f;
    p = p * s + 5.12229709037114e-08f;
    p = p * s + 1.48572235717979e-05f;
    p = p * s + 6.37261928875436e-04f;
    p = p * s + 4.89352455891786e-03f;
    q = q * s + 1.18534705686654e-04f;
    q = q * s + 2.26843463243900e-03f;
    q = q * s + 4.89352518554385e-03f;
    return x * p / q;
}

static long up(long a, long b) { return (a + b - 1) / b * b; }

/* Where the windows are: the row of sample b at step t is F floats, side by side. */
typedef struct {
    const float *x;
    long step, sample; /* floats from a step to the next, and from a sample to the next */
} Input;

INLINE const float *input_row(const Input *in, long t, long b) {
    return in->x + t * in->step + b * in->sample;
}

/* One layer. A row of it is [1 | x | h], K floats long, in space for `row` floats. */
typedef struct {
    long I, K, row, out; /* inputs; 1 + I + H; floats of a row; columns of the way back */
    float *forth;        /* [unit block][K][gate][VL], sigmoid gates halved */
    float *back;         /* [unit block][gate][VL][h | x] */
} Layer;

typedef struct {
    int T, F, H, L, N; /* N: hidden states of the top layer that are wanted, the last ones */
    long P, J, Q; /* H up to whole vectors, vectors of it, 4 P */
    Layer layer[];
} Net;

static void *space(long floats) {
    void *got = NULL;
    return posix_memalign(&got, 64, (size_t)(floats + 64) * sizeof(float)) ? NULL : got;
}

static void discard(Net *net) {
    if (!net) return;
    for (int l = 0; l < net->L; l++) free(net->layer[l].forth), free(net->layer[l].back);
    free(net);
}

/* Weights (w_ih, w_hh, b_ih, b_hh of each layer) packed for one pass; NULL without memory. */
static Net *packed(int T, int F, int H, int L, int N, const float *const *weights, int back,
                   int dx) {
    Net *net = calloc(1, sizeof(Net) + (size_t)L * sizeof(Layer));
    if (!net) return NULL;
    net->T = T, net->F = F, net->H = H, net->L = L, net->N = N;
    net->P = up(H, VL), net->J = net->P / VL, net->Q = 4 * net->P;
    for (int l = 0; l < L; l++) {
        Layer *a = &net->layer[l];
        const float *wi = weights[4 * l], *wh = weights[4 * l + 1];
        const float *bi = weights[4 * l + 2], *bh = weights[4 * l + 3];
        a->I = l ? H : F, a->K = 1 + a->I + H, a->row = up(1 + a->I + net->P, MR);
        a->out = net->P + (dx || l ? up(a->I, VL) : 0);
        long size = back ? net->Q * a->out : net->J * a->K * 4 * VL;
        float *to = space(size);
        *(back ? &a->back : &a->forth) = to;
        if (!to) return discard(net), NULL;
        memset(to, 0, (size_t)size * sizeof(float));
        for (long h = 0; h < H; h++)
            for (long g = 0; g < 4; g++) {
                long r = g * H + h, j = h / VL, u = h % VL;
                if (back) {
                    float *d = to + (j * 4 * VL + g * VL + u) * a->out;
                    memcpy(d, wh + r * H, (size_t)H * sizeof(float));
                    if (dx || l) memcpy(d + net->P, wi + r * a->I, (size_t)a->I * sizeof(float));
                } else { /* sigmoid(z) = tanh(z / 2) / 2 + 1 / 2 */
                    float s = g == 2 ? 1.f : .5f, *d = to + j * a->K * 4 * VL + g * VL + u;
                    d[0] = s * (bi[r] + bh[r]);
                    for (long k = 0; k < a->I; k++) d[(1 + k) * 4 * VL] = s * wi[r * a->I + k];
                    for (long k = 0; k < H; k++) d[(1 + a->I + k) * 4 * VL] = s * wh[r * H + k];
                }
            }
    }
    return net;
}

/* A step of MR samples and VL units: sums of the four gates, then gates, c and h. */
static __attribute__((noinline)) void cell(const float *x, long row, const float *w, long K,
                                           float *c, float *h, float *gates, float *tanhs,
                                           long P) {
    V sum[MR][4];
    UNROLL for (int g = 0; g < 4; g++) {
        V bias = load(w + g * VL);
        UNROLL for (int i = 0; i < MR; i++) sum[i][g] = bias;
    }
    for (long k = 1; k < K; k++) {
        V a[MR];
        w += 4 * VL;
        UNROLL for (int i = 0; i < MR; i++) a[i] = all(x[i * row + k]);
        UNROLL for (int g = 0; g < 4; g++) {
            V b = load(w + g * VL);
            UNROLL for (int i = 0; i < MR; i++) sum[i][g] += a[i] * b;
        }
    }
    for (int i = 0; i < MR; i++) {
        V in = hyperbolic(sum[i][0]) * .5f + .5f, keep = hyperbolic(sum[i][1]) * .5f + .5f;
        V new = hyperbolic(sum[i][2]), out = hyperbolic(sum[i][3]) * .5f + .5f;
        V state = keep * load(c + i * P) + in * new, squashed = hyperbolic(state);
        store(c + i * P, state);
        store(h + i * row, out * squashed);
        if (gates) {
            float *g = gates + i * 4 * P;
            store(g, in), store(g + VL, keep), store(g + 2 * VL, new), store(g + 3 * VL, out);
            store(tanhs + i * P, squashed);
        }
    }
}

/* C[MR, NR vectors] = (C if `more`) + A[MR, K] B[K, NR vectors]; A's strides are ai and ak. */
#define BLOCK(NAME, NR)                                                                       \
    static __attribute__((noinline)) void NAME(float *C, long ldc, int more, const float *A,  \
                                               long ai, long ak, const float *B, long ldb,    \
                                               long K) {                                      \
        V sum[MR][NR];                                                                        \
        UNROLL for (int i = 0; i < MR; i++) UNROLL for (int j = 0; j < NR; j++)               \
            sum[i][j] = (V){0};                                                               \
        for (long k = 0; k < K; k++, A += ak, B += ldb) {                                     \
            V a[MR];                                                                          \
            UNROLL for (int i = 0; i < MR; i++) a[i] = all(A[i * ai]);                        \
            UNROLL for (int j = 0; j < NR; j++) {                                             \
                V b = load(B + j * VL);                                                       \
                UNROLL for (int i = 0; i < MR; i++) sum[i][j] += a[i] * b;                    \
            }                                                                                 \
        }                                                                                     \
        UNROLL for (int i = 0; i < MR; i++) UNROLL for (int j = 0; j < NR; j++) {             \
            float *to = C + i * ldc + j * VL;                                                 \
            store(to, more ? load(to) + sum[i][j] : sum[i][j]);                               \
        }                                                                                     \
    }
BLOCK(block1, 1)
BLOCK(block2, 2)
BLOCK(block3, 3)
BLOCK(block4, 4)

/* C[m, n] = (C if `more`) + A[m, K] B[K, n]; m a multiple of MR and n of VL. */
static void multiply(float *C, long ldc, int more, const float *A, long ai, long ak,
                     const float *B, long ldb, long m, long n, long K) {
    for (long j = 0; j < n;) {
        long r = (n - j) / VL < 4 ? (n - j) / VL : 4;
        for (long i = 0; i < m; i += MR)
            (r == 4 ? block4 : r == 3 ? block3 : r == 2 ? block2 : block1)(
                C + i * ldc + j, ldc, more, A + i * ai, ai, ak, B + j, ldb, K);
        j += r * VL;
    }
}

static long kept_floats(const Net *net) { return (long)net->L * net->T * NB * 5 * net->P; }

/* Rows and states of all layers for the forward pass of one tile. */
static long forward_floats(const Net *net) {
    long floats = 0;
    for (int l = 0; l < net->L; l++) floats += NB * (2 * net->layer[l].row + net->P);
    return floats;
}

/* The m samples of a tile from sample s on through all steps: `last` (m, N, H). `kept` may be
 * NULL. */
static void forward_tile(const Net *net, const Input *in, long s, long m, float *work, float *kept,
                         float *last) {
    long P = net->P, H = net->H, T = net->T, N = net->N;
    memset(work, 0, (size_t)forward_floats(net) * sizeof(float));
    for (long t = 0; t < T; t++) {
        float *at = work;
        for (int l = 0; l < net->L; l++) {
            const Layer *a = &net->layer[l];
            float *one = at, *two = one + NB * a->row, *c = two + NB * a->row;
            float *now = t % 2 ? two : one, *next = t % 2 ? one : two;
            at = c + NB * P; /* the next layer's rows */
            if (!l)
                for (long i = 0; i < m; i++)
                    memcpy(now + i * a->row + 1, input_row(in, t, s + i), (size_t)a->I * 4);
            float *gates = kept ? kept + (l * T + t) * NB * 5 * P : NULL;
            for (long j = 0; j < net->J; j++)
                for (long i = 0; i < NB; i += MR)
                    cell(now + i * a->row, a->row, a->forth + j * a->K * 4 * VL,
                         t ? a->K : 1 + a->I, /* h is 0 at the first step */
                         c + i * P + j * VL, next + i * a->row + 1 + a->I + j * VL,
                         gates ? gates + i * 4 * P + j * 4 * VL : NULL,
                         gates ? gates + NB * 4 * P + i * P + j * VL : NULL, P);
            float *h = next + 1 + a->I;
            if (l + 1 < net->L) {
                long row = net->layer[l + 1].row;
                float *above = at + t % 2 * NB * row + 1;
                for (long i = 0; i < m; i++)
                    memcpy(above + i * row, h + i * a->row, (size_t)H * 4);
            } else if (t >= T - N)
                for (long i = 0; i < m; i++)
                    memcpy(last + (i * N + t - T + N) * H, h + i * a->row, (size_t)H * 4);
        }
    }
}

/* What the backward pass of one tile works with. */
typedef struct {
    float *rows, *c, *dg, *dh, *dc, *dseq; /* dseq: gradient by the inputs of a layer, all steps */
} Work;

static Work *backward_space(const Net *net, Work *work) {
    long row = 0, out = 0, T = net->T, P = net->P;
    for (int l = 0; l < net->L; l++) {
        if (net->layer[l].row > row) row = net->layer[l].row;
        if (net->layer[l].out > out) out = net->layer[l].out;
    }
    work->rows = space((T + 1) * NB * row), work->c = space((T + 1) * NB * P);
    work->dg = space(ROWS * net->Q), work->dh = space(NB * out), work->dc = space(NB * P);
    work->dseq = space(net->L > 1 ? T * NB * P : 1);
    if (!(work->rows && work->c && work->dg && work->dh && work->dc && work->dseq)) return NULL;
    memset(work->rows, 0, (size_t)((T + 1) * NB * row) * 4); /* the ends of rows stay 0 */
    return work;
}

/* Sums of a layer's weight gradients: [row of weights][unit block][gate][VL]. In blocks, since a
 * single running sum over steps x samples loses a digit. */
typedef struct {
    float *part, *total;
    long sums;
} Gradient;

static void flush(Gradient *to, long floats) {
    for (long k = 0; k < floats; k += VL)
        store(to->total + k, load(to->total + k) + load(to->part + k)), store(to->part + k, (V){0});
    to->sums = 0;
}

/* Gradients of a tile from `dlast` (m, N, H): added to `sum`, and by the inputs in `dx` if given. */
static void backward_tile(const Net *net, const Input *in, long s, long m, const Work *work,
                          const float *kept, const float *dlast, Gradient *sum, float *dx) {
    long P = net->P, Q = net->Q, H = net->H, T = net->T, N = net->N;
    long most = ROWS / NB < T ? ROWS / NB : T; /* steps in one sum */
    for (int l = net->L - 1; l >= 0; l--) {
        const Layer *a = &net->layer[l];
        const float *own = kept + l * T * NB * 5 * P, *below = own - T * NB * 5 * P;
        float *rows = work->rows, *dh = work->dh, *dc = work->dc;
        memset(rows, 0, (size_t)(NB * a->row) * 4);
        memset(work->c, 0, (size_t)(NB * P) * 4);
        memset(dh, 0, (size_t)(NB * a->out) * 4);
        memset(dc, 0, (size_t)(NB * P) * 4);
        for (long t = 0; t < T; t++) {
            const float *gates = own + t * NB * 5 * P, *tanhs = gates + NB * Q;
            const float *lower = below + t * NB * 5 * P, *lower_tanhs = lower + NB * Q;
            float *now = rows + t * NB * a->row, *next = now + NB * a->row;
            float *c = work->c + t * NB * P;
            for (long i = 0; i < NB; i++) {
                float *row = now + i * a->row;
                if (l) { /* whole vectors: what lies beyond the inputs is written next */
                    float h[P];
                    for (long j = 0; j < net->J; j++)
                        store(h + j * VL, load(lower + i * Q + j * 4 * VL + 3 * VL) *
                                              load(lower_tanhs + i * P + j * VL));
                    memcpy(row + 1, h, (size_t)H * 4);
                } else if (i < m)
                    memcpy(row + 1, input_row(in, t, s + i), (size_t)a->I * 4);
                else
                    memset(row + 1, 0, (size_t)a->I * 4);
                row[0] = 1.f;
            }
            if (t < T - 1)
                for (long i = 0; i < NB; i++)
                    for (long j = 0; j < net->J; j++) {
                        const float *g = gates + i * Q + j * 4 * VL;
                        long o = i * P + j * VL;
                        store(c + NB * P + o,
                              load(g + VL) * load(c + o) + load(g) * load(g + 2 * VL));
                        store(next + i * a->row + 1 + a->I + j * VL,
                              load(g + 3 * VL) * load(tanhs + o));
                    }
        }
        if (l == net->L - 1)
            for (long i = 0; i < m; i++)
                memcpy(dh + i * a->out, dlast + (i * N + N - 1) * H, (size_t)H * 4);
        for (long t = T - 1, steps = 0; t >= 0; t--) {
            const float *gates = own + t * NB * 5 * P, *tanhs = gates + NB * Q;
            const float *c = work->c + t * NB * P;
            float *dg = work->dg + (most - 1 - steps) * NB * Q;
            for (long i = 0; i < NB; i++)
                for (long j = 0; j < net->J; j++) {
                    const float *g = gates + i * Q + j * 4 * VL;
                    long o = i * P + j * VL;
                    float *d = dg + i * Q + j * 4 * VL;
                    V in_ = load(g), keep = load(g + VL), new = load(g + 2 * VL);
                    V out = load(g + 3 * VL), squashed = load(tanhs + o);
                    V dy = load(dh + i * a->out + j * VL);
                    if (l < net->L - 1) dy += load(work->dseq + t * NB * P + o);
                    V dcell = load(dc + o) + dy * out * (1.f - squashed * squashed);
                    store(d, dcell * new * in_ * (1.f - in_));
                    store(d + VL, dcell * load(c + o) * keep * (1.f - keep));
                    store(d + 2 * VL, dcell * in_ * (1.f - new * new));
                    store(d + 3 * VL, dy * squashed * out * (1.f - out));
                    store(dc + o, dcell * keep);
                }
            if (t || l || dx)
                multiply(dh, a->out, 0, dg, Q, 1, a->back, a->out, NB, a->out, Q);
            steps++;
            if (sum && (steps == most || !t)) {
                long used = up(a->K, MR);
                multiply(sum[l].part, Q, 1, rows + t * NB * a->row, 1, a->row, dg, Q, used, Q,
                         NB * steps);
                steps = 0;
                if (++sum[l].sums == SUMS) flush(&sum[l], a->row * Q);
            } else if (steps == most)
                steps = 0;
            if (l) { /* the layer below has read its own entries: they are replaced step by step */
                for (long i = 0; i < NB; i++)
                    memcpy(work->dseq + (t * NB + i) * P, dh + i * a->out + P, (size_t)P * 4);
            } else if (dx)
                for (long i = 0; i < m; i++)
                    memcpy(dx + t * in->step + (s + i) * in->sample, dh + i * a->out + P,
                           (size_t)a->I * 4);
            if (l == net->L - 1 && t && t > T - N)
                for (long i = 0; i < m; i++)
                    for (long k = 0; k < H; k++)
                        dh[i * a->out + k] += dlast[(i * N + t - 1 - T + N) * H + k];
        }
    }
}

static void unpack(const Net *net, int l, const float *sum, float *dwi, float *dwh, float *db) {
    long H = net->H, I = net->layer[l].I;
    for (long h = 0; h < H; h++)
        for (long g = 0; g < 4; g++) {
            long r = g * H + h, o = h / VL * 4 * VL + g * VL + h % VL;
            db[r] = sum[o];
            for (long k = 0; k < I; k++) dwi[r * I + k] = sum[(1 + k) * net->Q + o];
            for (long k = 0; k < H; k++) dwh[r * H + k] = sum[(1 + I + k) * net->Q + o];
        }
}

#ifndef SOURCE
#define SOURCE "unknown"
#endif
/* Hash of this file when it was built. */
const char *lstm_source(void) { return SOURCE; }

/* Floats that the forward pass keeps for the backward pass. */
int64_t lstm_kept(int T, int64_t B, int H, int L) {
    return up(B, NB) * T * 5 * up(H, VL) * L;
}

/* The top layer's hidden states after the last N steps: `last` (B, N, H). Returns 0, or 1 without
 * memory.
 *
 * x: windows with strides in floats (step, sample), a row's F floats side by side.
 * weights: w_ih (4H, I), w_hh (4H, H), b_ih, b_hh (4H) of each layer, gates in torch's order.
 * kept: lstm_kept floats for the backward pass, or NULL. */
int lstm_forward(int T, int64_t B, int F, int H, int L, const float *x, int64_t step,
                 int64_t sample, const float *const *weights, int N, float *kept, float *last) {
    Input in = {x, step, sample};
    Net *net = packed(T, F, H, L, N, weights, 0, 0);
    float *work = net ? space(forward_floats(net)) : NULL;
    if (work)
        for (int64_t s = 0; s < B; s += NB) {
            forward_tile(net, &in, s, B - s < NB ? B - s : NB, work, kept, last + s * N * H);
            if (kept) kept += kept_floats(net);
        }
    free(work);
    discard(net);
    return !work;
}

/* Gradients from dlast (B, N, H): dx with the strides of x, or NULL; gradients:
 * w_ih, w_hh and bias (both biases have the same) of each layer, or NULL. Returns 0, or 1 without
 * memory. */
int lstm_backward(int T, int64_t B, int F, int H, int L, const float *x, int64_t step,
                  int64_t sample, const float *const *weights, int N, const float *kept,
                  const float *dlast, float *dx, float *const *gradients) {
    Input in = {x, step, sample};
    Net *net = packed(T, F, H, L, N, weights, 1, dx != NULL);
    Work work = {0};
    Gradient *sum = gradients ? calloc((size_t)L, sizeof(Gradient)) : NULL;
    int got = net && backward_space(net, &work) && (sum || !gradients);
    for (int l = 0; got && sum && l < L; l++) {
        long floats = net->layer[l].row * net->Q;
        sum[l].part = space(floats), sum[l].total = space(floats);
        got = sum[l].part && sum[l].total;
        if (got) memset(sum[l].part, 0, (size_t)floats * 4), memset(sum[l].total, 0, (size_t)floats * 4);
    }
    if (got)
        for (int64_t s = 0; s < B; s += NB, kept += kept_floats(net))
            backward_tile(net, &in, s, B - s < NB ? B - s : NB, &work, kept, dlast + s * N * H, sum,
                          dx);
    for (int l = 0; sum && l < L; l++) {
        if (got) {
            flush(&sum[l], net->layer[l].row * net->Q);
            unpack(net, l, sum[l].total, gradients[3 * l], gradients[3 * l + 1],
                   gradients[3 * l + 2]);
        }
        free(sum[l].part), free(sum[l].total);
    }
    free(sum);
    free(work.rows), free(work.c), free(work.dg), free(work.dh), free(work.dc), free(work.dseq);
    discard(net);
    return !got;
}
