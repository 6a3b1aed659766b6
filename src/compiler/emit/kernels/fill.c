static void fill(int8_t *to, int32_t count, int8_t value) {
    int32_t i;
    for (i = 0; i < count; i++) to[i] = value;
}
