/* Keeps a product from being fused with the addition that follows. */
SPARE static double separate(double product) {
    volatile double kept = product;
    return kept;
}

/* A real number in steps of `scale`, rounded to the nearest integer, ties to even; what is not a number is the lowest. */
SPARE static int32_t quantize_wide(double real, float scale, int32_t zero) {
    const double low = -128.0 - (double)zero, high = 127.0 - (double)zero;
    double steps = real / (double)scale;
    steps = steps > low ? steps : low;
    steps = steps < high ? steps : high;
    steps = steps + 6755399441055744.0;
    steps = steps - 6755399441055744.0;
    return (int32_t)steps + zero;
}
