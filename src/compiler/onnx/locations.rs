//! Which files beside an ONNX file hold its tensors, told without importing it.

use std::collections::BTreeSet;

use super::import;
use super::proto::ModelProto;
use super::proto::TensorProto;

/// `data_location` of a tensor that lies in another file.
const EXTERNAL: i32 = 1;

/// The `location` of every initializer that lies in another file, sorted; nothing for bytes that are not ONNX.
#[must_use]
pub fn external_locations(bytes: &[u8]) -> BTreeSet<String> {
    import::decode(bytes).map_or_else(|_| BTreeSet::new(), |model| of_model(&model))
}

/// Whether a tensor lies in another file.
pub(super) const fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == EXTERNAL
}

/// [`external_locations`] of a decoded file.
pub(super) fn of_model(model: &ModelProto) -> BTreeSet<String> {
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    let external = initializers.filter(|tensor| is_external(tensor));
    let entries = external.flat_map(|tensor| &tensor.external_data).filter(|entry| entry.key == "location");
    entries.map(|entry| tidy(&entry.value).to_owned()).collect()
}

/// A `location` without the `./` that some exporters put before it.
pub(super) fn tidy(location: &str) -> &str {
    location.trim_start_matches("./")
}
