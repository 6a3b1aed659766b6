//! The work of the pack and bundle steps.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::axm::write_axm;
use super::bundle::{BundledModel, write_bundle};
use crate::base::fs;
use crate::pack::PackError;
use crate::plan::BundleSettings;
use crate::plan::PackSettings;

/// What enters the key of a pack and of a bundle step.
pub const PACK_IDENTITY: &str = "axzoo/pack/1";

/// Inputs of a step: role → readable file.
type Inputs = [(String, PathBuf)];

fn under<'a>(inputs: &'a Inputs, prefix: &str) -> Vec<(&'a str, &'a Path)> {
    let below = inputs.iter().filter_map(|(role, path)| Some((role.strip_prefix(prefix)?, path.as_path())));
    below.collect()
}

/// JSON with two blanks of indent, fields in the order of the type.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), PackError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| PackError::Json { name: path.display().to_string(), message: error.to_string() })?;
    bytes.push(b'\n');
    fs::write(path, &bytes)?;
    Ok(())
}

/// Packs one model: reads `compiled/NAME` and `labels`; writes `<model>.axm`, `model_info.json`, `compile_config.json` and
/// `compiler_config.toml`.
pub fn pack_model(settings: &PackSettings, inputs: &Inputs, output: &Path) -> Result<(), PackError> {
    let files: Vec<(String, PathBuf)> =
        under(inputs, "compiled/").into_iter().map(|(name, path)| (name.to_owned(), path.to_owned())).collect();
    let package = output.join(format!("{}.axm", settings.model));
    write_axm(fs::create(&package)?, &files)?;
    let mut info = settings.model_info.clone();
    if let Some((_, path)) = inputs.iter().find(|(role, _)| role == "labels") {
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        info.labels = text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect();
    }
    write_json(&output.join("model_info.json"), &info)?;
    write_json(&output.join("compile_config.json"), &settings.compile_config)?;
    fs::write(&output.join("compiler_config.toml"), settings.compiler_config.as_bytes())?;
    Ok(())
}

/// Bundles one network: reads `package/MODEL` and `weights/MODEL`; writes `<network>.zip`.
pub fn bundle_network(settings: &BundleSettings, inputs: &Inputs, output: &Path) -> Result<(), PackError> {
    let packages = under(inputs, "package/");
    let weights = under(inputs, "weights/");
    let models: Result<Vec<BundledModel>, PackError> = settings
        .models
        .iter()
        .map(|name| {
            let find = |files: &[(&str, &Path)]| {
                files.iter().find(|(model, _)| model == name).map(|(_, path)| path.to_path_buf())
            };
            let package = find(&packages).ok_or_else(|| PackError::Missing {
                name: format!("{name}.axm"),
                named_by: "the network".to_owned(),
            })?;
            let sources = find(&weights).map(|path| ("weights".to_owned(), path)).into_iter().collect();
            Ok(BundledModel { name: name.clone(), package, sources })
        })
        .collect();
    let target = fs::create(&output.join(format!("{}.zip", settings.network)))?;
    write_bundle(target, &settings.description, &models?)
}
