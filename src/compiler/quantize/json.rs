//! The quantized graph as a file: one self-contained JSON document.
//!
//! `{"format": "axzoo-quantized-graph", "version": 1, "graph": {…}}`, fields in the order of the structs, so the same graph is
//! the same bytes. Int8 tensors (weights, constants, tables) are base64 of their bytes, row-major; scales and
//! biases are numbers. Scales are written with as many digits as bring back the same f32.

use serde::Deserialize;
use serde::Serialize;

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::quantize::QuantizedGraph;

const FORMAT: &str = "axzoo-quantized-graph";
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    graph: &'a QuantizedGraph,
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    graph: QuantizedGraph,
}

impl QuantizedGraph {
    /// The document, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let written = Written { format: FORMAT, version: VERSION, graph: self };
        // Writing fails only for maps whose keys are no strings and for failing writers; there are neither.
        let mut bytes = serde_json::to_vec_pretty(&written).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads and verifies a document.
    pub fn from_json(bytes: &[u8]) -> Result<Self, StageError> {
        let failed = |message: String| {
            StageError::new(Status::TvmFrontendError, message).hint("quantize the model again to write a new file")
        };
        let head: Head = serde_json::from_slice(bytes)
            .map_err(|error| failed(format!("the quantized model is not one that axzoo wrote: {error}")))?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(failed(format!(
                "the quantized model has the format `{}` version {}, expected `{FORMAT}` version {VERSION}",
                head.format, head.version
            )));
        }
        let Read { graph } = serde_json::from_slice(bytes)
            .map_err(|error| failed(format!("the quantized model cannot be read: {error}")))?;
        graph.verify().map_err(|(node, message)| {
            let error = failed(format!("the quantized model is damaged: {message}"));
            match node {
                Some(node) => error.node(node),
                None => error,
            }
        })?;
        Ok(graph)
    }
}

/// Int8 values as base64.
pub(crate) mod bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    pub(crate) fn serialize<S: Serializer>(values: &[i8], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().map(|&value| value as u8).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(bytes.into_iter().map(|byte| byte as i8).collect())
    }
}

/// Int8 values as base64, where there are any.
pub(crate) mod bytes_or_none {
    use serde::Deserializer;
    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
    pub(crate) fn serialize<S: Serializer>(values: &Option<Vec<i8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match values {
            Some(values) => super::bytes::serialize(values, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<i8>>, D::Error> {
        super::bytes::deserialize(deserializer).map(Some)
    }
}
