//! `docs/config.md`: the table, for readers.

use std::fmt::Write;

use super::property::{Kind, Property, all};
use super::value::Value;

/// The text of `docs/config.md`, made from the table. A test fails when the committed file differs.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# Compiler settings\n\n\
         <!-- Made from src/properties/table.rs; `AXZOO_ACCEPT=1 cargo test --lib properties` writes it anew. -->\n\n\
         Every property of `CompilerConfig`: in a TOML file that a card's `compiler_config_file` names, in a card's\n\
         `compilation_config`, or after `--set`. `axzoo config show` prints a model's values and where each comes from.\n\n\
         *Step* is the first step whose result the property can change; a change runs that step again and what follows it.\n\
         Where that is not obvious, the table says why. The graph cleaner's step, `clean`, comes before `quantize`. `none`\n\
         changes no result: the package's copy of the settings is all that differs. *Host* says what the embedded compiler\n\
         does with the property; toolchains of vendors get all of them, and one that does several steps at once counts the\n\
         properties of all of these.\n",
    );
    let mut group = None;
    for property in all() {
        if group != Some(property.group) {
            group = Some(property.group);
            let _ = write!(text, "\n## {}\n\n", property.group.title());
            text.push_str("| property | values | default | step | host | what it does |\n|---|---|---|---|---|---|\n");
        }
        row(&mut text, property);
    }
    text.push_str("\n## Other names\n\n| other name | property |\n|---|---|\n");
    for property in all() {
        for old in property.old_names {
            let _ = writeln!(text, "| `{old}` | `{}` |", property.name);
        }
    }
    text
}

fn row(text: &mut String, property: &Property) {
    let mut host = property.host.word().to_owned();
    if let Some(why) = property.why {
        let _ = write!(host, ": {why}");
    }
    let mut step = property.influences.word().to_owned();
    if let Some(reason) = property.reason {
        let _ = write!(step, ": {reason}");
    }
    let _ = writeln!(
        text,
        "| `{}` | {} | {} | {step} | {host} | {} |",
        property.name,
        values(property),
        default(property),
        property.doc
    );
}

/// The default as a card writes it.
fn default(property: &Property) -> String {
    match (&property.default, property.kind) {
        (Value::Null, Kind::Path) => "not set".to_owned(),
        (Value::Text(text), _) if text.is_empty() => "empty text".to_owned(),
        (value, _) => format!("`{value}`"),
    }
}

fn values(property: &Property) -> String {
    match property.kind {
        Kind::Cores => "an integer from 1 to the cores of the board (4, Europa 8)".to_owned(),
        Kind::Share => "a multiple of 1/(cores of the board), greater than 0 and at most 1.0".to_owned(),
        _ => property.expectation(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;
    use std::path::Path;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "AXZOO_ACCEPT is the tests' own switch")]
    fn the_committed_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
        if std::env::var("AXZOO_ACCEPT").is_ok() {
            fs::write_atomic(&path, document().as_bytes()).expect("written");
        }
        let committed = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let stale = committed != document();
        assert!(!stale, "docs/config.md is stale; run `AXZOO_ACCEPT=1 cargo test --lib properties`");
    }
}
