//! `manifest.json` as the vendor's tools read it (`voyager-semantics.md` 3.10): flat, file names relative to its folder.

use serde::{Deserialize, Serialize};

use crate::compiler::emit::constants::WORD;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;

/// The version of the manifest that is written.
pub(super) const MANIFEST_VERSION: &str = "1.0";

/// Channels of an input are stored in groups of so many bytes: a pixel of three colours takes four.
const INPUT_CHANNELS: usize = 4;

/// What is known of a quantized or a lowered model from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The quantized model, where it lies beside the manifest.
    pub quantized_model_file: Option<String>,
    /// (scale, zero point) of each input.
    pub quantize_params: Vec<(f32, i32)>,
    /// (scale, zero point) of each output.
    pub dequantize_params: Vec<(f32, i32)>,
    /// NHWC, padded; the first dimension is the number of cores (batch).
    pub input_shapes: Vec<[usize; 4]>,
    /// NHWC, padded.
    pub output_shapes: Vec<[usize; 4]>,
    /// Padding of each input: before and after N, H, W, C.
    pub n_padded_ch_inputs: Vec<[usize; 8]>,
    /// Padding of each output: before and after N, H, W, C.
    pub n_padded_ch_outputs: Vec<[usize; 8]>,
    /// The program; absent before lowering.
    pub model_lib_file: Option<String>,
    /// The constants; absent before lowering.
    pub model_params_file: Option<String>,
    /// What runs on the host before the program, where there is something.
    pub preprocess_graph: Option<String>,
    /// What runs on the host after the program, where there is something.
    pub postprocess_graph: Option<String>,
    /// The manifest's own version.
    pub manifest_version: String,
}

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
fn channels_last(shape: &[usize]) -> [usize; 4] {
    match *shape {
        [] => [1; 4],
        [n, c, h, w] => [n, h, w, c],
        [c] => [1, 1, 1, c],
        [n, c] => [n, 1, 1, c],
        [n, a, c] => [n, 1, a, c],
        [n, ref middle @ .., a, c] => [n, middle.iter().product(), a, c],
    }
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
}

/// The padding of the convolution that is the only reader of an input.
fn pads(graph: &QuantizedGraph, input: TensorId) -> [usize; 4] {
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&input));
    match (readers.next().map(|node| &node.operator), readers.next()) {
        (Some(QuantizedOperator::Convolution { attributes, .. }), None) => attributes.pads,
        _ => [0; 4],
    }
}

impl Manifest {
    /// Of a quantized model that is not lowered; `file` is its name beside the manifest.
    #[must_use]
    pub fn of_quantized(graph: &QuantizedGraph, file: &str) -> Self {
        Self { quantized_model_file: Some(file.to_owned()), ..Self::of(graph, 1) }
    }

    /// Of a lowered model.
    #[must_use]
    pub(super) fn of_program(graph: &QuantizedGraph, cores: usize, program: &str, constants: &str) -> Self {
        Self {
            model_lib_file: Some(program.to_owned()),
            model_params_file: Some(constants.to_owned()),
            ..Self::of(graph, cores)
        }
    }

    /// With the files that the host runs before and after the core.
    #[must_use]
    pub fn with_host(self, before: Option<&str>, after: Option<&str>) -> Self {
        let [preprocess_graph, postprocess_graph] = [before, after].map(|file| file.map(ToOwned::to_owned));
        Self { preprocess_graph, postprocess_graph, ..self }
    }

    fn of(graph: &QuantizedGraph, cores: usize) -> Self {
        let parameters = |ids: &[TensorId]| -> Vec<(f32, i32)> {
            let encodings = ids.iter().map(|&id| graph.value(id).encoding);
            encodings.map(|encoding| (encoding.scale, i32::from(encoding.zero_point))).collect()
        };
        let inputs =
            graph.inputs.iter().map(|&id| InputLayout::of_input(&graph.value(id).shape, pads(graph, id), cores));
        let outputs = graph.outputs.iter().map(|&id| InputLayout::of_output(&graph.value(id).shape, cores));
        let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
        Self {
            quantized_model_file: None,
            quantize_params: parameters(&graph.inputs),
            dequantize_params: parameters(&graph.outputs),
            input_shapes: inputs.iter().map(|layout| layout.shape).collect(),
            output_shapes: outputs.iter().map(|layout| layout.shape).collect(),
            n_padded_ch_inputs: inputs.iter().map(|layout| layout.padding).collect(),
            n_padded_ch_outputs: outputs.iter().map(|layout| layout.padding).collect(),
            model_lib_file: None,
            model_params_file: None,
            preprocess_graph: None,
            postprocess_graph: None,
            manifest_version: MANIFEST_VERSION.to_owned(),
        }
    }

    /// Whether the model is lowered.
    #[must_use]
    pub const fn is_compiled(&self) -> bool {
        self.model_lib_file.is_some()
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        super::run::json(self)
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
    }

    #[test]
    fn cores_are_the_batch_and_every_rank_has_a_layout() {
        assert_eq!(InputLayout::of_input(&[1, 3, 224, 224], [0; 4], 4).shape, [4, 224, 224, 4]);
        assert_eq!(InputLayout::of_output(&[1, 1000], 4).shape, [4, 1, 1, 1024]);
        assert_eq!(InputLayout::of_output(&[1, 4420, 2], 1).padding, [0, 0, 0, 0, 0, 0, 0, 62]);
        assert_eq!(InputLayout::of_output(&[1, 2, 3, 4, 5], 1).shape, [1, 6, 4, 64]);
    }
}
