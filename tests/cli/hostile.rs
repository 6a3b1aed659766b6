//! Files that were made to hurt: an error each, in bounded time, and never a panic.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::space::{Run, Space};

/// A card that is right; cases replace parts of it.
pub(crate) const CARD: &str = "\
axelera-model-format: 1.0.0
name: net
description: d
pipeline:
  - task:
      model_name: model
      preprocess:
        - resize: {width: 8, height: 8}
        - torch-totensor:
models:
  model:
    class: C
    weight_path: w.onnx
    weight_url: https://example.com/w.onnx
    task_category: Classification
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, 8, 8]
    input_color_format: RGB
    dataset: data
    extra_kwargs: {}
datasets:
  data:
    class: D
    data_dir_name: pictures
";

fn replaced(from: &str, to: &str) -> Vec<u8> {
    assert!(CARD.contains(from), "`{from}` is not in the card");
    CARD.replacen(from, to, 1).into_bytes()
}

fn named(name: &str) -> Vec<u8> {
    replaced("name: net", &format!("name: {name}"))
}

fn appended(text: &str) -> Vec<u8> {
    format!("{CARD}{text}").into_bytes()
}

fn alias_bomb() -> Vec<u8> {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&["a", &level.to_string(), ": &a", &level.to_string(), " [", &below, "]\n"].concat());
    }
    appended(&text)
}

