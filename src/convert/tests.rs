//! A conversion killed between any two writes, and random configurations.

use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;

use super::write::writes;
use super::*;
use crate::base::fs;
use crate::cards::Catalog;
use crate::cards::CatalogOptions;
use crate::cards::Selected;
use crate::cards::read_catalog;
use crate::config::Board;
use crate::config::Config;
use crate::config::Device;
use crate::config::Resolver;
use crate::config::SearchPath;
use crate::properties;
use crate::properties::Value;
use crate::yaml::scalar_text;

/// A card whose models have these `extra_kwargs`, written in flow or block style.
fn card(network: &str, models: &[&str]) -> String {
    let mut text = format!(
        "axelera-model-format: 1.0.0\nname: {network}\ndescription: d\npipeline: null\ndatasets: {{}}\nmodels:\n"
    );
    for (index, extra) in models.iter().enumerate() {
        let _ = write!(
            text,
            "  m{index}:\n    class: X\n    class_path: m.py\n    weight_path: w.onnx\n    task_category: Classification\n    \
             input_tensor_layout: NCHW\n    input_tensor_shape: [1, 3, 2, 2]\n    input_color_format: RGB\n    \
             extra_kwargs: {extra}\n"
        );
    }
    text
}

fn catalog(root: &Path) -> Catalog {
    read_catalog(&CatalogOptions {
        root: root.to_owned(),
        card_roots: vec!["model_cards".into()],
        ..CatalogOptions::default()
    })
}

fn resolver(root: &Path, board: Board) -> Resolver {
    let config_folders = vec![root.join("configs")];
    Resolver::new(SearchPath { root: root.to_owned(), config_folders, ..SearchPath::default() }, Device::whole(board))
}

/// Every model's configuration on every board.
fn configurations(root: &Path) -> Vec<(String, std::collections::BTreeMap<String, String>)> {
    let catalog = catalog(root);
    assert!(catalog.broken.is_empty(), "{:?}", catalog.problems);
    let mut found = Vec::new();
    for board in [Board::Pcie, Board::M2, Board::Europa] {
        let resolver = resolver(root, board);
        for card in &catalog.cards {
            for model in &card.models {
                let resolution = resolver.resolve(&card.request(model, board));
                let errors = resolution.diagnostics.iter().filter(|it| it.severity == crate::diag::Severity::Error);
                assert_eq!(errors.count(), 0, "{:?}", resolution.diagnostics);
                let config: &Config = &resolution.config;
                found.push((format!("{}/{} {board}", card.name.value, model.name.value), config.canonical()));
            }
        }
    }
    found
}

fn plan(root: &Path, share: bool) -> Conversion {
    let catalog = catalog(root);
    let resolver = resolver(root, Board::Pcie);
    let selected: Vec<Selected<'_>> = catalog.cards.iter().map(|card| Selected { card, model: None }).collect();
    let options = Options { in_place: true, share, keep_defaults: false, force: false, place: OutputPlace::Configs };
    convert(Scope { catalog: &catalog, resolver: &resolver, allow_keys: &[] }, &selected, &options)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn killed_between_any_two_writes_nothing_has_changed() {
    let first = "{compilation_config: {tiling_depth: 6}, m2: {compilation_config: {tiling_depth: 2}}}";
    let second = "{aipu_cores: 4, compilation_config: {aipu_cores_used: 1, resources_used: 1.0, tiling_depth: 1}}";
    let count = {
        let folder = tempfile::tempdir().expect("a temporary folder");
        zoo(folder.path(), first, second);
        writes(&plan(folder.path(), false)).count()
    };
    assert_eq!(count, 6, "four TOML files and two cards");
    for done in 0..=count {
        let folder = tempfile::tempdir().expect("a temporary folder");
        zoo(folder.path(), first, second);
        let before = configurations(folder.path());
        let conversion = plan(folder.path(), false);
        for (path, text) in writes(&conversion).take(done) {
            fs::write_durable(path, text.as_bytes()).expect("written");
        }
        assert_eq!(configurations(folder.path()), before, "after {done} writes");
        // What is left is converted by the next run.
        write(&plan(folder.path(), false)).expect("written");
        assert_eq!(configurations(folder.path()), before);
        assert!(plan(folder.path(), false).blocks.is_empty());
    }
}

fn zoo(root: &Path, first: &str, second: &str) {
    fs::write_atomic(&root.join("model_cards/a.yaml"), card("a", &[first, second]).as_bytes()).expect("written");
    fs::write_atomic(&root.join("model_cards/b.yaml"), card("b", &[second]).as_bytes()).expect("written");
    fs::create_folders(&root.join("configs")).expect("created");
}

#[test]
fn a_card_that_changed_meanwhile_is_not_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    zoo(folder.path(), "{compilation_config: {tiling_depth: 6}}", "{}");
    let conversion = plan(folder.path(), false);
    let path = folder.path().join("model_cards/a.yaml");
    fs::write_atomic(&path, b"# edited\n").expect("written");
    let problems = write(&conversion).expect_err("the card has changed");
    assert_eq!(problems[0].code, "convert/changed");
    assert_eq!(fs::read(&path).expect("read"), b"# edited\n");
    assert!(!fs::exists(&folder.path().join("configs/a-m0.toml")));
}

