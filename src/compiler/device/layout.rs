//! How tensors are stored: channels last, in whole words of the device.

use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;

/// Bytes of a device word (PWORD): channels are stored in whole words, and buffers begin at one.
pub const WORD: usize = 64;

/// Channels of an input are stored in groups of so many bytes: a pixel of three colours takes four.
const INPUT_CHANNELS: usize = 4;

/// A tensor as the device stores it: NHWC, padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLayout {
    /// NHWC with padding.
    pub shape: [usize; 4],
    /// Elements before and after N, H, W, C.
    pub padding: [usize; 8],
}

/// `[N,C,H,W]` as `[N,H,W,C]`. Tensors without a plane keep their last axis as channels: `[N,C]` is `[N,1,1,C]`, `[N,A,C]` is
/// `[N,1,A,C]`; more axes are folded into H.
#[must_use]
pub fn channels_last(shape: &[usize]) -> [usize; 4] {
    match *shape {
        [] => [1; 4],
        [n, c, h, w] => [n, h, w, c],
        [c] => [1, 1, 1, c],
        [n, c] => [n, 1, 1, c],
        [n, a, c] => [n, 1, a, c],
        [n, ref middle @ .., a, c] => [n, middle.iter().product(), a, c],
    }
}

/// Bytes of an int8 tensor: `[N,C,H,W]` with its channels filled up to whole words where they are `padded`, any other shape
/// packed; then filled up to a whole word.
#[must_use]
pub fn tensor_bytes(shape: &[usize], padded: bool) -> usize {
    let bytes = match *shape {
        [n, c, h, w] if padded => product(&[n, c.next_multiple_of(WORD), h, w]),
        _ => product(shape),
    };
    bytes.checked_next_multiple_of(WORD).unwrap_or(usize::MAX)
}

fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product: usize, size| product.saturating_mul(*size))
}

impl InputLayout {
    /// The rule for inputs, which reproduces the vendor's example (640×640×3 before a 3×3 convolution with padding 1 is
    /// 642×656×4, padded by 1 and 1 rows, 1 and 15 columns, 1 channel):
    ///
    /// 1. the padding of the convolution that reads the input (`pads`: top, left, bottom, right) is stored with it,
    /// 2. channels are filled up to a multiple of 4,
    /// 3. rows are filled up at their right end to a whole number of 64-byte words.
    ///
    /// The first two dimensions of the example are exactly 1.; that rows of 656·4 bytes are the next whole words after
    /// 642·4 is why 3. is taken to be the reason for the 15.
    #[must_use]
    pub fn of_input(shape: &[usize], pads: [usize; 4], cores: usize) -> Self {
        let [n, h, w, c] = channels_last(shape);
        let [top, left, bottom, right] = pads;
        let channels = c.next_multiple_of(INPUT_CHANNELS);
        let mut columns = left + w + right;
        while !(columns * channels).is_multiple_of(WORD) {
            columns += 1;
        }
        Self {
            shape: [n * cores, top + h + bottom, columns, channels],
            padding: [0, 0, top, bottom, left, columns - left - w, 0, channels - c],
        }
    }

    /// The rule for outputs: channels are filled up to whole 64-byte words.
    #[must_use]
    pub fn of_output(shape: &[usize], cores: usize) -> Self {
        let [n, h, w, c] = channels_last(shape);
        let channels = c.next_multiple_of(WORD);
        Self { shape: [n * cores, h, w, channels], padding: [0, 0, 0, 0, 0, 0, 0, channels - c] }
    }

    /// Bytes of the stored tensor.
    #[must_use]
    pub fn bytes(&self) -> usize {
        product(&self.shape)
    }
}

/// How the values of a graph are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// NHWC; the channels as they are stored. Shapes without a plane as [`channels_last`] folds them.
    pub dimensions: [usize; 4],
    /// Bytes, a multiple of [`WORD`].
    pub bytes: usize,
}

/// For each value of a graph how it is stored. Channels of images are filled up to words where they are `padded`; network
/// inputs are stored as whoever fills them does it: in the form of [`InputLayout`] where the host pads, else packed.
#[must_use]
pub fn stored(graph: &QuantizedGraph, padded: bool, host_pads: bool) -> Vec<Stored> {
    let plain = |shape: &[usize]| {
        let [n, h, w, c] = channels_last(shape);
        let c = if padded && shape.len() == 4 { c.next_multiple_of(WORD) } else { c };
        Stored { dimensions: [n, h, w, c], bytes: tensor_bytes(shape, padded) }
    };
    let mut all: Vec<Stored> = graph.values.iter().map(|value| plain(&value.shape)).collect();
    for &input in &graph.inputs {
        let shape = &graph.value(input).shape;
        if graph.outputs.contains(&input) || shape.len() != 4 {
            continue;
        }
        all[input.index()] = if host_pads {
            let layout = InputLayout::of_input(shape, input_pads(graph, input), 1);
            Stored { dimensions: layout.shape, bytes: layout.bytes().next_multiple_of(WORD) }
        } else {
            Stored { dimensions: channels_last(shape), bytes: tensor_bytes(shape, false) }
        };
    }
    all
}

/// The padding of the convolution that is the only reader of an input; none for another reader.
#[must_use]
pub fn input_pads(graph: &QuantizedGraph, input: TensorId) -> [usize; 4] {
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&input));
    match (readers.next().map(|node| &node.operator), readers.next()) {
        (Some(QuantizedOperator::Convolution { attributes, .. }), None) => attributes.pads,
        _ => [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_example_is_reproduced() {
        let layout = InputLayout::of_input(&[1, 3, 640, 640], [1, 1, 1, 1], 1);
        assert_eq!(layout.shape, [1, 642, 656, 4]);
        assert_eq!(layout.padding, [0, 0, 1, 1, 1, 15, 0, 1]);
        assert_eq!(layout.bytes(), 642 * 656 * 4);
    }

    #[test]
    fn cores_are_the_batch_and_every_rank_has_a_layout() {
        assert_eq!(InputLayout::of_input(&[1, 3, 224, 224], [0; 4], 4).shape, [4, 224, 224, 4]);
        assert_eq!(InputLayout::of_output(&[1, 1000], 4).shape, [4, 1, 1, 1024]);
        assert_eq!(InputLayout::of_output(&[1, 4420, 2], 1).padding, [0, 0, 0, 0, 0, 0, 0, 62]);
        assert_eq!(InputLayout::of_output(&[1, 2, 3, 4, 5], 1).shape, [1, 6, 4, 64]);
    }

    #[test]
    fn only_images_have_their_channels_padded() {
        let cases: [(&[usize], bool, usize); 6] = [
            (&[1, 3, 8, 8], true, 64 * 64),
            (&[1, 65, 2, 2], true, 128 * 4),
            (&[1, 3, 8, 8], false, 192),
            (&[1, 1000], true, 1024),
            (&[1, 4420, 2], true, 8896),
            (&[], true, 64),
        ];
        for (shape, padded, bytes) in cases {
            assert_eq!(tensor_bytes(shape, padded), bytes, "{shape:?} {padded}");
        }
    }
}
