//! The table against the vendor's reference, field by field, where the reference lies beside the checkout.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::all;
use super::find;
use super::property::Kind;
use super::property::Property;
use super::value::Value;
use crate::base::fs;

/// One row of the reference.
struct Row {
    name: String,
    /// Such as `integer 1–4` or `GraphCleanerNode or null`.
    kind: String,
    default: String,
    doc: String,
}

#[derive(Default)]
struct Reference {
    /// By section, in order; a property that stands twice is there twice.
    rows: Vec<(String, Row)>,
    /// The words of each enum, in order.
    words: BTreeMap<String, Vec<String>>,
}

/// Narrower than the reference, which gives no range: what a value outside could mean is nobody's guess.
const NARROWER: [(&str, Kind); 24] = [
    ("host_processes_used", Kind::Int { min: 1, max: i64::MAX }),
    ("force_h_tiling", Kind::Int { min: 1, max: i64::MAX }),
    ("force_oc_tiling", Kind::Int { min: 1, max: i64::MAX }),
    ("icrx_force", Kind::Int { min: -1, max: i64::MAX }),
    ("profiling_drop_percentile", Kind::Float { min: 0.0, max: 100.0 }),
    // Files of dumps: a `string` that is a path.
    ("graph_cleaner_dump_core_onnx", Kind::Path),
    ("graph_cleaner_dump_full_opt_onnx", Kind::Path),
    // Sizes, addresses and bounds are not below nothing.
    ("dfs_search_constraint", Kind::Int { min: 0, max: i64::MAX }),
    ("l1_constraint", Kind::Int { min: 0, max: i64::MAX }),
    ("l2_constraint", Kind::Int { min: 0, max: i64::MAX }),
    ("ddr_constraint", Kind::Int { min: 0, max: i64::MAX }),
    ("l1_size_used", Kind::Int { min: 0, max: i64::MAX }),
    ("l2_size_used", Kind::Int { min: 0, max: i64::MAX }),
    ("ddr_size_used", Kind::Int { min: 0, max: i64::MAX }),
    ("l1_size_reserved", Kind::Int { min: 0, max: i64::MAX }),
    ("l2_size_reserved", Kind::Int { min: 0, max: i64::MAX }),
    ("l2_size_reserved_tasklist", Kind::Int { min: 0, max: i64::MAX }),
    ("ddr_size_max", Kind::Int { min: 0, max: i64::MAX }),
    ("ddr_size_reserved", Kind::Int { min: 0, max: i64::MAX }),
    ("l1_virtual_address", Kind::Int { min: 0, max: i64::MAX }),
    ("l1_core0_physical_address", Kind::Int { min: 0, max: i64::MAX }),
    // SPEC 4: the same three values as `io_memory_pool`.
    ("constant_memory_pool", Kind::Enum(super::MemoryPool::WORDS)),
    ("workspace_memory_pool", Kind::Enum(super::MemoryPool::WORDS)),
    // SPEC 4: with or without brackets; the reference writes them with.
    ("profiling_levels", Kind::List(super::ProfilingLevel::WORDS)),
];

#[expect(clippy::disallowed_methods, reason = "AXZOO_SHARED is the tests' own switch")]
fn reference_file() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    std::env::var("AXZOO_SHARED").map_or(beside, PathBuf::from).join("reference/compiler-config-reference.md")
}

fn read(text: &str) -> Reference {
    let mut reference = Reference::default();
    let mut section = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["", "Property" | "Value", ..] | ["---", ..] => {}
            ["", first, ..] if first.is_empty() || *first == "---" => {}
            [name, kind, default, doc, ""] => {
                let [name, kind, default, doc] = [name, kind, default, doc].map(|cell| (*cell).to_owned());
                reference.rows.push((section.clone(), Row { name, kind, default, doc }));
            }
            [word, _, ""] => {
                reference.words.entry(section.clone()).or_default().push(word.trim_matches('"').to_owned());
            }
            [levels] if levels.contains(" · ") => {
                let levels = levels.split(" · ").map(ToOwned::to_owned).collect();
                reference.words.insert(section.clone(), levels);
            }
            [title] if !title.ends_with('.') => (*title).clone_into(&mut section),
            _ => {}
        }
    }
    reference
}

