/* Each operand in steps of the output (a division ends it, so nothing is fused with the sum), then their sum. */
#define TERM(Q, WHICH) ((float)((Q) - zeros[WHICH]) * scales[WHICH] / out_scale)

static void sum(const struct arithmetic *layer, const int8_t *left, int32_t left_step, const int8_t *right, int32_t right_step,
                int8_t *to, int32_t count) {
    const int32_t zeros[2] = {layer->zeros[0], layer->zeros[1]}, zero = layer->zero;
    const float scales[2] = {layer->scales[0], layer->scales[1]}, out_scale = layer->out_scale;
    const float low = layer->low, high = layer->high;
    int32_t i;
    EACH(to_int8(TERM(x, 0) + TERM(y, 1), low, high, zero))
}
