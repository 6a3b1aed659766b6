//! A JSON configuration as a TOML file.

use std::path::PathBuf;

use super::body::body;
use super::conversion::Conversion;
use super::conversion::Converted;
use super::conversion::new_file;
use super::render::render;
use crate::config::Resolver;
use crate::diag::Diagnostic;
use crate::diag::Source;

/// Converts the text of a JSON file into the file at `path`. `keep_defaults` keeps values that are their defaults, `force`
/// replaces a file that is there.
///
/// # Errors
/// The text is no JSON object of settings, or another file stands at `path`.
pub fn convert_json(
    source: &Source,
    resolver: &Resolver,
    path: PathBuf,
    keep_defaults: bool,
    force: bool,
) -> Result<Conversion, Vec<Diagnostic>> {
    let settings = resolver.settings_of_json(source)?;
    let body = body(&[], &settings, Vec::new(), Vec::new(), keep_defaults);
    let text = render(&body).map_err(|error| {
        vec![Diagnostic::error("convert/not-toml", error.to_string()).hint(error.hint()).in_file(source.name())]
    })?;
    let shown = resolver.search.display(&path);
    let file = new_file(path, shown.clone(), text, force).map_err(|problem| vec![*problem])?;
    let converted = Converted::new(source.name().to_owned(), 1, shown, None, &body);
    Ok(Conversion { files: vec![file], blocks: vec![converted], ..Conversion::default() })
}
