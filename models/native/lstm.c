/* The LSTM of torch.nn.LSTM on the CPU: its last hidden states and their gradients, in float32 or,
 * with -DDOUBLE, in float64; and a whole training step in float32 with a linear head, mean squared
 * error and AdamW.
 *
 * The forward pass takes NB samples (a tile) through all steps and layers while weights and states
 * stay in the cache. For training it keeps the four gates and tanh(c) of each step; the backward
 * pass computes c and h from them again, unless it follows tile by tile. One thread, and no state
 * between calls, so results repeat bit by bit. A sample's arithmetic does not depend on its place in
 * a tile, so its hidden state does not depend on the other samples of the batch. What is counted in
 * floats below are numbers of either precision.
 *
 * One source for all instruction sets: GCC vector extensions, compiled once for AVX-512, once for
 * AVX2, and with vectors of 16 bytes for NEON and anything else.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef DOUBLE
typedef double Real;
typedef int64_t Bits;
#else
typedef float Real;
typedef int32_t Bits;
#endif

/* MR rows by 4 vectors of sums fill the registers. */
#if defined(__AVX512F__)
#include <immintrin.h>
#define BYTES 64
#define MR 6
#elif defined(__AVX2__)
#include <immintrin.h>
#define BYTES 32
#define MR 3
#else
#define BYTES 16
#define MR 4
#endif
#define VL ((long)(BYTES / sizeof(Real))) /* numbers in a vector */
#define NB 12    /* samples in a tile, a multiple of MR */
#define ROWS 96  /* rows (steps x samples) in one sum of a weight gradient */
#define SUMS 16  /* such sums that are added up before they join the total */

typedef Real V __attribute__((vector_size(BYTES)));
typedef Real Unaligned __attribute__((vector_size(BYTES), aligned(sizeof(Real)), may_alias));
typedef Bits Mask __attribute__((vector_size(BYTES)));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE V load(const Real *from) { return (V) * (const Unaligned *)from; }
INLINE void store(Real *to, V value) { *(Unaligned *)to = (Unaligned)value; }
INLINE V all(Real value) { return value - (V){0}; }

/* NaN stays NaN: min and max of x86 return their second operand if either is NaN. */
INLINE V clamp(V x, Real bound) {
#if BYTES == 64 && !defined(DOUBLE)
    return (V)_mm512_max_ps(
        _mm512_set1_ps(-bound), _mm512_min_ps(_mm512_set1_ps(bound), (__m512)x));
#elif BYTES == 32 && !defined(DOUBLE)
    return (V)_mm256_max_ps(
        _mm256_set1_ps(-bound), _mm256_min_ps(_mm256_set1_ps(bound), (__m256)x));
#else
    Mask above = x > bound, below = x < -bound;
    return (V)(((Mask)x & ~above & ~below) | ((Mask)all(bound) & above) |
               ((Mask)all(-bound) & below));
#endif
}

#ifdef DOUBLE
/* e / (e + 2), where e = exp(2x) - 1 = 2^n (exp(r) - 1) + 2^n - 1 and |r| < log(2) / 2; right to a
 * few ulp. exp(r) - 1 is its Taylor series. */
INLINE V hyperbolic(V x) {
    x = clamp(x, 20);
    V shifted = x * 2.88539008177792681472 + 0x1.8p52; /* its lowest bits are n */
    V n = shifted - 0x1.8p52;
    V r = x * 2. - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    V two_n = (V)(((Mask)shifted + 1023) << 52);
    V s = all(1 / 6227020800.);
    s = s * r + 1 / 479001600.;
    s = s * r + 1 / 39916800.;
    s = s * r + 1 / 3628800.;
    s = s * r + 1 / 362880.;
    s = s * r + 1 / 40320.;
    s = s * r + 1 / 5040.;
    s = s * r + 1 / 720.;
    s = s * r + 1 / 120.;
    s = s * r + 1 / 24.;
    s = s * r + 1 / 6.;
    s = s * r + .5;
    V e = two_n * (s * r * r + r) + (two_n - 1.);
    return e / (e + 2.);
}
#else
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
#endif

