/* Each element through a table whose first entry is that of -128; `from` and `to` may be the same. */
static void look_up(const int8_t *table, const int8_t *from, int8_t *to, int32_t count) {
    int32_t i = 0;
#if LANES == 16 && defined(__AVX512VBMI__)
    const words16 below[2] = {*(const loose_words16 *)table, *(const loose_words16 *)(table + 64)};
    const words16 above[2] = {*(const loose_words16 *)(table + 128), *(const loose_words16 *)(table + 192)};
    for (; i + 64 <= count; i += 64) {
        const words16 x = *(const loose_words16 *)(from + i);
        words16 low = x, high = x;
        __asm__("vpermi2b" OPERANDS : "+v"(low) : "v"(below[0]), "v"(below[1]));
        __asm__("vpermi2b" OPERANDS : "+v"(high) : "v"(above[0]), "v"(above[1]));
        __asm__("vpmovb2m {%2, %%k1|%%k1, %2}\n\tvmovdqu8 {%1, %0%{%%k1%}|%0%{%%k1%}, %1}" : "+v"(high) : "v"(low), "v"(x) : "k1");
        *(loose_words16 *)(to + i) = high;
    }
#endif
    for (; i < count; i++) to[i] = table[from[i] + 128];
}
