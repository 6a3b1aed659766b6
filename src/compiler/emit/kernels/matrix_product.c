/* [..., M, K] by [..., K, N]; `how` holds the number of leading axes, their sizes, and the steps of both operands along them. */
struct matrix_product {
    int32_t rows, length, columns, zeros[2], zero;
    float multiplier, low, high;
};

static void matrix_product(const struct matrix_product *layer, const int32_t *how, const int8_t *left, const int8_t *right, int8_t *to,
                           unsigned char *scratch) {
    const int32_t axes = how[0], *sizes = how + 1, *first = sizes + axes, *second = first + axes;
    const int32_t columns = layer->columns;
    int32_t *sums = (int32_t *)(void *)scratch;
    int32_t index[8] = {0};
    int32_t axis, row, k, i;
    for (;;) {
        for (row = 0; row < layer->rows; row++, to += columns) {
            for (i = 0; i < columns; i++) sums[i] = 0;
            for (k = 0; k < layer->length; k++) {
                const int32_t x = left[row * layer->length + k] - layer->zeros[0];
                const int8_t *line = right + k * columns;
                for (i = 0; i < columns; i++) sums[i] += x * (line[i] - layer->zeros[1]);
            }
            for (i = 0; i < columns; i++) to[i] = to_int8((float)sums[i] * layer->multiplier, layer->low, layer->high, layer->zero);
        }
        for (axis = axes - 1; axis >= 0; axis--) {
            left += first[axis];
            right += second[axis];
            if (++index[axis] < sizes[axis]) break;
            index[axis] = 0;
            left -= (int64_t)first[axis] * sizes[axis];
            right -= (int64_t)second[axis] * sizes[axis];
        }
        if (axis < 0) return;
    }
}