static long up(long a, long b) { return (a + b - 1) / b * b; }

/* Where the windows are: the row of sample b at step t is F floats, side by side. */
typedef struct {
    const Real *x;
    long step, sample;     /* floats from a step to the next, and from a sample to the next */
    const int64_t *starts; /* instead of `sample`: the step at which each sample begins, or NULL */
} Input;

enum { NO_MEMORY = 1, OUTSIDE = 2 };

/* Whether all B windows of T rows lie within `rows` rows. */
static int inside(const int64_t *starts, int64_t rows, int T, int64_t B) {
    for (int64_t b = 0; starts && b < B; b++)
        if (starts[b] < 0 || starts[b] > rows - T) return 0;
    return 1;
}

INLINE const Real *input_row(const Input *in, long t, long b) {
    return in->starts ? in->x + (in->starts[b] + t) * in->step
                      : in->x + t * in->step + b * in->sample;
}

/* One layer. A row of it is [1 | x | h], K floats long, in space for `row` floats. */
typedef struct {
    long I, K, row, out; /* inputs; 1 + I + H; floats of a row; columns of the way back */
    Real *forth;         /* [unit block][K][gate][VL], sigmoid gates halved */
    Real *back;          /* [unit block][gate][VL][h | x] */
} Layer;

typedef struct {
    int T, F, H, L, N; /* N: hidden states of the top layer that are wanted, the last ones */
    long P, J, Q; /* H up to whole vectors, vectors of it, 4 P */
    Layer layer[];
} Net;

static void *space(long floats) {
    void *got = NULL;
    return posix_memalign(&got, 64, (size_t)(floats + 64) * sizeof(Real)) ? NULL : got;
}

static Real *zeros(long floats) {
    Real *got = space(floats);
    return got ? memset(got, 0, (size_t)floats * sizeof(Real)) : NULL;
}

/* The rows [1 | x | h] and cells of a layer at the start of each step, for one tile. */
typedef struct {
    Real *rows, *c; /* (depth, NB, row) and (depth, NB, P): step t is at t % depth */
} Track;

static void discard(Net *net) {
    if (!net) return;
    for (int l = 0; l < net->L; l++) free(net->layer[l].forth), free(net->layer[l].back);
    free(net);
}

enum { FORTH = 1, BACK = 2 };

/* Weights (w_ih, w_hh, b_ih, b_hh of each layer) packed for `passes`; NULL without memory. */
static Net *packed(int T, int F, int H, int L, int N, const Real *const *weights, int passes,
                   int dx) {
    Net *net = calloc(1, sizeof(Net) + (size_t)L * sizeof(Layer));
    if (!net) return NULL;
    net->T = T, net->F = F, net->H = H, net->L = L, net->N = N;
    net->P = up(H, VL), net->J = net->P / VL, net->Q = 4 * net->P;
    for (int l = 0; l < L; l++) {
        Layer *a = &net->layer[l];
        const Real *wi = weights[4 * l], *wh = weights[4 * l + 1];
        const Real *bi = weights[4 * l + 2], *bh = weights[4 * l + 3];
        a->I = l ? H : F, a->K = 1 + a->I + H, a->row = up(1 + a->I + net->P, MR);
        a->out = net->P + (dx || l ? up(a->I, VL) : 0);
        long forth = net->J * a->K * 4 * VL, back = net->Q * a->out;
        if (passes & FORTH) a->forth = zeros(forth);
        if (passes & BACK) a->back = zeros(back);
        if ((passes & FORTH && !a->forth) || (passes & BACK && !a->back)) return discard(net), NULL;
        for (long h = 0; h < H; h++)
            for (long g = 0; g < 4; g++) {
                long r = g * H + h, j = h / VL, u = h % VL;
                if (passes & BACK) {
                    Real *d = a->back + (j * 4 * VL + g * VL + u) * a->out;
                    memcpy(d, wh + r * H, (size_t)H * sizeof(Real));
                    if (dx || l) memcpy(d + net->P, wi + r * a->I, (size_t)a->I * sizeof(Real));
                }
                if (passes & FORTH) { /* sigmoid(z) = tanh(z / 2) / 2 + 1 / 2 */
                    Real s = g == 2 ? 1.f : .5f, *d = a->forth + j * a->K * 4 * VL + g * VL + u;
                    d[0] = s * (bi[r] + bh[r]);
                    for (long k = 0; k < a->I; k++) d[(1 + k) * 4 * VL] = s * wi[r * a->I + k];
                    for (long k = 0; k < H; k++) d[(1 + a->I + k) * 4 * VL] = s * wh[r * H + k];
                }
            }
    }
    return net;
}

