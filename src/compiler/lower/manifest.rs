//! `manifest.json` as the vendor's tools read it (`voyager-semantics.md` 3.10): flat, file names relative to its folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::compiler::device::InputLayout;
use crate::compiler::device::input_pads;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::imaging::Preprocess;

/// The version of the manifest that is written.
pub(super) const MANIFEST_VERSION: &str = "1.0";

/// Keys that nothing beside the manifest bears out: those of a quantized model have a digest of their own.
pub(super) const SAID_HERE_ALONE: [&str; 2] = ["preprocess", "random_calibration"];

/// What is known of a quantized or a lowered model from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Digests of the files beside the manifest that a reader of it opens, by name, and of `preprocess` and
    /// `random_calibration` of a quantized model: what was changed since is noticed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    /// How the images of the calibration became the input, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<Preprocess>,
    /// Whether the model was calibrated on random numbers, so that its accuracy means nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random_calibration: bool,
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

    /// Writes down what files beside the manifest hold.
    #[must_use]
    pub fn with_digests<'a>(self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let digests = files.into_iter().map(|(name, bytes)| (name.to_owned(), Digest::of(bytes).to_string()));
        Self { digests: digests.collect(), ..self }
    }

    /// The same for what the manifest alone says: the last thing to be done to it.
    #[must_use]
    pub fn with_own_digests(mut self) -> Self {
        let own = SAID_HERE_ALONE.map(|key| (key.to_owned(), self.own_digest(key)));
        self.digests.extend(own);
        self
    }

    /// The digest of what is said under a key that the manifest alone says.
    pub(super) fn own_digest(&self, key: &str) -> String {
        let value = match key {
            "preprocess" => serde_json::to_vec(&self.preprocess),
            _ => serde_json::to_vec(&self.random_calibration),
        };
        Digest::of(&value.unwrap_or_default()).to_string()
    }

    /// With how images become the input.
    #[must_use]
    pub fn with_preprocess(self, preprocess: Option<Preprocess>) -> Self {
        Self { preprocess, ..self }
    }

    /// With whether the calibration was on random numbers.
    #[must_use]
    pub fn with_random_calibration(self, random_calibration: bool) -> Self {
        Self { random_calibration, ..self }
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
            graph.inputs.iter().map(|&id| InputLayout::of_input(&graph.value(id).shape, input_pads(graph, id), cores));
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
            digests: BTreeMap::new(),
            preprocess: None,
            random_calibration: false,
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
