//! A code that a diagnostic may have stands in the catalogue, and a row of the catalogue is used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use axzoo::diag::catalogue;

/// Literals that look like codes and are none, with the file that may have them.
const NOT_CODES: [(&str, &str); 0] = [];

/// Source files without the catalogue and without files of tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).expect("readable").flatten().map(|entry| entry.path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "catalogue" && name != "tests" {
            files.extend(self::files(&path));
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

/// Every literal of the form `subject/name` in the code before the file's tests.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_code = |text: &&str| {
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        text.split_once('/').is_some_and(|(subject, name)| word(subject) && word(name) && !subject.contains('-'))
    };
    texts.filter(is_code).map(ToOwned::to_owned).collect()
}

#[test]
fn every_code_has_a_row_and_every_row_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files(&root.join("src")) {
        let name = file.strip_prefix(root).expect("below the root").to_path_buf();
        for literal in literals(&fs::read_to_string(&file).expect("a source file is readable")) {
            if !NOT_CODES.iter().any(|(text, path)| *text == literal && Path::new(path) == name) {
                used.insert(literal, name.clone());
            }
        }
    }
    let mut wrong = Vec::new();
    for (code, file) in &used {
        if catalogue::find(code).is_none() {
            wrong.push(format!(
                "`{code}` of {} has no row in src/diag/catalogue (if it is no code, name it in NOT_CODES)",
                file.display()
            ));
        }
    }
    let unused = catalogue::all().into_iter().filter(|entry| !used.contains_key(entry.code));
    wrong.extend(unused.map(|entry| format!("`{}` has a row, and nothing uses it", entry.code)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_code_is_seen_where_it_is_used() {
    let code = "error(\"onnx/operator\", \"no code\") // \"card/x\"\n// \"card/y\"\nlet path = \"a/b.rs\";";
    assert_eq!(literals(code), ["onnx/operator", "card/x"]);
}