/* A step of MR samples and VL units: sums of the four gates, then gates, c and h. */
static __attribute__((noinline)) void cell(const Real *x, long row, const Real *w, long K,
                                           const Real *c, Real *next, Real *h, Real *gates,
                                           Real *tanhs, long P) {
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
        store(next + i * P, state);
        store(h + i * row, out * squashed);
        if (gates) {
            Real *g = gates + i * 4 * P;
            store(g, in), store(g + VL, keep), store(g + 2 * VL, new), store(g + 3 * VL, out);
            store(tanhs + i * P, squashed);
        }
    }
}

/* C[MR, NR vectors] = (C if `more`) + A[MR, K] B[K, NR vectors]; A's strides are ai and ak. */
#define BLOCK(NAME, NR)                                                                       \
    static __attribute__((noinline)) void NAME(Real *C, long ldc, int more, const Real *A,  \
                                               long ai, long ak, const Real *B, long ldb,    \
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
            Real *to = C + i * ldc + j * VL;                                                 \
            store(to, more ? load(to) + sum[i][j] : sum[i][j]);                               \
        }                                                                                     \
    }
BLOCK(block1, 1)
BLOCK(block2, 2)
BLOCK(block3, 3)
BLOCK(block4, 4)

/* C[m, n] = (C if `more`) + A[m, K] B[K, n]; m a multiple of MR and n of VL. */
static void multiply(Real *C, long ldc, int more, const Real *A, long ai, long ak,
                     const Real *B, long ldb, long m, long n, long K) {
    for (long j = 0; j < n;) {
        long r = (n - j) / VL < 4 ? (n - j) / VL : 4;
        for (long i = 0; i < m; i += MR)
            (r == 4 ? block4 : r == 3 ? block3 : r == 2 ? block2 : block1)(
                C + i * ldc + j, ldc, more, A + i * ai, ai, ak, B + j, ldb, K);
        j += r * VL;
    }
}

static long kept_floats(const Net *net) { return (long)net->L * net->T * NB * 5 * net->P; }

static void forget(Track *track, int layers) {
    for (int l = 0; track && l < layers; l++) free(track[l].rows), free(track[l].c);
    free(track);
}

/* A track for each layer; NULL without memory. The ends of rows stay 0. */
static Track *tracks(const Net *net, long depth) {
    Track *track = calloc((size_t)net->L, sizeof(Track));
    for (int l = 0; track && l < net->L; l++) {
        track[l].rows = zeros(depth * NB * net->layer[l].row);
        track[l].c = zeros(depth * NB * net->P);
        if (!track[l].rows || !track[l].c) return forget(track, net->L), NULL;
    }
    return track;
}

/* The inputs of a tile's row at step t; samples from m on are 0. */
INLINE void read_inputs(const Input *in, Real *rows, long row, long I, long t, long s, long m) {
    for (long i = 0; i < NB; i++) {
        rows[i * row] = 1.f;
        if (i < m)
            memcpy(rows + i * row + 1, input_row(in, t, s + i), (size_t)I * sizeof(Real));
        else
            memset(rows + i * row + 1, 0, (size_t)I * sizeof(Real));
    }
}

/* The m samples of a tile from sample s on through all steps: `last` (m, N, H). `kept` may be
 * NULL. A depth of T + 1 leaves all of the track to the backward pass, 2 is enough without one. */
