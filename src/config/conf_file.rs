//! A configuration file on its own, without a card: what `axzoo compile --conf` takes.

use std::path::Path;

use serde_json::Map;
use serde_json::Value as Json;

use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::properties::CompilerMode;
use crate::properties::Value;

use super::board::Board;
use super::effective::Config;
use super::json_file;
use super::layer::Form;
use super::layer::Reader;
use super::origin::LayerKind;
use super::origin::Origin;
use super::resolver::Resolution;
use super::toml_file;
use super::toml_file::TomlFile;

/// The largest file that is read, as of TOML files.
const LARGEST: u64 = 1 << 20;

/// The configuration that a JSON or TOML file makes of the defaults, for a board of the ordinary four cores. `name` is what
/// users see; the ending of the file tells its form, of any other file its first letter. Everything wrong is reported.
#[must_use]
pub fn read_conf(path: &Path, name: &str) -> Resolution {
    let file = match fs::inspect(path) {
        Ok(fs::Kind::Folder) => {
            let message = format!("expected a JSON or TOML file, found the folder `{name}`");
            let problem = Diagnostic::error("config/not-a-file", message).in_file(name);
            TomlFile { entries: Vec::new(), problems: vec![problem.hint("name a file, such as one in that folder")] }
        }
        Ok(fs::Kind::Other) => {
            let message = format!("expected a JSON or TOML file, found `{name}`, which is no regular file");
            let problem = Diagnostic::error("config/not-a-file", message).in_file(name);
            let hint = "write what comes out of a pipe to a file first";
            TomlFile { entries: Vec::new(), problems: vec![problem.hint(hint)] }
        }
        _ if is_json(path) => read_json(path, name),
        _ => toml_file::read(path, name),
    };
    let mut reader = Reader { board_cores: Board::default().cores(), allow_keys: &[], problems: file.problems };
    let mut config = Config::default();
    let layer = reader.read(&file.entries, Form::Toml);
    config.overlay_layer(layer, LayerKind::Toml);
    Resolution { config, diagnostics: reader.problems, files: vec![path.to_owned()] }
}

fn is_json(path: &Path) -> bool {
    let is = |word: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(word));
    let starts = |bytes: Vec<u8>| bytes.trim_ascii_start().starts_with(b"{");
    is("json") || (!is("toml") && fs::is_file(path) && fs::read_limited(path, LARGEST).is_ok_and(starts))
}

fn read_json(path: &Path, name: &str) -> TomlFile {
    let failed = |problem: Diagnostic| TomlFile { entries: Vec::new(), problems: vec![problem.in_file(name)] };
    if let Err(error) = fs::inspect(path) {
        return failed(toml_file::unreadable(error, name));
    }
    let text = match fs::read_limited(path, LARGEST).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => return failed(Diagnostic::error("config/not-utf8", format!("`{name}` is not UTF-8"))),
        Err(error) => return failed(toml_file::unreadable(error, name)),
    };
    let source = Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text));
    match json_file::entries(&source) {
        Ok(entries) => TomlFile { entries, problems: Vec::new() },
        Err(problem) => TomlFile { entries: Vec::new(), problems: vec![*problem] },
    }
}

/// A whole configuration as a JSON object: every property and the kept keys, those of a section inside it. [`read_conf`]
/// reads the same configuration from it.
#[must_use]
pub fn settings_json(config: &Config) -> Json {
    let mut object = Map::new();
    for (name, traced) in config.properties() {
        object.insert(name.to_owned(), traced.value.to_json());
    }
    for (name, traced) in config.extra() {
        put(&mut object, name, traced.value.to_json());
    }
    Json::Object(object)
}

/// Stores a kept value under its dotted name. No kept value is inside another, and no property is a table.
fn put(object: &mut Map<String, Json>, name: &str, value: Json) {
    let Some((section, rest)) = name.split_once('.') else {
        object.insert(name.to_owned(), value);
        return;
    };
    let inner = object.entry(section).or_insert_with(|| Json::Object(Map::new()));
    if let Some(inner) = inner.as_object_mut() {
        put(inner, rest, value);
    }
}

impl Config {
    /// Says on how many cores the model runs, over what every file says. The number is in the property's range.
    pub fn say_cores(&mut self, cores: u32) {
        let origin = Origin { layer: LayerKind::Set, place: None };
        self.overlay("aipu_cores_used", Value::Int(i64::from(cores)), origin);
    }

    /// Says that a model is quantized and lowered, over what every file says.
    pub fn say_quantize_and_lower(&mut self) {
        let mode = CompilerMode::QuantizeAndLower.to_string();
        self.overlay("compiler_mode", Value::Text(mode), Origin { layer: LayerKind::Set, place: None });
    }
}
