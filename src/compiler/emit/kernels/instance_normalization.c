/* Each channel of each image by its own mean and variance: whole sums, from which a table for each channel is made in double. */
struct instance_normalization {
    int32_t images, positions, channels;
    float epsilon, scale, out_scale;
    int32_t zero_in, zero;
    uint32_t factors; /* offset of constants: for each channel its scale, then for each its bias */
};

union double_bits {
    double real;
    uint64_t bits;
};

/* The square root, rounded to nearest: digit by digit, exact. Of a normal number of at least 0, or infinity, or none at all. */
static double square_root(double x) {
    union double_bits it;
    uint64_t mantissa, root = 0, rest = 0;
    int32_t exponent, i;
    if (!(x > 0.0)) return x;
    it.real = x;
    exponent = (int32_t)(it.bits >> 52) - 1023;
    if (exponent == 1024) return x;
    mantissa = it.bits & 0xFFFFFFFFFFFFFu;
    if (exponent == -1023) {
        exponent++;
        while (!(mantissa >> 52)) {
            mantissa <<= 1;
            exponent--;
        }
    }
    mantissa |= (uint64_t)1 << 52;
    if (exponent & 1) {
        mantissa <<= 1;
        exponent--;
    }
    /* 54 digits of the root of mantissa * 2^54: two digits of it a step, the first 27 of them from the mantissa. */
    for (i = 26; i >= -27; i--) {
        uint64_t trial;
        rest = rest << 2 | (i >= 0 ? mantissa >> (2 * i) & 3 : 0);
        trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    /* The last digit and what is left decide the rounding; a tie cannot be. */
    root = (root >> 1) + (root & 1);
    it.bits = (uint64_t)(exponent / 2 + 1023 - 1) << 52;
    it.bits += root;
    return it.real;
}

/* n * squares - sum * sum, exact, as the nearest double. */
static double spread(uint64_t count, uint64_t squares, int64_t sum) {
    const uint64_t magnitude = sum < 0 ? (uint64_t)0 - (uint64_t)sum : (uint64_t)sum;
    uint64_t high[2], low[2], bits, sticky = 0;
    const uint64_t left[2] = {count, magnitude}, right[2] = {squares, magnitude};
    int32_t i, shift = 0;
    double real;
    for (i = 0; i < 2; i++) {
        const uint64_t a = left[i] >> 32, b = left[i] & 0xFFFFFFFFu, c = right[i] >> 32, d = right[i] & 0xFFFFFFFFu;
        const uint64_t middle = a * d + (b * d >> 32);
        const uint64_t other = b * c + (middle & 0xFFFFFFFFu);
        low[i] = left[i] * right[i];
        high[i] = a * c + (middle >> 32) + (other >> 32);
    }
    high[0] -= high[1] + (low[0] < low[1]);
    low[0] -= low[1];
    bits = low[0];
    while (high[0]) {
        sticky |= bits & 1;
        bits = bits >> 1 | high[0] << 63;
        high[0] >>= 1;
        shift++;
    }
    real = (double)(bits | sticky);
    for (; shift > 0; shift--) real = real * 2.0;
    return real;
}

static void instance_normalization(const struct instance_normalization *layer, constants_t constants, const int8_t *from,
                                   int8_t *to, unsigned char *scratch) {
    const float *scales = (const float *)(const void *)(constants + layer->factors), *biases = scales + layer->channels;
    const int32_t channels = layer->channels, positions = layer->positions;
    int64_t *sums = (int64_t *)(void *)scratch, *squares = sums + channels;
    int8_t *tables = (int8_t *)(squares + channels);
    int32_t image, position, i, q;
    for (image = 0; image < layer->images; image++, from += positions * channels, to += positions * channels) {
        for (i = 0; i < 2 * channels; i++) sums[i] = 0;
        for (position = 0; position < positions; position++) {
            for (i = 0; i < channels; i++) {
                const int32_t steps = from[position * channels + i] - layer->zero_in;
                sums[i] += steps;
                squares[i] += steps * steps;
            }
        }
        for (i = 0; i < channels; i++) {
            const double count = (double)positions, step = (double)layer->scale;
            const double mean = separate((double)sums[i] / count * step);
            const double variance = spread((uint64_t)positions, (uint64_t)squares[i], sums[i]) / (count * count) * step * step;
            const double slope = (double)scales[i] / square_root(separate(variance) + (double)layer->epsilon);
            for (q = -128; q < 128; q++) {
                const double x = separate((double)(q - layer->zero_in) * step);
                const double y = separate((x - mean) * slope) + (double)biases[i];
                tables[256 * i + q + 128] = (int8_t)quantize_wide(y, layer->out_scale, layer->zero);
            }
        }
        for (position = 0; position < positions; position++) {
            for (i = 0; i < channels; i++) {
                const int32_t at = position * channels + i;
                to[at] = tables[256 * i + from[at] + 128];
            }
        }
    }
}
