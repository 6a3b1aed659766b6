/* Bilinear interpolation of [H, W, C]: for each output row and then each output column two places and the weight of the second, in parts. */
struct linear_resize {
    int32_t images, height, width, channels, out_height, out_width, row_parts, column_parts;
    uint32_t neighbours; /* offset of constants */
    float multiplier, low, high;
    int32_t zero_in, zero;
};

static void linear_resize(const struct linear_resize *layer, constants_t constants, const int8_t *from, int8_t *to) {
    const int32_t *rows = (const int32_t *)(const void *)(constants + layer->neighbours);
    const int32_t *columns = rows + 3 * layer->out_height;
    const int32_t channels = layer->channels, line = layer->width * channels, zero_in = layer->zero_in;
    const float multiplier = layer->multiplier, low = layer->low, high = layer->high;
    int32_t image, y, x, i;
    for (image = 0; image < layer->images; image++, from += layer->height * line) {
        for (y = 0; y < layer->out_height; y++) {
            const int8_t *above = from + rows[3 * y] * line, *below = from + rows[3 * y + 1] * line;
            const int32_t down = rows[3 * y + 2], up = layer->row_parts - down;
            for (x = 0; x < layer->out_width; x++, to += channels) {
                const int32_t left = columns[3 * x] * channels, right = columns[3 * x + 1] * channels;
                const int32_t second = columns[3 * x + 2], first = layer->column_parts - second;
                for (i = 0; i < channels; i++) {
                    const int32_t top = (above[left + i] - zero_in) * first + (above[right + i] - zero_in) * second;
                    const int32_t bottom = (below[left + i] - zero_in) * first + (below[right + i] - zero_in) * second;
                    to[i] = to_int8((float)(top * up + bottom * down) * multiplier, low, high, layer->zero);
                }
            }
        }
    }
}
