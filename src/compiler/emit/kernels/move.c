/*
 * Elements moved: `how` holds the number of axes, the first place read and the first written, then the sizes, the steps between what is
 * read and the steps between what is written, outermost axis first. With a table they are looked up on the way.
 */
static void move(const int32_t *how, const int8_t *table, const int8_t *from, int8_t *to) {
    const int32_t axes = how[0], *sizes = how + 3, *in = sizes + axes, *out = in + axes;
    const int32_t size = sizes[axes - 1], in_step = in[axes - 1], out_step = out[axes - 1];
    int32_t index[8] = {0};
    int32_t axis, i;
    int64_t in_at = how[1], out_at = how[2];
    for (;;) {
        const int8_t *source = from + in_at;
        int8_t *target = to + out_at;
        if (table) {
            for (i = 0; i < size; i++) target[i * out_step] = table[source[i * in_step] + 128];
        } else if (in_step == 1 && out_step == 1) {
            for (i = 0; i < size; i++) target[i] = source[i];
        } else {
            for (i = 0; i < size; i++) target[i * out_step] = source[i * in_step];
        }
        for (axis = axes - 2; axis >= 0; axis--) {
            in_at += in[axis];
            out_at += out[axis];
            if (++index[axis] < sizes[axis]) break;
            index[axis] = 0;
            in_at -= (int64_t)in[axis] * sizes[axis];
            out_at -= (int64_t)out[axis] * sizes[axis];
        }
        if (axis < 0) return;
    }
}