static void forward_tile(const Net *net, const Input *in, long s, long m, Track *track, long depth,
                         Real *kept, Real *last) {
    long P = net->P, H = net->H, T = net->T, N = net->N;
    for (int l = 0; l < net->L; l++) {
        memset(track[l].rows, 0, (size_t)(NB * net->layer[l].row) * sizeof(Real));
        memset(track[l].c, 0, (size_t)(NB * P) * sizeof(Real));
    }
    for (long t = 0; t < T; t++)
        for (int l = 0; l < net->L; l++) {
            const Layer *a = &net->layer[l];
            Real *now = track[l].rows + t % depth * NB * a->row;
            Real *next = track[l].rows + (t + 1) % depth * NB * a->row;
            const Real *c = track[l].c + t % depth * NB * P;
            Real *cells = track[l].c + (t + 1) % depth * NB * P;
            if (!l) read_inputs(in, now, a->row, a->I, t, s, m);
            Real *gates = kept ? kept + (l * T + t) * NB * 5 * P : NULL;
            for (long j = 0; j < net->J; j++)
                for (long i = 0; i < NB; i += MR)
                    cell(now + i * a->row, a->row, a->forth + j * a->K * 4 * VL,
                         t ? a->K : 1 + a->I, /* h is 0 at the first step */
                         c + i * P + j * VL, cells + i * P + j * VL,
                         next + i * a->row + 1 + a->I + j * VL,
                         gates ? gates + i * 4 * P + j * 4 * VL : NULL,
                         gates ? gates + NB * 4 * P + i * P + j * VL : NULL, P);
            Real *h = next + 1 + a->I;
            if (l + 1 < net->L) {
                long row = net->layer[l + 1].row;
                Real *above = track[l + 1].rows + t % depth * NB * row;
                for (long i = 0; i < NB; i++) {
                    above[i * row] = 1.f;
                    memcpy(above + i * row + 1, h + i * a->row, (size_t)H * sizeof(Real));
                }
            } else if (t >= T - N)
                for (long i = 0; i < m; i++)
                    memcpy(last + (i * N + t - T + N) * H, h + i * a->row, (size_t)H * sizeof(Real));
        }
}

/* What the backward pass of one tile works with. */
typedef struct {
    Real *dg, *dh, *dc, *dseq; /* dseq: gradient by the inputs of a layer, all steps */
} Work;

static Work *backward_space(const Net *net, Work *work) {
    long out = 0, T = net->T, P = net->P;
    for (int l = 0; l < net->L; l++)
        if (net->layer[l].out > out) out = net->layer[l].out;
    work->dg = space(ROWS * net->Q), work->dh = space(NB * out), work->dc = space(NB * P);
    work->dseq = space(net->L > 1 ? T * NB * P : 1);
    return work->dg && work->dh && work->dc && work->dseq ? work : NULL;
}

static void free_work(Work *work) {
    free(work->dg), free(work->dh), free(work->dc), free(work->dseq);
}

/* The track of layer l again, from what the forward pass kept of this layer and the one below. */
static void retrace(const Net *net, const Input *in, long s, long m, const Track *track,
                    const Real *kept, int l) {
    const Layer *a = &net->layer[l];
    long P = net->P, Q = net->Q, T = net->T;
    const Real *own = kept + l * T * NB * 5 * P, *below = own - T * NB * 5 * P;
    memset(track[l].rows, 0, (size_t)(NB * a->row) * sizeof(Real));
    memset(track[l].c, 0, (size_t)(NB * P) * sizeof(Real));
    for (long t = 0; t < T; t++) {
        const Real *gates = own + t * NB * 5 * P, *tanhs = gates + NB * Q;
        const Real *lower = below + t * NB * 5 * P, *lower_tanhs = lower + NB * Q;
        Real *now = track[l].rows + t * NB * a->row, *next = now + NB * a->row;
        Real *c = track[l].c + t * NB * P;
        if (!l)
            read_inputs(in, now, a->row, a->I, t, s, m);
        else
            for (long i = 0; i < NB; i++) { /* whole vectors: what is behind is written next */
                Real h[P], *row = now + i * a->row;
                for (long j = 0; j < net->J; j++)
                    store(h + j * VL, load(lower + i * Q + j * 4 * VL + 3 * VL) *
                                          load(lower_tanhs + i * P + j * VL));
                row[0] = 1.f;
                memcpy(row + 1, h, (size_t)net->H * sizeof(Real));
            }
        if (t < T - 1)
            for (long i = 0; i < NB; i++)
                for (long j = 0; j < net->J; j++) {
                    const Real *g = gates + i * Q + j * 4 * VL;
                    long o = i * P + j * VL;
                    store(c + NB * P + o, load(g + VL) * load(c + o) + load(g) * load(g + 2 * VL));
                    store(next + i * a->row + 1 + a->I + j * VL,
                          load(g + 3 * VL) * load(tanhs + o));
                }
    }
}

