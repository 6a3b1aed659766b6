//! Text files: bytes to text, with errors that say what the file is instead.

use std::path::Path;

use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::yaml::TEXT_LIMIT;

/// Reads a UTF-8 file of at most [`TEXT_LIMIT`] bytes under the name that users see.
///
/// # Errors
/// As [`read_text`].
pub(super) fn read_source(path: &Path, name: String) -> Result<Source, Box<Diagnostic>> {
    let text = read_text(path, &name)?;
    Ok(Source::new(name, text))
}

/// The text of a UTF-8 file of at most [`TEXT_LIMIT`] bytes; `name` is what users see.
///
/// # Errors
/// `card/unreadable` when the file cannot be read, is too large, or is not UTF-8.
pub(super) fn read_text(path: &Path, name: &str) -> Result<String, Box<Diagnostic>> {
    let unreadable = |message: String, hint: Option<&str>| {
        Box::new(Diagnostic::error("card/unreadable", message).in_file(name).maybe_hint(hint))
    };
    let bytes = fs::read_limited(path, TEXT_LIMIT as u64).map_err(|error| {
        let error = error.shown_as(name);
        let message = match error.source.kind() {
            std::io::ErrorKind::FileTooLarge => {
                format!("the file is larger than {TEXT_LIMIT} bytes, the most that is read")
            }
            _ => error.to_string(),
        };
        let too_large = error.source.kind() == std::io::ErrorKind::FileTooLarge;
        let hint =
            too_large.then_some("this is hardly a card; leave it out with `exclude` under `[zoo]` in axzoo.toml");
        unreadable(message, hint.or_else(|| error.hint()))
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let utf_16 = matches!(error.as_bytes(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
            let before = error.as_bytes().get(..at).unwrap_or_default();
            let line = before.split(|&byte| byte == b'\n').count();
            let what =
                if utf_16 { "UTF-16".to_owned() } else { format!("not UTF-8: line {line} has a byte that is no text") };
            Err(unreadable(format!("the file is {what}"), Some("save it as UTF-8")))
        }
    }
}
