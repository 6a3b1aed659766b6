//! The arguments of one compilation, typed or read from a file: texts with where they were said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::flags::CompileArgs;
use crate::diag::Diagnostic;
use crate::diag::Place;

/// The arguments by their names in `cli_args.json`, in the order of the help.
pub(super) const NAMES: [&str; 11] = [
    "input",
    "output",
    "conf",
    "quantize_only",
    "input_shape",
    "imageset",
    "transform",
    "input_data_layout",
    "color_format",
    "imreader_backend",
    "aipu_cores",
];

/// Those that are paths.
pub(super) const PATHS: [&str; 5] = ["input", "output", "conf", "imageset", "transform"];

/// One argument.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// As written; a path is absolute.
    pub(super) text: String,
    /// Where in `--cli-args`; `None` for what was typed.
    pub(super) place: Option<Place>,
}

/// What was given, by name.
pub(super) type Arguments = BTreeMap<&'static str, Given>;

/// The flag of a name.
pub(super) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

impl Given {
    /// A problem with this argument, at its place.
    pub(super) fn wrong(&self, message: impl Into<String>) -> Diagnostic {
        match &self.place {
            Some(place) => Diagnostic::error("compile/cli-args", message).at_place(Some(place)),
            None => Diagnostic::error("compile/arguments", message),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(&self.text)
    }
}

/// Paths that are no text: `cli_args.json` and the reports, which name them, are.
pub(super) fn not_text(arguments: &CompileArgs, standing: &Path) -> Vec<Diagnostic> {
    let paths = [
        ("input", &arguments.input),
        ("output", &arguments.output),
        ("conf", &arguments.conf),
        ("imageset", &arguments.imageset),
        ("transform", &arguments.transform),
        ("cli_args", &arguments.cli_args),
        ("generate_config", &arguments.generate_config),
    ];
    let paths = paths.into_iter().filter_map(|(name, path)| Some((name, standing.join(path.as_ref()?))));
    let wrong = paths.filter(|(_, path)| path.to_str().is_none()).map(|(name, path)| {
        let message = format!("`{}`: the path `{}` is not UTF-8", flag(name), path.display());
        Diagnostic::error("compile/arguments", message)
            .hint("rename the file or folder, or give a path without such names")
    });
    wrong.collect()
}

/// What was typed; paths are taken from `standing`.
pub(super) fn typed(arguments: &CompileArgs, standing: &Path) -> Arguments {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| standing.join(path).display().to_string());
    let texts = [
        path(&arguments.input),
        path(&arguments.output),
        path(&arguments.conf),
        arguments.quantize_only.clone(),
        arguments.input_shape.clone(),
        path(&arguments.imageset),
        path(&arguments.transform),
        arguments.input_data_layout.clone(),
        arguments.color_format.clone(),
        arguments.imreader_backend.clone(),
        arguments.aipu_cores.clone(),
    ];
    let given = NAMES.into_iter().zip(texts);
    given.filter_map(|(name, text)| Some((name, Given { text: text?, place: None }))).collect()
}
