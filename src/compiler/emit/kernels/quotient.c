static void quotient(const struct arithmetic *layer, const int8_t *left, int32_t left_step, const int8_t *right,
                     int32_t right_step, int8_t *to, int32_t count) {
    int32_t i;
    for (i = 0; i < count; i++) {
        const double x = (double)(left[i * left_step] - layer->zeros[0]) * (double)layer->scales[0];
        const double y = (double)(right[i * right_step] - layer->zeros[1]) * (double)layer->scales[1];
        int32_t q = quantize_wide(x / y, layer->out_scale, layer->zero);
        q = q > layer->lowest ? q : layer->lowest;
        to[i] = (int8_t)(q < layer->highest ? q : layer->highest);
    }
}
