//! `<network>.zip`: every model of a network and `network.json`, which says how they work together and what they were
//! made from (SPEC 9).

use std::io::{Seek, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::archive::{Entry, write_zip};
use crate::base::fs;
use crate::pack::PackError;

/// One model of a bundle.
#[derive(Debug, Clone)]
pub struct BundledModel {
    /// The model's name; its package is `<name>.axm`.
    pub name: String,
    /// The package.
    pub package: PathBuf,
    /// What went in: role → file; only digests are recorded.
    pub sources: Vec<(String, PathBuf)>,
}

/// Writes the bundle. `description` is `network.json` without digests: an object, to which `"packages"` is added.
pub fn write_bundle<W: Write + Seek>(target: W, description: &Value, models: &[BundledModel]) -> Result<(), PackError> {
    let mut entries = Vec::new();
    let mut packages = Vec::new();
    for model in models {
        let file = format!("{}.axm", model.name);
        let mut sources = serde_json::Map::new();
        for (role, path) in &model.sources {
            sources.insert(role.clone(), json!(fs::digest(path)?));
        }
        packages.push(json!({
            "model": model.name,
            "file": file,
            "bytes": fs::stat(&model.package).map_or(0, |stat| stat.size),
            "blake3": fs::digest(&model.package)?,
            "made_from": sources,
        }));
        entries.push(Entry::file(file, model.package.clone()));
    }
    let mut network = description.clone();
    if let Some(fields) = network.as_object_mut() {
        fields.insert("packages".to_owned(), Value::from(packages));
    }
    entries.push(Entry::bytes("network.json", format!("{network:#}\n").into_bytes()));
    write_zip(target, entries)
}
