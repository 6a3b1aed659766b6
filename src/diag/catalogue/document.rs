//! `docs/diagnostics.md`: the catalogue, for readers.

use std::fmt::Write;

use super::Entry;
use super::find::all;

/// What each subject is about. A subject without a line here has its name as its heading.
const SUBJECTS: [(&str, &str); 15] = [
    ("build", "What a build needs and does not find"),
    ("card", "Model cards"),
    ("cascade", "Cores and memory of the device"),
    ("compile", "One model without a card: `axzoo compile`"),
    ("config", "Compiler settings, in TOML files, cards and `--set`"),
    ("convert", "Configurations that become TOML files"),
    ("file", "Files that a card names"),
    ("images", "The images that a model is calibrated on"),
    ("onnx", "The ONNX files of models"),
    ("pipeline", "Tasks and the models they use"),
    ("run", "Compiled models that are run"),
    ("settings", "Settings of the tool: `axzoo.toml`, variables, flags"),
    ("target", "What the command line asks for"),
    ("usage", "How the command line is written"),
    ("yaml", "The text of a card or template"),
];

/// The text of `docs/diagnostics.md`, made from the catalogue. A test fails when the committed file differs.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# Diagnostics\n\n\
         <!-- Made from src/diag/catalogue/; `AXZOO_ACCEPT=1 cargo test --lib diag` writes it anew. -->\n\n\
         Every problem that axzoo reports has a code, which never changes. `axzoo check --explain CODE` prints the same\n\
         as this page. Below each code is its usual severity: an error makes `check` exit with 1, a warning does under\n\
         `--strict` only, a note never does.\n\n",
    );
    let entries = all();
    let mut subjects: Vec<&str> = entries.iter().map(|entry| entry.subject()).collect();
    subjects.dedup();
    for subject in &subjects {
        let of_subject = entries.iter().filter(|entry| entry.subject() == *subject);
        let links: Vec<String> = of_subject.map(|entry| format!("[{}](#{})", entry.name(), anchor(entry))).collect();
        let _ = writeln!(text, "- `{subject}/`: {}", links.join(", "));
    }
    for subject in subjects {
        let heading = SUBJECTS.iter().find(|(known, _)| *known == subject).map_or(subject, |(_, heading)| heading);
        let _ = write!(text, "\n## {heading}\n");
        for entry in entries.iter().filter(|entry| entry.subject() == subject) {
            section(&mut text, entry);
        }
    }
    text
}

/// The anchor that a heading of the code gets: without what is no letter, digit or dash.
fn anchor(entry: &Entry) -> String {
    entry.code.replace('/', "")
}

fn section(text: &mut String, entry: &Entry) {
    let _ = write!(
        text,
        "\n### {}\n\n*{}: {}*\n\n{}\n\n{}\n\n{}\n\n```text\n{}\n```\n",
        entry.code,
        entry.severity.word(),
        entry.title,
        entry.meaning,
        entry.why,
        entry.remedy,
        entry.example
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;
    use std::path::Path;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "AXZOO_ACCEPT is the tests' own switch")]
    fn the_committed_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md");
        if std::env::var("AXZOO_ACCEPT").is_ok() {
            fs::write_atomic(&path, document().as_bytes()).expect("written");
        }
        let committed = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let stale = committed != document();
        assert!(!stale, "docs/diagnostics.md is stale; run `AXZOO_ACCEPT=1 cargo test --lib diag`");
    }
}
