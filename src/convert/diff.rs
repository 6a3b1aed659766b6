//! What would change, as a diff that `git apply` and `patch -p1` take.

use super::conversion::Conversion;

/// The unified diff of everything that the conversion would write, files in the order of writing. Paths are relative to
/// the zoo's root.
#[must_use]
pub fn unified_diff(conversion: &Conversion) -> String {
    let files = conversion.files.iter().map(|file| (&file.shown, file.old.as_deref(), &file.text));
    let cards = conversion.cards.iter().map(|card| (&card.shown, Some(card.old.as_str()), &card.text));
    files.chain(cards).map(|(name, old, new)| one(name, old, new)).collect()
}

fn one(name: &str, old: Option<&str>, new: &str) -> String {
    let name = name.trim_start_matches('/');
    let from = if old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
    let diff = similar::TextDiff::from_lines(old.unwrap_or_default(), new);
    diff.unified_diff().context_radius(3).header(&from, &format!("b/{name}")).to_string()
}
