#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the constants are stored little endian"
#endif
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error "results are exact: compile without -ffast-math, -funsafe-math-optimizations and -fassociative-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "float expressions must be evaluated as float (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

/* What not every network needs. */
#if defined(__GNUC__)
#define SPARE __attribute__((unused))
#else
#define SPARE
#endif

typedef const unsigned char *constants_t;

/* Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even, up to 2^22. */
#define ROUNDING 12582912.0f

/* Steps of the output to int8: clamp, round, add the zero point. What is not a number becomes the lowest value. */
SPARE static inline int8_t to_int8(float steps, float low, float high, int32_t zero) {
    steps = steps > low ? steps : low;
    steps = steps < high ? steps : high;
    steps = steps + ROUNDING;
    steps = steps - ROUNDING;
    return (int8_t)((int32_t)steps + zero);
}