/* Sums of a layer's weight gradients: [row of weights][unit block][gate][VL]. In blocks, since a
 * single running sum over steps x samples loses a digit. */
typedef struct {
    Real *part, *total;
    long sums;
} Gradient;

static void flush(Gradient *to, long floats) {
    for (long k = 0; k < floats; k += VL)
        store(to->total + k, load(to->total + k) + load(to->part + k)), store(to->part + k, (V){0});
    to->sums = 0;
}

/* Gradients of a tile from `dlast` (m, N, H): added to `sum`, and by the inputs in `dx` if given.
 * Without `ready` the track is made again from `kept`. */
static void backward_tile(const Net *net, const Input *in, long s, long m, const Work *work,
                          const Track *track, int ready, const Real *kept, const Real *dlast,
                          Gradient *sum, Real *dx) {
    long P = net->P, Q = net->Q, H = net->H, T = net->T, N = net->N;
    long most = ROWS / NB < T ? ROWS / NB : T; /* steps in one sum */
    for (int l = net->L - 1; l >= 0; l--) {
        const Layer *a = &net->layer[l];
        const Real *own = kept + l * T * NB * 5 * P;
        Real *rows = track[l].rows, *dh = work->dh, *dc = work->dc;
        if (!ready) retrace(net, in, s, m, track, kept, l);
        memset(dh, 0, (size_t)(NB * a->out) * sizeof(Real));
        memset(dc, 0, (size_t)(NB * P) * sizeof(Real));
        if (l == net->L - 1)
            for (long i = 0; i < m; i++)
                memcpy(dh + i * a->out, dlast + (i * N + N - 1) * H, (size_t)H * sizeof(Real));
        for (long t = T - 1, steps = 0; t >= 0; t--) {
            const Real *gates = own + t * NB * 5 * P, *tanhs = gates + NB * Q;
            const Real *c = track[l].c + t * NB * P;
            Real *dg = work->dg + (most - 1 - steps) * NB * Q;
            for (long i = 0; i < NB; i++)
                for (long j = 0; j < net->J; j++) {
                    const Real *g = gates + i * Q + j * 4 * VL;
                    long o = i * P + j * VL;
                    Real *d = dg + i * Q + j * 4 * VL;
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
                    memcpy(work->dseq + (t * NB + i) * P, dh + i * a->out + P, (size_t)P * sizeof(Real));
            } else if (dx)
                for (long i = 0; i < m; i++)
                    memcpy(dx + t * in->step + (s + i) * in->sample, dh + i * a->out + P,
                           (size_t)a->I * sizeof(Real));
            if (l == net->L - 1 && t && t > T - N)
                for (long i = 0; i < m; i++)
                    for (long k = 0; k < H; k++)
                        dh[i * a->out + k] += dlast[(i * N + t - 1 - T + N) * H + k];
        }
    }
}

