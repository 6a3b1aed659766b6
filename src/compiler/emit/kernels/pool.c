/* Windows over [H, W, C]: for each output row and then each output column the first place inside the input, how many there are, and how many
   count where padding does. */
struct pool {
    int32_t images, height, width, channels, out_height, out_width, row_dilation, column_dilation;
    uint32_t windows; /* offset of constants */
    float scale, out_scale, low, high;
    int32_t zero_in, zero, with_padding;
};
