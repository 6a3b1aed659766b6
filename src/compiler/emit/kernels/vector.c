/* Vectors, where the processor has them. Every kernel has a plain form that gives the same bits. */
#if defined(__GNUC__) && defined(__AVX512VNNI__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#define WIDE 1
#define UNROLL _Pragma("GCC unroll 16")
typedef int32_t words16 __attribute__((vector_size(64)));
typedef float floats16 __attribute__((vector_size(64)));
typedef int8_t bytes16 __attribute__((vector_size(16)));
typedef int32_t words8 __attribute__((vector_size(32)));
typedef float floats8 __attribute__((vector_size(32)));
typedef int32_t loose_words16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef float loose_floats16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef int8_t loose_bytes16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef int32_t loose_words8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef float loose_floats8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef int32_t loose_word __attribute__((aligned(1), may_alias));
/* ROUNDING + n has these bits plus n. */
#define ROUNDING_BITS 0x4B400000
#else
#define WIDE 0
#endif
