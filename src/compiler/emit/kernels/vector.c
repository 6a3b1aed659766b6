/* Vectors, where the processor has them: 16 words at a time with VNNI, 8 with AVX2. Every kernel has a plain form that gives the same bits. */
#if defined(__GNUC__) && defined(__AVX512VNNI__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#define LANES 16
#elif defined(__GNUC__) && defined(__AVX2__)
#define LANES 8
#else
#define LANES 0
#endif
#if LANES
#define UNROLL _Pragma("GCC unroll 16")
typedef int32_t words8 __attribute__((vector_size(32)));
typedef float floats8 __attribute__((vector_size(32)));
typedef int32_t loose_words8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef float loose_floats8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef int32_t loose_word __attribute__((aligned(1), may_alias));
/* ROUNDING + n has these bits plus n. */
#define ROUNDING_BITS 0x4B400000
/* In both orders that assemblers have: -masm=att, -masm=intel. */
#define OPERANDS " {%2, %1, %0|%0, %1, %2}"
#define PAIR(INSTRUCTION, TO, LEFT, RIGHT) __asm__(INSTRUCTION OPERANDS : "=v"(TO) : "v"(LEFT), "v"(RIGHT))
#endif
#if LANES == 16
typedef int32_t words16 __attribute__((vector_size(64)));
typedef float floats16 __attribute__((vector_size(64)));
typedef int8_t bytes16 __attribute__((vector_size(16)));
typedef int32_t loose_words16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef float loose_floats16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef int8_t loose_bytes16 __attribute__((vector_size(16), aligned(1), may_alias));
#elif LANES == 8
typedef int16_t halves16 __attribute__((vector_size(32)));
typedef uint16_t counts16 __attribute__((vector_size(32)));
typedef int8_t bytes8 __attribute__((vector_size(8)));
typedef int8_t loose_bytes8 __attribute__((vector_size(8), aligned(1), may_alias));
/* Every second byte as 16 bits: from the first on and from the second on, unsigned and signed. Products of two such are exact. */
#define FIRST_COUNTS(BYTES) ((words8)((counts16)(BYTES) & (counts16)((words8){0} + 0x00FF00FF)))
#define SECOND_COUNTS(BYTES) ((words8)((counts16)(BYTES) >> 8))
#define FIRST_BYTES(BYTES) ((words8)((halves16)((counts16)(BYTES) << 8) >> 8))
#define SECOND_BYTES(BYTES) ((words8)((halves16)(BYTES) >> 8))
#endif
