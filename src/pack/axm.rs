//! `<model>.axm`: what the runtime opens for one model. A stored ZIP with `manifest.json` and `model.json` at the root,
//! as the SDK's packer makes it (`voyager-semantics.md` 3.10), and every file that the manifest names.

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::PathBuf;

use serde_json::Value;

use super::archive::{Entry, write_zip};
use crate::base::fs;
use crate::pack::PackError;

/// Keys of `manifest.json` whose value is a file's name, relative to the manifest.
const FILE_KEYS: [&str; 5] =
    ["quantized_model_file", "model_lib_file", "model_params_file", "preprocess_graph", "postprocess_graph"];

/// Packs the files of a lowered model, given as (name, path). Every file that `manifest.json` names must be among
/// them; others come along, since `model.json` may name them.
pub fn write_axm<W: Write + Seek>(target: W, files: &[(String, PathBuf)]) -> Result<(), PackError> {
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for required in ["manifest.json", "model.json"] {
        if !names.contains(required) {
            return Err(PackError::Missing { name: required.to_owned(), named_by: "the package format".to_owned() });
        }
    }
    if let Some((_, path)) = files.iter().find(|(name, _)| name == "manifest.json") {
        let manifest: Value = serde_json::from_slice(&fs::read(path)?)
            .map_err(|error| PackError::Json { name: "manifest.json".to_owned(), message: error.to_string() })?;
        for key in FILE_KEYS {
            let named = manifest.get(key).and_then(Value::as_str);
            if let Some(name) = named.filter(|name| !name.is_empty() && !names.contains(name)) {
                return Err(PackError::Missing { name: name.to_owned(), named_by: format!("manifest.json, `{key}`") });
            }
        }
    }
    write_zip(target, files.iter().map(|(name, path)| Entry::file(name.clone(), path.clone())).collect())
}
