/*
 * Runs of elements copied from places that differ from axis to axis: `how` holds the number of axes, the elements of a run and the sizes;
 * `places` holds for each axis what each of its positions adds to the place read.
 */
static void gather(const int32_t *how, const int32_t *places, const int8_t *from, int8_t *to) {
    const int32_t axes = how[0], run = how[1], *sizes = how + 2;
    int32_t index[8] = {0};
    for (;;) {
        const int32_t *added = places;
        const int8_t *source = from;
        int32_t axis, i;
        for (axis = 0; axis < axes; axis++) {
            source += added[index[axis]];
            added += sizes[axis];
        }
        for (i = 0; i < run; i++) to[i] = source[i];
        to += run;
        for (axis = axes - 1; axis >= 0; axis--) {
            if (++index[axis] < sizes[axis]) break;
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}
