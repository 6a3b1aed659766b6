/*
 * Convolution, transposed convolution and dense layers.
 *
 * What a weight row meets at one position lies in `segments` runs of 4 * `quads` bytes, from the position's first byte on. Weights
 * are packed [16 outputs at a time][segment][quad][16][4]; behind the outputs' end they are zero. Elements are read as
 * unsigned, 128 higher; `rows` holds for each 16 outputs their biases (which make up for that and for the zero point),
 * multipliers, lowest and highest steps, and zero points.
 */
struct convolution {
    int32_t images, in_image, out_image;            /* count, bytes of one */
    int32_t height, width, channels;                /* of the input, where it is padded */
    int32_t top, left, padded_height, padded_width; /* 0, where the input is read as it lies */
    int32_t padding;
    int32_t positions, columns;                     /* of one image; of a row */
    int32_t in_row, in_column, out_start, out_row, out_column;
    int32_t groups, outputs, segments, quads;       /* `outputs` of a group */
    uint32_t places, weights, rows;                 /* offsets of constants */
};

/* One image in its padding. */
static void surround(const struct convolution *layer, const int8_t *from, int8_t *to) {
    const int32_t line = layer->padded_width * layer->channels;
    const int32_t inner = layer->width * layer->channels;
    const int32_t before = layer->left * layer->channels;
    int32_t y, i;
    for (y = 0; y < layer->padded_height; y++, to += line) {
        const int32_t row = y - layer->top;
        if (row < 0 || row >= layer->height) {
            for (i = 0; i < line; i++) to[i] = (int8_t)layer->padding;
            continue;
        }
        for (i = 0; i < before; i++) to[i] = (int8_t)layer->padding;
        for (i = 0; i < inner && i < line - before; i++) to[before + i] = from[row * inner + i];
        for (i = before + inner; i < line; i++) to[i] = (int8_t)layer->padding;
    }
}

