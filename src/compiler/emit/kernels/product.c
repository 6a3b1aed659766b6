static void product(const struct arithmetic *layer, const int8_t *left, int32_t left_step, const int8_t *right,
                    int32_t right_step, int8_t *to, int32_t count) {
    const int32_t zeros[2] = {layer->zeros[0], layer->zeros[1]}, zero = layer->zero;
    const float multiplier = layer->multiplier, low = layer->low, high = layer->high;
    int32_t i;
    EACH(to_int8((float)((x - zeros[0]) * (y - zeros[1])) * multiplier, low, high, zero))
}
