static void average_pool(const struct pool *layer, constants_t constants, const int8_t *from, int8_t *to,
                         unsigned char *scratch) {
    const int32_t *rows = (const int32_t *)(const void *)(constants + layer->windows);
    const int32_t *columns = rows + 3 * layer->out_height;
    const int32_t channels = layer->channels, line = layer->width * channels;
    int32_t *sums = (int32_t *)(void *)scratch;
    int32_t image, y, x, j, k, i;
    for (image = 0; image < layer->images; image++, from += layer->height * line) {
        for (y = 0; y < layer->out_height; y++) {
            const int32_t *row = rows + 3 * y;
            for (x = 0; x < layer->out_width; x++, to += channels) {
                const int32_t *column = columns + 3 * x;
                int32_t count = layer->with_padding ? row[2] * column[2] : row[1] * column[1];
                float multiplier;
                /* A window that lies in padding alone has no elements; its mean is zero. */
                count = count > 1 ? count : 1;
                multiplier = layer->scale / (layer->out_scale * (float)count);
                for (i = 0; i < channels; i++) sums[i] = 0;
                for (j = 0; j < row[1]; j++) {
                    for (k = 0; k < column[1]; k++) {
                        const int8_t *source =
                            from + (row[0] + j * layer->row_dilation) * line + (column[0] + k * layer->column_dilation) * channels;
                        for (i = 0; i < channels; i++) sums[i] += source[i] - layer->zero_in;
                    }
                }
                for (i = 0; i < channels; i++) {
                    to[i] = to_int8((float)sums[i] * multiplier, layer->low, layer->high, layer->zero);
                }
            }
        }
    }
}
