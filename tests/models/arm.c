/* A program that runs lstm.c on another processor: numbers from stdin, results to stdout.
 *
 * In: T, B, F, H, L as int32, then as floats x (B, T, F), the weights of each layer, head (H), bias
 * (1), target (B). Out: last hidden states (B, H), their gradients of the mean squared error of the
 * forecasts, once in two passes and once in a step, the loss, and the parameters after AdamW.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../../models/native/lstm.c"

static float *take(long floats) {
    float *got = malloc((size_t)floats * sizeof(float));
    if (!got || fread(got, sizeof(float), (size_t)floats, stdin) != (size_t)floats) exit(3);
    return got;
}

static void give(const float *from, long floats) {
    fwrite(from, sizeof(float), (size_t)floats, stdout);
}

int main(void) {
    int32_t size[5];
    if (fread(size, sizeof(int32_t), 5, stdin) != 5) return 3;
    int T = size[0], B = size[1], F = size[2], H = size[3], L = size[4], n = 0, failed = 0;
    float *x = take((long)B * T * F), *by[64], *parameters[64];
    int64_t sizes[64], *starts = malloc((size_t)B * sizeof(int64_t));
    const float *weights[64], *gradients[64];
    for (int l = 0; l < L; l++)
        for (int k = 0; k < 4; k++, n++) {
            sizes[n] = 4L * H * (k == 0 ? (l ? H : F) : k == 1 ? H : 1);
            weights[n] = parameters[n] = take(sizes[n]);
        }
    float *head = take(H), *bias = take(1), *target = take(B);
    sizes[n] = H, sizes[n + 1] = 1, parameters[n] = head, parameters[n + 1] = bias;
    for (int p = 0, q = 0; p < n + 2; p++) /* the second bias shares the gradient of the first */
        if (p < n && p % 4 == 3)
            gradients[p] = gradients[p - 1];
        else
            gradients[p] = by[q++] = malloc((size_t)sizes[p] * sizeof(float));
    for (int b = 0; b < B; b++) starts[b] = (int64_t)b * T;
    float *last = malloc((size_t)B * H * sizeof(float)), *slope = malloc((size_t)B * H * sizeof(float));
    float *kept = space(lstm_kept(T, B, H, L));
    failed |= lstm_forward(T, B, F, H, L, x, F, (int64_t)T * F, NULL, 0, weights, 1, kept, last);
    give(last, (long)B * H);
    for (int b = 0; b < B; b++) {
        double error = *bias - (double)target[b];
        for (int k = 0; k < H; k++) error += (double)head[k] * last[b * H + k];
        for (int k = 0; k < H; k++) slope[b * H + k] = (float)(2 * error / B * head[k]);
    }
    failed |= lstm_backward(T, B, F, H, L, x, F, (int64_t)T * F, NULL, 0, weights, 1, kept, slope,
                            NULL, by);
    for (int p = 0; p < n; p++) give(gradients[p], sizes[p]);
    double loss;
    failed |= lstm_loss(T, B, F, H, L, x, F, 0, starts, (int64_t)B * T, weights, head, bias, NULL,
                        target, by, &loss);
    for (int p = 0; p < n + 2; p++) give(gradients[p], sizes[p]);
    float mean_square = (float)loss;
    give(&mean_square, 1);
    long all = 0;
    for (int p = 0; p < n + 2; p++) all += sizes[p];
    adamw_step(n + 2, sizes, parameters, gradients, zeros(all), zeros(all), 1., .1f, .001f,
               sqrtf(.001f), .1f, .999f, 1e-8f);
    for (int p = 0; p < n + 2; p++) give(parameters[p], sizes[p]);
    return failed;
}