fn utf_16(text: &str) -> Vec<u8> {
    [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

/// What is wrong, a card, and the code of the error; nothing where the card is right after all.
type Case = (&'static str, fn() -> Vec<u8>, &'static str);

const CARDS: &[Case] = &[
    ("aliases that multiply", alias_bomb, "yaml/limit"),
    ("an anchor in itself", || appended("x: &x [*x]\n"), "yaml/unsupported"),
    ("nesting in brackets", || appended(&format!("x: {}{}\n", "[".repeat(10_000), "]".repeat(10_000))), "yaml/limit"),
    ("nesting in dashes", || appended(&format!("x:\n  {}1\n", "- ".repeat(10_000))), "yaml/limit"),
    ("nesting in braces", || appended(&format!("x: {}{}\n", "{a: ".repeat(10_000), "}".repeat(10_000))), "yaml/limit"),
    ("a hundred megabytes", || appended(&"# nothing\n".repeat(10_000_000)), "card/unreadable"),
    (
        "a million keys",
        || appended(&(0..250_000).map(|key| ["k", &key.to_string(), ": 1\n"].concat()).collect::<String>()),
        "yaml/limit",
    ),
    ("a line of a megabyte", || replaced("class: C", &format!("clas: {}", "x".repeat(1 << 20))), "card/unknown-key"),
    ("a key of a megabyte", || appended(&format!("{}: 1\n", "k".repeat(1 << 20))), "yaml/syntax"),
    ("a NUL", || appended("x: a\0b\n"), "yaml/unsupported"),
    ("UTF-16", || utf_16(CARD), "card/unreadable"),
    ("Latin-1", || [CARD.as_bytes(), b"x: caf\xE9\n"].concat(), "card/unreadable"),
    ("a byte order mark", || [b"\xEF\xBB\xBF", CARD.as_bytes()].concat(), ""),
    ("CRLF", || CARD.replace('\n', "\r\n").into_bytes(), ""),
    ("a key given twice", || appended("name: again\n"), "yaml/duplicate-key"),
    ("a tag that makes objects", || appended("x: !!python/object/apply:os.system [\"true\"]\n"), "yaml/unsupported"),
    ("a list as a model's name", || replaced("  model:\n", "  [a, b]:\n"), "card/type"),
    ("a mapping as a model's name", || replaced("  model:\n", "  {a: b}:\n"), "card/type"),
    ("null as a model's name", || replaced("  model:\n", "  ~:\n"), "card/type"),
    ("a name with a slash", || named("a/b"), "card/name"),
    ("a name that leaves the folder", || named(".."), "card/name"),
    ("a name with a control character", || named("\"a\\u0007b\""), "card/name"),
    ("a name with a line break", || named("\"a\\nb\""), "card/name"),
    ("a name of 300 bytes", || named(&"n".repeat(300)), "card/name"),
    ("a name that is a list", || named("[a]"), "card/type"),
    ("a model that leaves the folder", || replaced("  model:\n", "  ../../x:\n"), "card/name"),
    (
        "a shape that overflows",
        || replaced("[1, 3, 8, 8]", "[1, 3, 9223372036854775807, 9223372036854775807]"),
        "card/input-shape",
    ),
    ("a shape beyond 64 bits", || replaced("[1, 3, 8, 8]", "[1, 3, 99999999999999999999, 8]"), "card/input-shape"),
    ("a negative shape", || replaced("[1, 3, 8, 8]", "[1, 3, -8, 8]"), "card/input-shape"),
    ("a shape of nothing", || replaced("[1, 3, 8, 8]", "[]"), "card/input-shape"),
    (
        "a shape of a thousand dimensions",
        || replaced("[1, 3, 8, 8]", &format!("[{}]", "1, ".repeat(1000))),
        "card/input-shape",
    ),
    (
        "a picture without end",
        || replaced("width: 8, height: 8", "width: 4000000000, height: 4000000000"),
        "card/operator",
    ),
    ("models as a list", || replaced("models:\n  model:", "models:\n  - model:"), "card/type"),
    (
        "a template that is a folder",
        || replaced("model_name: model", "model_name: model\n      template_path: ."),
        "card/template",
    ),
    (
        "a template that is the card",
        || replaced("model_name: model", "model_name: model\n      template_path: a.yaml"),
        "card/template-merge",
    ),
    (
        "a template without end",
        || replaced("model_name: model", "model_name: model\n      template_path: /dev/zero"),
        "card/template",
    ),
    (
        "a config without end",
        || replaced("extra_kwargs: {}", "extra_kwargs: {compiler_config_file: /dev/zero}"),
        "config/not-a-file",
    ),
    ("code in a template mark", || replaced("width: 8", "width: ${6 * 7}"), "card/expression"),
    (
        "settings that nest",
        || {
            replaced(
                "extra_kwargs: {}",
                "extra_kwargs: {compilation_config: {a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}}}",
            )
        },
        "",
    ),
    (
        "cores without end",
        || replaced("extra_kwargs: {}", "extra_kwargs: {aipu_cores: 99999999999999999999}"),
        "card/type",
    ),
];

/// Copies a zoo of a case to the folder that `AXZOO_KEEP` names, for `benches/hostile.py` to measure.
fn keep(space: &Space, kind: &str, what: &str) {
    if let Some(folder) = std::env::var_os("AXZOO_KEEP") {
        let to = std::path::Path::new(&folder).join(format!("{kind}-{}", what.replace(' ', "-")));
        fs::create_dir_all(&to).expect("a folder");
        let copied = Command::new("cp").args(["-r", "."]).arg(&to).current_dir(space.path(".")).status();
        assert!(copied.expect("cp runs").success(), "{what}");
    }
}

fn check(space: &Space) -> Run {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_axzoo"), "check", "--format", "json"]);
    command.current_dir(space.path("."));
    Run::from(command.output().expect("the program runs"))
}

fn codes(run: &Run) -> Vec<String> {
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let errors = found["diagnostics"].as_array().expect("a list").iter();
    errors
        .filter(|problem| problem["severity"] == "error")
        .map(|problem| problem["code"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_hostile_card_is_an_error_with_a_code() {
    let mut wrong = Vec::new();
    for (what, card, code) in CARDS {
        let space = Space::empty();
        space.write("model_cards/a.yaml", card());
        space.write("model_cards/b.yaml", CARD.replace("name: net", "name: other"));
        keep(&space, "card", what);
        let run = check(&space);
        let found = codes(&run);
        let fits = if code.is_empty() { found.is_empty() } else { found.iter().any(|one| one == code) };
        let ended = run.code == i32::from(!code.is_empty());
        if !fits || !ended || run.stderr.contains("panicked") || run.stdout.len() > 100_000 {
            wrong.push(format!("{what}: expected `{code}`, found {found:?}, exit {}, {}", run.code, run.stderr));
        }
        let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
        if found["summary"]["networks"].as_u64().is_none_or(|networks| networks < 1) {
            wrong.push(format!("{what}: the other card is not checked"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const TOMLS: &[Case] = &[
    ("nesting in brackets", || format!("x = {}", "[".repeat(10_000)).into_bytes(), "config/syntax"),
    ("nesting in dots", || format!("{}x = 1\n", "a.".repeat(10_000)).into_bytes(), "config/syntax"),
    ("nesting in tables", || format!("[{}x]\ny = 1\n", "a.".repeat(10_000)).into_bytes(), "config/syntax"),
    ("a hundred megabytes", || b"# nothing\n".repeat(10_000_000), "config/unreadable"),
    ("a number beyond 64 bits", || b"tiling_depth = 99999999999999999999\n".to_vec(), "config/type"),
    ("a number that is none", || b"resources_used = nan\n".to_vec(), "config/share"),
    ("a NUL", || b"tiling_depth = 1\0\n".to_vec(), "config/syntax"),
    ("UTF-16", || utf_16("tiling_depth = 1\n"), "config/not-utf8"),
    ("a byte order mark", || b"\xEF\xBB\xBFtiling_depth = 1\n".to_vec(), ""),
    ("a key given twice", || b"tiling_depth = 1\ntiling_depth = 2\n".to_vec(), "config/syntax"),
    (
        "a line of half a megabyte",
        || format!("tiling_depth = \"{}\"\n", "x".repeat(1 << 19)).into_bytes(),
        "config/type",
    ),
];

#[test]
fn a_hostile_config_is_an_error_with_a_code() {
    let mut wrong = Vec::new();
    for (what, config, code) in TOMLS {
        let space = Space::empty();
        let card = CARD.replace("extra_kwargs: {}", "extra_kwargs: {compiler_config_file: a.toml}");
        space.write("model_cards/a.yaml", card);
        space.write("model_cards/a.toml", config());
        keep(&space, "config", what);
        let run = check(&space);
        let found = codes(&run);
        let fits = if code.is_empty() { found.is_empty() } else { found.iter().any(|one| one == code) };
        if !fits || run.code != i32::from(!code.is_empty()) || run.stdout.len() > 100_000 {
            wrong.push(format!("{what}: expected `{code}`, found {found:?}, exit {}, {}", run.code, run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_hostile_folder_hides_no_card() {
    let space = Space::empty();
    space.write("model_cards/deep/a.yaml", CARD);
    space.write("elsewhere/b.yaml", CARD.replace("name: net", "name: linked"));
    symlink(space.path("model_cards"), space.path("model_cards/deep/loop")).expect("a loop");
    symlink(space.path("elsewhere"), space.path("model_cards/linked")).expect("a link to a folder");
    symlink(space.path("nowhere"), space.path("model_cards/dangling.yaml")).expect("a link to nothing");
    symlink("me@here.123", space.path("model_cards/deep/.#a.yaml")).expect("an editor's lock");
    fs::create_dir(space.path("model_cards/folder.yaml")).expect("a folder that looks like a card");
    let made = Command::new("mkfifo").arg(space.path("model_cards/pipe.yaml")).status();
    let run = check(&space);
    let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    assert_eq!(found["summary"]["networks"], 2, "{made:?}: {found:#}");
    let problems: Vec<(&str, &str)> = found["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|problem| problem["code"] == "card/unreadable")
        .filter_map(|problem| Some((problem["severity"].as_str()?, problem["file"].as_str()?)))
        .collect();
    assert_eq!(problems, [("error", "model_cards/dangling.yaml"), ("warning", "model_cards/deep/loop")]);
}
