static void maximum_pool(const struct pool *layer, constants_t constants, const int8_t *from, int8_t *to) {
    const int32_t *rows = (const int32_t *)(const void *)(constants + layer->windows);
    const int32_t *columns = rows + 3 * layer->out_height;
    const int32_t channels = layer->channels, line = layer->width * channels;
    int32_t image, y, x, j, k, i;
    for (image = 0; image < layer->images; image++, from += layer->height * line) {
        for (y = 0; y < layer->out_height; y++) {
            for (x = 0; x < layer->out_width; x++, to += channels) {
                for (i = 0; i < channels; i++) to[i] = -128;
                for (j = 0; j < rows[3 * y + 1]; j++) {
                    for (k = 0; k < columns[3 * x + 1]; k++) {
                        const int8_t *source = from + (rows[3 * y] + j * layer->row_dilation) * line +
                                               (columns[3 * x] + k * layer->column_dilation) * channels;
                        for (i = 0; i < channels; i++) to[i] = source[i] > to[i] ? source[i] : to[i];
                    }
                }
            }
        }
    }
}
