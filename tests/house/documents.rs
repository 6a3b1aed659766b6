//! What the documents promise is there.

use std::fs;
use std::path::Path;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a document of the project")
}

#[test]
fn every_operator_that_is_read_is_in_the_list() {
    let document = text("docs/operators.md");
    let words: Vec<&str> = document.split(|c: char| !c.is_alphanumeric()).collect();
    let table = text("src/compiler/operators/table.rs");
    let names = table.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once('"'));
    let missing: Vec<&str> = names.map(|(name, _)| name).filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "not in docs/operators.md: {missing:?}");
}

#[test]
fn every_dependency_has_its_reason() {
    let readme = text("README.md");
    let manifest: toml::Table = text("Cargo.toml").parse().expect("a manifest");
    let mut missing = Vec::new();
    for table in ["dependencies", "dev-dependencies"] {
        let names = manifest[table].as_table().expect("a table").keys();
        missing.extend(names.filter(|name| !readme.contains(&format!("| `{name}` |"))).cloned());
    }
    assert!(missing.is_empty(), "without a line in the README's table: {missing:?}");
}

#[test]
fn files_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/operators.md",
        "docs/aipu.md",
        "docs/editors.md",
        "docs/design/store.md",
    ] {
        for word in text(document).split('`').skip(1).step_by(2) {
            let is_path = ["src/", "tests/", "docs/", "tools/", "benches/"].iter().any(|start| word.starts_with(start));
            if is_path && !word.contains(['*', '<', ' ']) && !root.join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
