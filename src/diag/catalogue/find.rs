//! The rows together, and finding one.

use crate::base::did_you_mean;
use crate::base::nearest;

use super::Entry;
use super::{
    build, card, card_values, cascade, compile, config, convert, file, images, onnx, pipeline, run, settings, yaml,
};

/// The rows by subject; a subject has its heading in `docs/diagnostics.md`.
const TABLES: [&[Entry]; 15] = [
    card::ENTRIES,
    card_values::ENTRIES,
    pipeline::ENTRIES,
    config::ENTRIES,
    cascade::ENTRIES,
    convert::ENTRIES,
    file::ENTRIES,
    onnx::ENTRIES,
    build::ENTRIES,
    compile::ENTRIES,
    images::ENTRIES,
    run::ENTRIES,
    yaml::ENTRIES,
    settings::ENTRIES,
    settings::COMMAND_LINE,
];

/// Every row, sorted by code.
#[must_use]
pub fn all() -> Vec<&'static Entry> {
    let mut entries: Vec<&Entry> = TABLES.iter().copied().flatten().collect();
    entries.sort_by_key(|entry| entry.code);
    entries
}

/// The row of a code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Entry> {
    TABLES.iter().copied().flatten().find(|entry| entry.code == code)
}

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unknown {
    message: String,
    /// What was probably meant.
    pub hint: String,
}

/// The row that a user means by a code, by the part behind its slash where only one code ends so, or by the whole as it
/// stands in a message, `error[card/type]`.
///
/// # Errors
/// When it is no code, with the nearest ones; when several end so, with all of them.
pub fn look_up(text: &str) -> Result<&'static Entry, Unknown> {
    let text = text.trim();
    let bare = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(code, _)| code);
    if let Some(entry) = find(bare) {
        return Ok(entry);
    }
    let entries = all();
    let same: Vec<&Entry> = entries.iter().copied().filter(|entry| entry.name() == bare).collect();
    let codes = |entries: &[&Entry]| entries.iter().map(|entry| entry.code).collect::<Vec<_>>();
    match same.as_slice() {
        [only] => all().into_iter().find(|entry| entry.code == only.code).ok_or_else(|| unknown(bare, &[])),
        [] => Err(unknown(bare, &codes(&entries))),
        several => {
            let message = format!("`{bare}` is the end of {} codes", several.len());
            Err(Unknown { message, hint: did_you_mean(&codes(several)).unwrap_or_default() })
        }
    }
}

fn unknown(text: &str, codes: &[&str]) -> Unknown {
    // A subject that is right must not make other names of it nearer.
    let of_subject: Vec<(&str, &str)> = text.split_once('/').map_or_else(Vec::new, |(subject, _)| {
        let parts = codes.iter().filter_map(|code| Some((*code, code.split_once('/')?)));
        parts.filter(|(_, parts)| parts.0 == subject).map(|(code, parts)| (code, parts.1)).collect()
    });
    let name = text.rsplit('/').next().unwrap_or(text);
    let names = nearest(name, of_subject.iter().map(|(_, name)| *name));
    let code_of = |name: &&str| of_subject.iter().find(|(_, own)| own == name).map(|(code, _)| *code);
    let mut near: Vec<&str> = names.iter().filter_map(code_of).collect();
    if near.is_empty() {
        near = nearest(text, codes.iter().copied());
    }
    if near.is_empty() {
        // A name may be near although its subject is not.
        let names = codes.iter().filter_map(|code| Some(code.split_once('/')?.1));
        let names = nearest(name, names);
        near =
            codes.iter().copied().filter(|code| names.iter().any(|name| code.ends_with(&format!("/{name}")))).collect();
        near.truncate(3);
    }
    let hint = did_you_mean(&near).unwrap_or_else(|| {
        "a code stands in brackets at the start of a message, such as `error[card/unknown-key]`".to_owned()
    });
    Unknown { message: format!("there is no diagnostic `{text}`"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_as_people_write_it() {
        let cases = [
            ("card/unknown-key", Ok("card/unknown-key")),
            ("error[card/unknown-key]:", Ok("card/unknown-key")),
            ("over-budget", Ok("cascade/over-budget")),
            ("cascade/overbudget", Err("did you mean `cascade/over-budget`?")),
            ("cards/over-budgt", Err("did you mean `cascade/over-budget`?")),
            ("unknown-key", Err("did you mean `card/unknown-key` or `config/unknown-key` or `settings/unknown-key`?")),
            ("zzzzzz", Err("a code stands in brackets at the start of a message, such as `error[card/unknown-key]`")),
        ];
        for (text, expected) in cases {
            let found = look_up(text);
            let found = found.as_ref().map(|entry| entry.code).map_err(|unknown| unknown.hint.as_str());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_row_is_whole() {
        let mut wrong = Vec::new();
        let entries = all();
        for pair in entries.windows(2) {
            if pair[0].code == pair[1].code {
                wrong.push(format!("{} has two rows", pair[0].code));
            }
        }
        for entry in entries {
            let sentences = [entry.meaning, entry.why, entry.remedy];
            if sentences.iter().any(|text| !text.ends_with('.')) {
                wrong.push(format!("{}: meaning, why and remedy are sentences", entry.code));
            }
            if entry.title.ends_with('.') || entry.title.is_empty() || entry.example.is_empty() {
                wrong.push(format!("{}: a title without a period, and an example", entry.code));
            }
            if sentences.iter().any(|text| text.matches('`').count() % 2 != 0) {
                wrong.push(format!("{}: back-ticks come in pairs", entry.code));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
