//! What a finished build was made with, read back from the files that it left.

use serde_json::Value as Json;

use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Source;
use crate::diag::Span;
use crate::properties;
use crate::properties::Value;
use crate::yaml;

use super::effective::Config;
use super::layer::Layer;
use super::origin::LayerKind;
use super::origin::Origin;
use super::raw::RawEntry;
use super::raw::RawValue;
use super::toml_file;

/// Deepest table that kept keys are read from.
const DEPTH: usize = 16;

impl Config {
    /// The configuration of a build: every property from its `compile_config.json`, the kept keys from its
    /// `compiler_config.toml`. A property that the file does not have was not there yet, so it has its default.
    ///
    /// # Errors
    /// `config/build-record` when a file is not what a build writes.
    pub fn of_build(values: &Source, kept: &Source) -> Result<Self, Box<Diagnostic>> {
        let damaged = |source: &Source, why: String| {
            let message = format!("`{}` is not what a build writes: {why}", source.name());
            let problem = Diagnostic::error("config/build-record", message).in_file(source.name());
            Box::new(problem.hint("`axzoo build` puts it back"))
        };
        let json: Json = serde_json::from_str(values.text()).map_err(|error| damaged(values, error.to_string()))?;
        let Json::Object(entries) = json else { return Err(damaged(values, "expected an object".to_owned())) };
        // JSON has no places, but to the reader of YAML it is YAML.
        let tree = yaml::parse(values).ok();
        let place = |name: &str| {
            let span = tree.as_ref().and_then(|tree| tree.get(name)).map_or_else(Span::default, |node| node.span);
            Place::new(values, span)
        };
        let mut config = Self::default();
        let mut layer = Layer::default();
        for (name, value) in entries {
            let value: Value =
                serde_json::from_value(value).map_err(|error| damaged(values, format!("`{name}`: {error}")))?;
            if properties::find(&name).is_some() {
                let origin = Origin { layer: LayerKind::Build, place: Some(place(&name)) };
                config.overlay(&name, value, origin);
            } else {
                layer.extra.insert(name.clone(), (value, place(&name)));
            }
        }
        let file = toml_file::parse(kept);
        if let Some(problem) = file.problems.into_iter().next() {
            return Err(damaged(kept, problem.message));
        }
        for entry in file.entries.iter().filter(|entry| properties::find(&entry.key).is_none()) {
            keep(&mut layer, entry, entry.key.clone(), DEPTH);
        }
        config.overlay_layer(layer, LayerKind::Build);
        Ok(config)
    }

    /// This configuration as a build writes it out: an absolute directory belongs to this machine and is left at its default,
    /// and TOML has no null.
    #[must_use]
    pub fn as_packaged(&self) -> Self {
        let mut packaged = self.clone();
        let default = Self::default();
        for (name, value) in self.packaged() {
            let own = self.get(name).map(|traced| &traced.value);
            if let Some(traced) = default.get(name).filter(|_| own != Some(value)) {
                packaged.put(name, traced.clone());
            }
        }
        packaged.drop_null_extra();
        packaged
    }
}

/// Kept keys, nested ones under dotted names, as they were kept.
fn keep(layer: &mut Layer, entry: &RawEntry, name: String, depth: usize) {
    match (&entry.value, depth.checked_sub(1)) {
        (RawValue::Table(inner), Some(deeper)) => {
            for entry in inner {
                keep(layer, entry, format!("{name}.{}", entry.key), deeper);
            }
        }
        (value, _) => {
            if let Some(value) = value.value() {
                layer.extra.insert(name, (value, entry.place.clone()));
            }
        }
    }
}