static void unpack(const Net *net, int l, const Real *sum, Real *dwi, Real *dwh, Real *db) {
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

/* The top layer's hidden states after the last N steps: `last` (B, N, H). Returns 0, NO_MEMORY or
 * OUTSIDE.
 *
 * x: windows with strides in floats (step, sample), a row's F floats side by side. With `starts`,
 * window b begins at row starts[b] of the `rows` rows of x, and `sample` is not read.
 * weights: w_ih (4H, I), w_hh (4H, H), b_ih, b_hh (4H) of each layer, gates in torch's order.
 * kept: lstm_kept floats for the backward pass, or NULL. */
int lstm_forward(int T, int64_t B, int F, int H, int L, const Real *x, int64_t step,
                 int64_t sample, const int64_t *starts, int64_t rows, const Real *const *weights, int N,
                 Real *kept, Real *last) {
    if (!inside(starts, rows, T, B)) return OUTSIDE;
    Input in = {x, step, sample, starts};
    Net *net = packed(T, F, H, L, N, weights, FORTH, 0);
    Track *track = net ? tracks(net, 2) : NULL;
    if (track)
        for (int64_t s = 0; s < B; s += NB) {
            forward_tile(net, &in, s, B - s < NB ? B - s : NB, track, 2, kept, last + s * N * H);
            if (kept) kept += kept_floats(net);
        }
    forget(track, L);
    discard(net);
    return track ? 0 : NO_MEMORY;
}

static Gradient *gradient_sums(const Net *net) {
    Gradient *sum = calloc((size_t)net->L, sizeof(Gradient));
    for (int l = 0; sum && l < net->L; l++) {
        long floats = net->layer[l].row * net->Q;
        sum[l].part = zeros(floats), sum[l].total = zeros(floats);
    }
    return sum;
}

static int has_memory(const Gradient *sum, int layers) {
    for (int l = 0; sum && l < layers; l++)
        if (!sum[l].part || !sum[l].total) return 0;
    return sum != NULL;
}

/* Write the sums to `gradients` if given (w_ih, w_hh and bias of each layer), and free them. */
static void settle(const Net *net, Gradient *sum, Real *const *gradients) {
    for (int l = 0; sum && l < net->L; l++) {
        if (gradients) {
            flush(&sum[l], net->layer[l].row * net->Q);
            unpack(net, l, sum[l].total, gradients[3 * l], gradients[3 * l + 1],
                   gradients[3 * l + 2]);
        }
        free(sum[l].part), free(sum[l].total);
    }
    free(sum);
}

/* Gradients from dlast (B, N, H): dx with the strides of x, or NULL; gradients:
 * w_ih, w_hh and bias (both biases have the same) of each layer, or NULL. dx needs windows without
 * `starts`. Returns as lstm_forward does. */
int lstm_backward(int T, int64_t B, int F, int H, int L, const Real *x, int64_t step,
                  int64_t sample, const int64_t *starts, int64_t rows, const Real *const *weights, int N,
                  const Real *kept, const Real *dlast, Real *dx, Real *const *gradients) {
    if (!inside(starts, rows, T, B)) return OUTSIDE;
    Input in = {x, step, sample, starts};
    Net *net = packed(T, F, H, L, N, weights, BACK, dx != NULL);
    Track *track = net ? tracks(net, T + 1) : NULL;
    Work work = {0};
    Gradient *sum = net && gradients ? gradient_sums(net) : NULL;
    int got = track && backward_space(net, &work) && (!gradients || has_memory(sum, L));
    if (got)
        for (int64_t s = 0; s < B; s += NB, kept += kept_floats(net))
            backward_tile(net, &in, s, B - s < NB ? B - s : NB, &work, track, 0, kept,
                          dlast + s * N * H, sum, dx);
    if (net) settle(net, sum, got ? gradients : NULL);
    free_work(&work);
    forget(track, L);
    discard(net);
    return got ? 0 : NO_MEMORY;
}

#ifndef DOUBLE
/* A linear head on the last hidden state: its weights (H), its bias, and their gradients. `mask`
 * (B, H) multiplies the hidden states first (dropout), or is NULL. */
typedef struct {
    const float *weights, *bias, *mask, *target; /* target (B) */
    double *by_weights, by_bias, squares;
} Head;

/* Squared errors of a tile's forecasts, and dlast (NB, H) of their mean over B samples. */
static void head_tile(Head *head, long H, int64_t B, long s, long m, const float *last,
                      float *dlast) {
    for (long i = 0; i < m; i++) {
        const float *h = last + i * H, *mask = head->mask ? head->mask + (s + i) * H : NULL;
        double forecast = *head->bias;
        for (long k = 0; k < H; k++)
            forecast += (double)head->weights[k] * (mask ? h[k] * mask[k] : h[k]);
        double error = (double)(float)forecast - head->target[s + i];
        double slope = 2 * error / (double)B;
        head->squares += error * error;
        head->by_bias += slope;
        for (long k = 0; k < H; k++) {
            head->by_weights[k] += slope * (mask ? h[k] * mask[k] : h[k]);
            dlast[i * H + k] = (float)slope * head->weights[k] * (mask ? mask[k] : 1.f);
        }
    }
}

/* Mean squared error of a batch and its gradients: forward pass, head, loss and backward pass, tile
 * by tile, so that what the backward pass needs is still in the cache.
 *
 * head, bias: of the linear layer on the last hidden state, (H) and (1).
 * mask: (B, H), multiplies the hidden states, or NULL. target: (B).
 * gradients: w_ih, w_hh and bias of each layer, then those of head and bias.
 * loss: the mean squared error. Returns as lstm_forward does. */
int lstm_loss(int T, int64_t B, int F, int H, int L, const float *x, int64_t step, int64_t sample,
              const int64_t *starts, int64_t rows, const float *const *weights, const float *head,
              const float *bias, const float *mask, const float *target, float *const *gradients,
              double *loss) {
    if (!inside(starts, rows, T, B)) return OUTSIDE;
    Input in = {x, step, sample, starts};
    Net *net = packed(T, F, H, L, 1, weights, FORTH | BACK, 0);
    Track *track = net ? tracks(net, T + 1) : NULL;
    Work work = {0};
    Gradient *sum = net ? gradient_sums(net) : NULL;
    Head top = {head, bias, mask, target, calloc((size_t)H, sizeof(double)), 0, 0};
    float *kept = net ? space(kept_floats(net)) : NULL, *last = space(2L * NB * H);
    int got = track && backward_space(net, &work) && has_memory(sum, L) && top.by_weights &&
              kept && last;
    if (got) {
        for (int64_t s = 0; s < B; s += NB) {
            long m = B - s < NB ? B - s : NB;
            forward_tile(net, &in, s, m, track, T + 1, kept, last);
            head_tile(&top, H, B, s, m, last, last + NB * H);
            backward_tile(net, &in, s, m, &work, track, 1, kept, last + NB * H, sum, NULL);
        }
        for (long k = 0; k < H; k++) gradients[3 * L][k] = (float)top.by_weights[k];
        *gradients[3 * L + 1] = (float)top.by_bias;
        *loss = top.squares / (double)B;
    }
    if (net) settle(net, sum, got ? gradients : NULL);
    free(top.by_weights), free(kept), free(last);
    free_work(&work);
    forget(track, L);
    discard(net);
    return got ? 0 : NO_MEMORY;
}

/* A step of AdamW on n parameters of `sizes` entries each, after the gradients are scaled down to
 * the norm `clip`.
 *
 * mean, mean_square: averages of all parameters, one after the other; `fresh` and `fresh_square`
 * are the weights of the new entries. root: square root of the share of mean_square that is not its
 * start. rate: step size by the same share of mean. held: what weight decay leaves of a weight. */
void adamw_step(int n, const int64_t *sizes, float *const *parameters,
                const float *const *gradients, float *mean, float *mean_square, double clip,
                float fresh, float fresh_square, float root, float rate, float held,
                float epsilon) {
    double squares = 0;
    for (int p = 0; p < n; p++)
        for (int64_t k = 0; k < sizes[p]; k++)
            squares += (double)gradients[p][k] * gradients[p][k];
    double most = clip / (sqrt(squares) + 1e-6);
    float scale = most > 1 ? 1.f : (float)most; /* NaN stays NaN */
    for (int p = 0; p < n; p++) {
        float *w = parameters[p];
        const float *g = gradients[p];
        for (int64_t k = 0; k < sizes[p]; k++) {
            float slope = g[k] * scale;
            mean[k] += (slope - mean[k]) * fresh;
            mean_square[k] += (slope * slope - mean_square[k]) * fresh_square;
            w[k] = w[k] * held - rate * mean[k] / (sqrtf(mean_square[k]) / root + epsilon);
        }
        mean += sizes[p], mean_square += sizes[p];
    }
}
#endif
