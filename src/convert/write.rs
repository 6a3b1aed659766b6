//! The writes of a conversion, in an order in which it may be killed anywhere.

use std::path::Path;

use super::conversion::Conversion;
use crate::base::fs;
use crate::diag::Diagnostic;

/// Every file that is written, in order: TOML files first, then the cards that name them.
pub(super) fn writes(conversion: &Conversion) -> impl Iterator<Item = (&Path, &str)> {
    let files = conversion.files.iter().filter(|file| file.old.as_deref() != Some(file.text.as_str()));
    let files = files.map(|file| (file.path.as_path(), file.text.as_str()));
    files.chain(conversion.cards.iter().map(|card| (card.path.as_path(), card.text.as_str())))
}

/// Writes everything. Each file is replaced as a whole and is on the disk before the next one is begun, so that a card,
/// whenever it is looked at, is old or new, and names only files that are there.
///
/// # Errors
/// A card has changed since it was read (then nothing is written), or a write failed (what was written so far is whole).
pub fn write(conversion: &Conversion) -> Result<(), Vec<Diagnostic>> {
    let changed = conversion.cards.iter().filter(|card| match fs::read(&card.path) {
        Ok(bytes) => bytes != card.old.as_bytes(),
        Err(_) => true,
    });
    let changed: Vec<Diagnostic> = changed
        .map(|card| {
            let message = format!("`{}` has changed since it was read; nothing is written", card.shown);
            Diagnostic::error("convert/changed", message).in_file(card.shown.as_str()).hint("run the command again")
        })
        .collect();
    if !changed.is_empty() {
        return Err(changed);
    }
    for (path, text) in writes(conversion) {
        fs::write_durable(path, text.as_bytes()).map_err(|error| {
            let problem = Diagnostic::error("convert/write", error.to_string()).maybe_hint(error.hint());
            vec![problem.in_file(path.display().to_string())]
        })?;
    }
    Ok(())
}
