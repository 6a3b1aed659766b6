/* Shares of whole exponentials by the distance from the largest element, along an axis whose elements lie `inner` apart. */
struct softmax {
    int32_t outer, length, inner;
    uint32_t exponentials; /* offset of constants */
    float out_scale, low, high;
    int32_t zero;
};

static void softmax(const struct softmax *layer, constants_t constants, const int8_t *from, int8_t *to) {
    const int32_t *exponentials = (const int32_t *)(const void *)(constants + layer->exponentials);
    const int32_t inner = layer->inner, length = layer->length;
    int32_t outer, column, i;
    for (outer = 0; outer < layer->outer; outer++, from += length * inner, to += length * inner) {
        for (column = 0; column < inner; column++) {
            int32_t largest = -128, total = 0;
            float multiplier;
            for (i = column; i < length * inner; i += inner) largest = from[i] > largest ? from[i] : largest;
            for (i = column; i < length * inner; i += inner) total += exponentials[largest - from[i]];
            multiplier = 1.0f / ((float)total * layer->out_scale);
            for (i = column; i < length * inner; i += inner) {
                to[i] = to_int8((float)exponentials[largest - from[i]] * multiplier, layer->low, layer->high, layer->zero);
            }
        }
    }
}