/// A property with a value that it takes on every board, as YAML.
fn setting() -> impl Strategy<Value = (String, String)> {
    let values = (0..properties::all().len(), 0..4_usize, any::<bool>());
    values.prop_map(|(row, choice, default)| {
        let row = &properties::all()[row];
        let words = |words: &[&str]| scalar_text(words[choice % words.len()]);
        let value = match row.kind {
            _ if default && row.default != Value::Null => row.default.clone(),
            properties::Kind::Bool => Value::Bool(choice % 2 == 0),
            properties::Kind::Int { min, max } => Value::Int(min.saturating_add(choice as i64).min(max)),
            properties::Kind::Float { min, max } => Value::Float((min.max(-8.0) + 0.25 * choice as f64).min(max)),
            properties::Kind::Cores => Value::Int(1 + choice as i64),
            properties::Kind::Share => Value::Float(0.25 * (1 + choice) as f64),
            properties::Kind::Enum(all) => return (row.name.to_owned(), words(all)),
            properties::Kind::List(all) => return (row.name.to_owned(), format!("[{}]", words(all))),
            _ => Value::Text(["x", "a \"b\" \\c", "it's # no comment", "ü/$HOME"][choice].to_owned()),
        };
        let text = match &value {
            Value::Text(text) => scalar_text(text),
            Value::List(_) => "[]".to_owned(),
            other => other.to_json().to_string(),
        };
        (row.name.to_owned(), text)
    })
}

/// The inside of a block: properties, once each, and keys that nobody knows.
fn block() -> impl Strategy<Value = String> {
    (prop::collection::btree_map("[a-z]{3}_[0-9]{5}", "[a-z]{1,3}", 0..2), prop::collection::vec(setting(), 0..6))
        .prop_map(|(unknown, settings)| {
            let mut entries: std::collections::BTreeMap<String, String> = settings.into_iter().collect();
            entries.extend(unknown);
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", entries.join(", "))
        })
}

/// One model's `extra_kwargs`.
fn extra() -> impl Strategy<Value = String> {
    let part = || (prop::option::of(block()), prop::option::of(0..2_usize), prop::option::of(1..5_u32));
    (part(), prop::collection::btree_map(prop::sample::select(vec!["m2", "pcie", "europa"]), part(), 0..3)).prop_map(
        |(general, boards)| {
            let entries = |(inline, file, cores): (Option<String>, Option<usize>, Option<u32>)| {
                let mut entries = Vec::new();
                entries.extend(inline.map(|block| format!("compilation_config: {block}")));
                entries.extend(file.map(|file| format!("compiler_config_file: base{file}.toml")));
                entries.extend(cores.map(|cores| format!("max_compiler_cores: {cores}")));
                entries
            };
            let mut all = entries(general);
            all.extend(boards.into_iter().map(|(board, part)| format!("{board}: {{{}}}", entries(part).join(", "))));
            format!("{{{}}}", all.join(", "))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_configurations_stay_what_they_are(first in extra(), second in extra(), share in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        zoo(root, &first, &second);
        for (index, text) in ["tiling_depth = 3\n", "resources_used = 0.5\nnew_key = 1\n[backend_config]\ntarget = \"x\"\n"].iter().enumerate() {
            fs::write_atomic(&root.join(format!("configs/base{index}.toml")), text.as_bytes()).expect("written");
        }
        let before = configurations(root);
        write(&plan(root, share)).expect("written");
        prop_assert_eq!(configurations(root), before);
        let left = plan(root, share);
        prop_assert!(left.blocks.is_empty() && left.cards.is_empty());
        for card in catalog(root).cards {
            prop_assert!(!card.source.text().contains("compilation_config"), "{}", card.source.text());
        }
    }
}