#if LANES == 16
/* `COUNT` positions by `BLOCKS` times 16 outputs. */
#define CONVOLVE(NAME, COUNT, BLOCKS)                                                                                  \
    static void NAME(const struct convolution *layer, const int32_t *places, const int8_t *weights, const int32_t *rows, \
                     const int8_t *const *from, int8_t *const *to, int32_t count, int32_t outputs) {                   \
        const words16 flip = (words16){0} + (int32_t)0x80808080u;                                                     \
        const int64_t step = (int64_t)layer->segments * layer->quads * 64;                                             \
        const int32_t quads = layer->quads;                                                                            \
        words16 sums[COUNT][BLOCKS];                                                                                   \
        const int8_t *at[COUNT];                                                                                       \
        int32_t segment, quad, m, n;                                                                                   \
        UNROLL for (m = 0; m < COUNT; m++) UNROLL for (n = 0; n < BLOCKS; n++) sums[m][n] = (words16){0};              \
        for (segment = 0; segment < layer->segments; segment++) {                                                      \
            UNROLL for (m = 0; m < COUNT; m++) at[m] = from[m] + places[segment];                                      \
            for (quad = 0; quad < quads; quad++, weights += 64) {                                                      \
                words16 products[BLOCKS];                                                                              \
                UNROLL for (n = 0; n < BLOCKS; n++) products[n] = *(const loose_words16 *)(weights + n * step);        \
                UNROLL for (m = 0; m < COUNT; m++) {                                                                   \
                    words16 x;                                                                                         \
                    __asm__("vpxord {%2%{1to16%}, %1, %0|%0, %1, %2%{1to16%}}"                                                               \
                            : "=v"(x)                                                                                  \
                            : "v"(flip), "m"(*(const loose_word *)(at[m] + 4 * quad)));                                \
                    UNROLL for (n = 0; n < BLOCKS; n++)                                                                \
                        __asm__("vpdpbusd" OPERANDS : "+v"(sums[m][n]) : "v"(x), "v"(products[n]));                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (n = 0; n < BLOCKS; n++) {                                                                          \
            const int32_t *row = rows + 80 * n;                                                                        \
            const words16 bias = *(const loose_words16 *)row;                                                          \
            const floats16 multiplier = *(const loose_floats16 *)(row + 16);                                           \
            const floats16 low = *(const loose_floats16 *)(row + 32), high = *(const loose_floats16 *)(row + 48);      \
            const words16 zero = *(const loose_words16 *)(row + 64) - ROUNDING_BITS;                                   \
            const int32_t rest = outputs - 16 * n;                                                                     \
            UNROLL for (m = 0; m < COUNT; m++) {                                                                       \
                floats16 steps = __builtin_convertvector(sums[m][n] + bias, floats16) * multiplier;                    \
                bytes16 bytes;                                                                                         \
                __asm__("vmaxps" OPERANDS : "=v"(steps) : "v"(steps), "v"(low));                                     \
                __asm__("vminps" OPERANDS : "=v"(steps) : "v"(steps), "v"(high));                                    \
                steps += ROUNDING;                                                                                     \
                bytes = __builtin_convertvector((words16)steps + zero, bytes16);                                       \
                if (m >= count) continue;                                                                              \
                if (rest >= 16) {                                                                                      \
                    *(loose_bytes16 *)(to[m] + 16 * n) = bytes;                                                        \
                } else {                                                                                               \
                    int32_t i;                                                                                         \
                    for (i = 0; i < rest; i++) to[m][16 * n + i] = bytes[i];                                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
CONVOLVE(convolve_6_by_64, 6, 4)
CONVOLVE(convolve_8_by_48, 8, 3)
CONVOLVE(convolve_12_by_32, 12, 2)
CONVOLVE(convolve_14_by_16, 14, 1)
#define BLOCKS 4
#elif LANES == 8
/* Three positions by 16 outputs. */
static void convolve_3_by_16(const struct convolution *layer, const int32_t *places, const int8_t *weights, const int32_t *rows,
                             const int8_t *const *from, int8_t *const *to, int32_t count, int32_t outputs) {
    const words8 flip = (words8){0} + (int32_t)0x80808080u;
    words8 sums[3][2];
    int32_t segment, quad, m, n, i;
    UNROLL for (m = 0; m < 3; m++) UNROLL for (n = 0; n < 2; n++) sums[m][n] = (words8){0};
    for (segment = 0; segment < layer->segments; segment++) {
        const int8_t *at[3];
        UNROLL for (m = 0; m < 3; m++) at[m] = from[m] + places[segment];
        for (quad = 0; quad < layer->quads; quad++, weights += 64) {
            words8 first[3], second[3];
            UNROLL for (m = 0; m < 3; m++) {
                const words8 x = ((words8){0} + *(const loose_word *)(at[m] + 4 * quad)) ^ flip;
                first[m] = FIRST_COUNTS(x);
                second[m] = SECOND_COUNTS(x);
            }
            UNROLL for (n = 0; n < 2; n++) {
                const words8 packed = *(const loose_words8 *)(weights + 32 * n);
                const words8 firsts = FIRST_BYTES(packed), seconds = SECOND_BYTES(packed);
                UNROLL for (m = 0; m < 3; m++) {
                    words8 one, other;
                    PAIR("vpmaddwd", one, first[m], firsts);
                    PAIR("vpmaddwd", other, second[m], seconds);
                    sums[m][n] += one;
                    sums[m][n] += other;
                }
            }
        }
    }
    UNROLL for (n = 0; n < 2; n++) {
        const int32_t *row = rows + 8 * n;
        const words8 bias = *(const loose_words8 *)row;
        const floats8 multiplier = *(const loose_floats8 *)(row + 16);
        const floats8 low = *(const loose_floats8 *)(row + 32), high = *(const loose_floats8 *)(row + 48);
        const words8 zero = *(const loose_words8 *)(row + 64) - ROUNDING_BITS;
        const int32_t rest = outputs - 8 * n;
        UNROLL for (m = 0; m < 3; m++) {
            floats8 steps = __builtin_convertvector(sums[m][n] + bias, floats8) * multiplier;
            bytes8 bytes;
            PAIR("vmaxps", steps, steps, low);
            PAIR("vminps", steps, steps, high);
            steps += ROUNDING;
            bytes = __builtin_convertvector((words8)steps + zero, bytes8);
            if (m >= count) continue;
            if (rest >= 8) {
                *(loose_bytes8 *)(to[m] + 8 * n) = bytes;
            } else {
                for (i = 0; i < rest; i++) to[m][8 * n + i] = bytes[i];
            }
        }
    }
}
#define BLOCKS 1
#else
/* One position by 16 outputs. */
static void convolve(const struct convolution *layer, const int32_t *places, const int8_t *weights, const int32_t *rows,
                     const int8_t *from, int8_t *to, int32_t outputs) {
    const float *scale = (const float *)(const void *)rows;
    uint32_t sums[16];
    int32_t segment, quad, i, k;
    for (i = 0; i < 16; i++) sums[i] = (uint32_t)rows[i];
    for (segment = 0; segment < layer->segments; segment++) {
        const int8_t *at = from + places[segment];
        for (quad = 0; quad < layer->quads; quad++, at += 4, weights += 64) {
            for (i = 0; i < 16; i++) {
                int32_t sum = 0;
                for (k = 0; k < 4; k++) sum += (at[k] + 128) * weights[4 * i + k];
                sums[i] += (uint32_t)sum;
            }
        }
    }
    for (i = 0; i < 16 && i < outputs; i++) {
        const float steps = (float)(int32_t)sums[i] * scale[16 + i];
        to[i] = to_int8(steps, scale[32 + i], scale[48 + i], rows[64 + i]);
    }
}
#define BLOCKS 1
#endif

static void convolution(const struct convolution *layer, constants_t constants, const int8_t *from, int8_t *to,
                        unsigned char *scratch) {
    const int32_t *places = (const int32_t *)(const void *)(constants + layer->places);
    const int64_t block = (int64_t)layer->segments * layer->quads * 64;
    int32_t image, group, first;
    for (image = 0; image < layer->images; image++, from += layer->in_image, to += layer->out_image) {
        const int8_t *weights = (const int8_t *)(constants + layer->weights);
        const int32_t *rows = (const int32_t *)(const void *)(constants + layer->rows);
        const int8_t *source = from;
        if (layer->padded_height) {
            surround(layer, from, (int8_t *)scratch);
            source = (const int8_t *)scratch;
        }
        for (group = 0; group < layer->groups; group++) {
            const int8_t *group_from = source + group * (layer->channels / layer->groups);
            int8_t *group_to = to + layer->out_start + group * layer->outputs;
            for (first = 0; first < layer->outputs; first += 16 * BLOCKS) {
                const int32_t outputs = layer->outputs - first;
                int32_t position, x = 0;
                const int8_t *in = group_from;
                int8_t *out = group_to + first;
#if LANES
#if LANES == 16
                const int32_t blocks = outputs > 48 ? 4 : (outputs + 15) / 16;
                const int32_t most = blocks == 4 ? 6 : blocks == 3 ? 8 : blocks == 2 ? 12 : 14;
#else
                const int32_t blocks = 1, most = 3;
#endif
                for (position = 0; position < layer->positions; position += most) {
                    const int8_t *in_at[14];
                    int8_t *out_at[14];
                    const int32_t left = layer->positions - position;
                    const int32_t count = left < most ? left : most;
                    int32_t m;
                    for (m = 0; m < most; m++) {
                        in_at[m] = in;
                        out_at[m] = out;
                        if (m + 1 >= count && m + 1 < most) continue;
                        x++;
                        in += layer->in_column;
                        out += layer->out_column;
                        if (x == layer->columns) {
                            x = 0;
                            in += layer->in_row - layer->columns * layer->in_column;
                            out += layer->out_row - layer->columns * layer->out_column;
                        }
                    }
#if LANES == 8
                    convolve_3_by_16(layer, places, weights, rows, in_at, out_at, count, outputs);
#else
                    if (blocks == 4) {
                        convolve_6_by_64(layer, places, weights, rows, in_at, out_at, count, outputs);
                    } else if (blocks == 3) {
                        convolve_8_by_48(layer, places, weights, rows, in_at, out_at, count, outputs);
                    } else if (blocks == 2) {
                        convolve_12_by_32(layer, places, weights, rows, in_at, out_at, count, outputs);
                    } else {
                        convolve_14_by_16(layer, places, weights, rows, in_at, out_at, count, outputs);
                    }
#endif
                }
                weights += blocks * block;
                rows += blocks * 80;
#else
                for (position = 0; position < layer->positions; position++) {
                    convolve(layer, places, weights, rows, in, out, outputs);
                    x++;
                    in += layer->in_column;
                    out += layer->out_column;
                    if (x == layer->columns) {
                        x = 0;
                        in += layer->in_row - layer->columns * layer->in_column;
                        out += layer->out_row - layer->columns * layer->out_column;
                    }
                }
                weights += block;
                rows += 80;
#endif
            }
        }
    }
}