/// What the reference's words say of the values, in the words of [`Property::expectation`], and whether null is one.
fn expected(row: &Row, reference: &Reference) -> (String, bool) {
    let (kind, nullable) = match row.kind.strip_suffix(" or null") {
        Some(kind) => (kind, true),
        None => (row.kind.as_str(), row.default == "—"),
    };
    let ticked = |words: &[String]| format!("one of `{}`", words.join("`, `"));
    let text = match kind {
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "an integer".to_owned(),
        "integer 1–4" if row.name == "aipu_cores_used" => "an integer from 1 to 4, the cores of the board".to_owned(),
        "integer 20 MHz–800 MHz" => "an integer from 20000000 to 800000000".to_owned(),
        "float" => "a finite number".to_owned(),
        "float (0, 1]" => "a multiple of 0.25 greater than 0 and at most 1.0".to_owned(),
        "string" => match row.doc.split_once("One of: ") {
            None => "text".to_owned(),
            Some((_, words)) => {
                let words = words.trim_end_matches('.').split(", ").map(|word| word.trim_matches('"').to_owned());
                ticked(&words.collect::<Vec<_>>())
            }
        },
        "path string" => "a path".to_owned(),
        list if list.starts_with("list of ") => "a list".to_owned(),
        ranged => {
            if let Some(least) = ranged.strip_prefix("integer ≥ ") {
                format!("an integer of at least {least}")
            } else if let Some((least, most)) = ranged.strip_prefix("integer ").and_then(|range| range.split_once('–'))
            {
                format!("an integer from {least} to {most}")
            } else if let Some((least, most)) = ranged.strip_prefix("float ").and_then(|range| range.split_once('–'))
            {
                format!("a number from {least} to {most}")
            } else {
                let words = reference.words.get(ranged).unwrap_or_else(|| panic!("`{}` is a {ranged}?", row.name));
                ticked(words)
            }
        }
    };
    (if nullable { text + " or null" } else { text }, nullable)
}

/// The default as JSON writes it; `—` is none.
fn default_of(row: &Row) -> Value {
    let text = if row.default == "—" { "null" } else { row.default.as_str() };
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {text}: {error}", row.name))
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn every_row_says_what_the_reference_says() {
    let Ok(bytes) = fs::read(&reference_file()) else {
        eprintln!("skipped: there is no reference in ../shared");
        return;
    };
    let reference = read(&String::from_utf8(bytes).expect("UTF-8"));
    let mut order: Vec<&str> = Vec::new();
    let mut wrong = Vec::new();
    for (section, row) in &reference.rows {
        let Some(property) = find(&row.name) else {
            wrong.push(format!("{} is not in the table", row.name));
            continue;
        };
        if !order.contains(&property.name) {
            order.push(property.name);
        }
        let mut differs = |what: &str, reference: &str, table: &str| {
            if reference != table {
                wrong.push(format!("{section}: {}: {what}: {reference} in the reference, {table} here", row.name));
            }
        };
        let (values, nullable) = expected(row, &reference);
        differs("null", &nullable.to_string(), &property.nullable.to_string());
        differs("default", &default_of(row).canonical(), &property.default.canonical());
        let narrower = NARROWER.iter().find(|(name, _)| *name == row.name);
        match narrower {
            Some((_, kind)) => differs("our range", &format!("{kind:?}"), &format!("{:?}", property.kind)),
            None => differs("values", &values, &property.expectation(4)),
        }
    }
    let table: Vec<&str> = all().iter().map(|property| property.name).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(order, table, "the order of the reference");
    let levels: Vec<String> = super::ProfilingLevel::WORDS.iter().map(|level| format!("[{level}]")).collect();
    assert_eq!(reference.words.get("ProfilingLevel"), Some(&levels));
}

#[test]
fn what_is_narrower_than_the_reference_takes_every_documented_value() {
    let takes = |row: &Property| row.check(&row.default, 4).is_ok();
    assert!(NARROWER.iter().all(|(name, _)| find(name).is_some_and(takes)));
}
