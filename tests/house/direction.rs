//! A room uses only rooms before it (ARCHITECTURE.md, "Rooms").

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in order; a room may use only rooms before it.
const ROOMS: [&str; 18] = [
    "base",
    "diag",
    "yaml",
    "imaging",
    "properties",
    "compiler",
    "config",
    "cards",
    "cascade",
    "check",
    "convert",
    "plan",
    "store",
    "toolchains",
    "pack",
    "exec",
    "report",
    "cli",
];

/// What the compiler may use: it knows no cards, plan or store, so that it could be a crate tomorrow.
const COMPILER_MAY_USE: [&str; 5] = ["base", "diag", "yaml", "imaging", "properties"];

/// A source file of more lines than this is two things.
const LINE_LIMIT: usize = 600;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn source(room: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)
}

/// The rooms that a file names in code: comments do not count, since a doc may point forwards.
fn rooms_used(text: &str) -> Vec<&'static str> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let names = |room: &str| {
        code.match_indices(&format!("crate::{room}"))
            .any(|(at, found)| !code[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    ROOMS.into_iter().filter(|room| names(room)).collect()
}

#[test]
fn rooms_only_use_rooms_before_them() {
    let mut broken = Vec::new();
    for (place, room) in ROOMS.iter().enumerate() {
        for file in rust_files(&source(room)) {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            let grouped = text.lines().any(|line| line.trim_start().starts_with("use crate::{"));
            if grouped {
                broken.push(format!("{}: write one `use crate::room::…` a line", file.display()));
            }
            for used in rooms_used(&text) {
                let later = ROOMS[place + 1..].contains(&used);
                let foreign = *room == "compiler" && used != "compiler" && !COMPILER_MAY_USE.contains(&used);
                if later || foreign {
                    broken.push(format!("{}: `{room}` may not use `{used}`", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "see ARCHITECTURE.md, \"Rooms\":\n{}", broken.join("\n"));
}

#[test]
fn every_room_is_in_the_order() {
    let mut unknown = Vec::new();
    for entry in fs::read_dir(source("")).expect("src is readable").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !ROOMS.contains(&name.as_str()) {
            unknown.push(name);
        }
    }
    assert!(unknown.is_empty(), "rooms that tests/house/direction.rs does not order: {unknown:?}");
}

#[test]
fn no_file_is_two_things() {
    let mut long = Vec::new();
    for file in rust_files(&source("")) {
        let lines = fs::read_to_string(&file).expect("a source file is readable").lines().count();
        if lines > LINE_LIMIT {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "more than {LINE_LIMIT} lines; split by noun or phase:\n{}", long.join("\n"));
}
