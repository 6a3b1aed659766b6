/*
 * Depth-wise convolution: 32 channels at a time. The input is copied into its padding as unsigned bytes, 128 higher. Weights are packed
 * [32 channels][4 places][lane][4]; lanes and `rows` (biases, multipliers, lowest and highest steps, zero points) are in the order that
 * interleaving bytes within 128 bits makes: lane 8 * i + 4 * h + e is channel 16 * h + 4 * i + e.
 */
struct depthwise {
    int32_t images, in_image, out_image;
    int32_t height, width, channels;
    int32_t top, left, padded_height, padded_width;
    int32_t out_height, out_width, in_row, in_column;
    int32_t quads;                                   /* kernel places in fours; what is behind the last has zero weights */
    uint32_t paddings, places, weights, rows;        /* offsets of constants */
};

static void surround_channels(const struct depthwise *layer, const int8_t *paddings, const int8_t *from, uint8_t *to) {
    const int32_t channels = layer->channels, inner = layer->width * channels;
    int32_t y, x, i;
    for (y = 0; y < layer->padded_height; y++) {
        const int32_t row = y - layer->top;
        const int32_t inside = row >= 0 && row < layer->height;
        const int32_t end = layer->left + layer->width < layer->padded_width ? layer->left + layer->width : layer->padded_width;
        for (x = 0; x < layer->padded_width; x++, to += channels) {
            if (inside && x == layer->left) {
                const int8_t *line = from + row * inner;
                const int32_t count = (end - layer->left) * channels;
                for (i = 0; i < count; i++) to[i] = (uint8_t)(line[i] ^ -128);
                to += count - channels;
                x = end - 1;
            } else {
                for (i = 0; i < channels; i++) to[i] = (uint8_t)(paddings[i] ^ -128);
            }
        }
    }
}

#if LANES
/* Adds to each sum the products of its four unsigned and its four signed bytes. */
static inline words8 add_products(words8 sums, words8 unsigned_bytes, words8 signed_bytes) {
#if LANES == 16
    __asm__("vpdpbusd" OPERANDS : "+v"(sums) : "v"(unsigned_bytes), "v"(signed_bytes));
#else
    words8 first, second;
    PAIR("vpmaddwd", first, FIRST_COUNTS(unsigned_bytes), FIRST_BYTES(signed_bytes));
    PAIR("vpmaddwd", second, SECOND_COUNTS(unsigned_bytes), SECOND_BYTES(signed_bytes));
    sums += first;
    sums += second;
#endif
    return sums;
}

static void depthwise_at(const struct depthwise *layer, const int32_t *places, const int8_t *weights, const int32_t *rows,
                         const uint8_t *from, int8_t *to, int32_t channels) {
    words8 sums[4], a, b, c, d, low_left, high_left, low_right, high_right, x[4];
    int32_t quad, i;
    UNROLL for (i = 0; i < 4; i++) sums[i] = *(const loose_words8 *)(rows + 8 * i);
    for (quad = 0; quad < layer->quads; quad++, places += 4, weights += 128) {
        a = *(const loose_words8 *)(from + places[0]);
        b = *(const loose_words8 *)(from + places[1]);
        c = *(const loose_words8 *)(from + places[2]);
        d = *(const loose_words8 *)(from + places[3]);
        PAIR("vpunpcklbw", low_left, a, b);
        PAIR("vpunpckhbw", high_left, a, b);
        PAIR("vpunpcklbw", low_right, c, d);
        PAIR("vpunpckhbw", high_right, c, d);
        PAIR("vpunpcklwd", x[0], low_left, low_right);
        PAIR("vpunpckhwd", x[1], low_left, low_right);
        PAIR("vpunpcklwd", x[2], high_left, high_right);
        PAIR("vpunpckhwd", x[3], high_left, high_right);
        UNROLL for (i = 0; i < 4; i++) sums[i] = add_products(sums[i], x[i], *(const loose_words8 *)(weights + 32 * i));
    }
    UNROLL for (i = 0; i < 4; i++) {
        floats8 steps = __builtin_convertvector(sums[i], floats8) * *(const loose_floats8 *)(rows + 32 + 8 * i);
        PAIR("vmaxps", steps, steps, *(const loose_floats8 *)(rows + 64 + 8 * i));
        PAIR("vminps", steps, steps, *(const loose_floats8 *)(rows + 96 + 8 * i));
        steps += ROUNDING;
        sums[i] = (words8)steps + (*(const loose_words8 *)(rows + 128 + 8 * i) - ROUNDING_BITS);
    }
    PAIR("vpackssdw", a, sums[0], sums[1]);
    PAIR("vpackssdw", b, sums[2], sums[3]);
    PAIR("vpacksswb", c, a, b);
    if (channels >= 32) {
        *(loose_words8 *)to = c;
    } else {
        int8_t bytes[32];
        *(loose_words8 *)bytes = c;
        for (i = 0; i < channels; i++) to[i] = bytes[i];
    }
}
#else
static void depthwise_at(const struct depthwise *layer, const int32_t *places, const int8_t *weights, const int32_t *rows,
                         const uint8_t *from, int8_t *to, int32_t channels) {
    const float *scale = (const float *)(const void *)rows;
    int32_t channel, quad, k;
    for (channel = 0; channel < 32 && channel < channels; channel++) {
        const int32_t lane = 8 * (channel / 4 % 4) + 4 * (channel / 16) + channel % 4;
        uint32_t sum = (uint32_t)rows[lane];
        for (quad = 0; quad < layer->quads; quad++) {
            for (k = 0; k < 4; k++) {
                sum += (uint32_t)(from[places[4 * quad + k] + channel] * weights[128 * quad + 4 * lane + k]);
            }
        }
        to[channel] = to_int8((float)(int32_t)sum * scale[32 + lane], scale[64 + lane], scale[96 + lane], rows[128 + lane]);
    }
}
#endif

static void depthwise(const struct depthwise *layer, constants_t constants, const int8_t *from, int8_t *to,
                      unsigned char *scratch) {
    const int32_t *places = (const int32_t *)(const void *)(constants + layer->places);
    int32_t image, first, y, x;
    for (image = 0; image < layer->images; image++, from += layer->in_image, to += layer->out_image) {
        const int8_t *weights = (const int8_t *)(constants + layer->weights);
        const int32_t *rows = (const int32_t *)(const void *)(constants + layer->rows);
        surround_channels(layer, (const int8_t *)(constants + layer->paddings), from, scratch);
        for (first = 0; first < layer->channels; first += 32, weights += 128 * layer->quads, rows += 160) {
            int8_t *out = to + first;
            for (y = 0; y < layer->out_height; y++) {
                const uint8_t *in = scratch + first + y * layer->in_row;
                for (x = 0; x < layer->out_width; x++, in += layer->in_column, out += layer->channels) {
                    depthwise_at(layer, places, weights, rows, in, out, layer->channels - first);
                }
            }
        }
    }
}
