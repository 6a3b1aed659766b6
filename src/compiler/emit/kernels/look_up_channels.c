/* Each of `channels` neighbours through a table of its own. */
static void look_up_channels(const int8_t *tables, const int8_t *from, int8_t *to, int32_t positions, int32_t channels) {
    int32_t position, i;
    for (position = 0; position < positions; position++, from += channels, to += channels) {
        for (i = 0; i < channels; i++) to[i] = tables[256 * i + from[i] + 128];
    }
}
