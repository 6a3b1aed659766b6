/*
 * Two operands, broadcast: `how` holds the number of axes, the sizes, the steps of the first and of the second operand, outermost axis first;
 * the innermost steps are 0 or 1.
 */
struct arithmetic {
    float scales[2], out_scale; /* of a sum and a quotient */
    float multiplier;           /* of a product */
    float low, high;
    int32_t zeros[2], zero, lowest, highest;
};

typedef void (*operate)(const struct arithmetic *, const int8_t *, int32_t, const int8_t *, int32_t, int8_t *, int32_t);

static void arithmetic(const struct arithmetic *layer, const int32_t *how, operate run, const int8_t *left,
                       const int8_t *right, int8_t *to) {
    const int32_t axes = how[0], *sizes = how + 1, *first = sizes + axes, *second = first + axes;
    const int32_t size = sizes[axes - 1];
    int32_t index[8] = {0};
    int32_t axis;
    for (;;) {
        run(layer, left, first[axes - 1], right, second[axes - 1], to, size);
        to += size;
        for (axis = axes - 2; axis >= 0; axis--) {
            left += first[axis];
            right += second[axis];
            if (++index[axis] < sizes[axis]) break;
            index[axis] = 0;
            left -= (int64_t)first[axis] * sizes[axis];
            right -= (int64_t)second[axis] * sizes[axis];
        }
        if (axis < 0) return;
    }
}

/* The same expression over both, over one and a neighbour-less other, so that each loop can become vector instructions. */
#define EACH(EXPRESSION)                                               \
    if (left_step && right_step) {                                     \
        for (i = 0; i < count; i++) {                                  \
            const int8_t x = left[i], y = right[i];                    \
            to[i] = EXPRESSION;                                        \
        }                                                              \
    } else if (left_step) {                                            \
        const int8_t y = right[0];                                     \
        for (i = 0; i < count; i++) {                                  \
            const int8_t x = left[i];                                  \
            to[i] = EXPRESSION;                                        \
        }                                                              \
    } else {                                                           \
        const int8_t x = left[0];                                      \
        for (i = 0; i < count; i++) {                                  \
            const int8_t y = right[right_step * i];                    \
            to[i] = EXPRESSION;                                        \
        }                                                              \
    }
