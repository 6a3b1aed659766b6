//! Which of our files a file is, whatever it is called: one that was given under the wrong flag is told apart at once.

use std::path::Path;

use serde_json::Value as Json;

use super::given::NAMES;
use crate::base::fs;
use crate::properties;

/// Bytes of a file that is looked at; quantized graphs are larger, and tell by their beginning.
const LARGEST: u64 = 1 << 20;
const BEGINNING: u64 = 256;

/// A file that axzoo writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognized {
    /// A compiler configuration: `conf.json`, `default_conf.json`, or one in TOML.
    Configuration,
    /// The `cli_args.json` of a run.
    Arguments,
    /// The manifest of a quantized model.
    Quantized,
    /// The quantized graph that such a manifest names.
    Graph,
    /// The manifest of a compiled model.
    Compiled,
    /// The report of a run.
    Report,
}

impl Recognized {
    /// What a file is, if it is one of ours in JSON.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let length = fs::stat(path)?.size.min(BEGINNING);
        let beginning = fs::read_range(path, 0, length).ok()?;
        if !beginning.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        if String::from_utf8_lossy(&beginning).contains("\"axzoo-quantized-graph\"") {
            return Some(Self::Graph);
        }
        let Json::Object(entries) = serde_json::from_slice(&fs::read_limited(path, LARGEST).ok()?).ok()? else {
            return None;
        };
        let is_text = |key: &str| entries.get(key).is_some_and(Json::is_string);
        let most = |is_known: &dyn Fn(&str) -> bool| {
            let known = entries.keys().filter(|key| is_known(key)).count();
            known > 0 && 2 * known > entries.len()
        };
        match () {
            () if is_text("quantized_model_file") && entries.contains_key("quantize_params") => Some(Self::Quantized),
            () if is_text("model_lib_file") && entries.contains_key("quantize_params") => Some(Self::Compiled),
            () if is_text("status") && entries.contains_key("stage") => Some(Self::Report),
            () if most(&|key| NAMES.contains(&key)) => Some(Self::Arguments),
            () if most(&|key| properties::find_any(key).is_some()) => Some(Self::Configuration),
            () => None,
        }
    }

    /// What it is, after "which is".
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Configuration => "a compiler configuration",
            Self::Arguments => "the arguments of an earlier run",
            Self::Quantized => "the manifest of a quantized model",
            Self::Graph => "a quantized graph without its manifest",
            Self::Compiled => "the manifest of a compiled model",
            Self::Report => "the report of an earlier run",
        }
    }

    /// Where it belongs.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Configuration => "give it with `--conf`",
            Self::Arguments => "give it with `--cli-args`",
            Self::Quantized => "give it with `--input`",
            Self::Graph => "name the `quantized_model_manifest.json` beside it with `--input`",
            Self::Compiled => "`axzoo run` runs it; there is nothing left to compile",
            Self::Report => "no option takes it; the files of the run lie beside it",
        }
    }
}
