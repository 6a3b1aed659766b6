//! What a row of the property table is, how rows are found, and how a value is checked against one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::table;
use super::value::{Value, ValueError};

/// One property of the compiler's configuration.
#[derive(Debug)]
pub struct Property {
    /// Its name, as in cards and TOML files.
    pub name: &'static str,
    /// The section of the reference that it belongs to.
    pub group: Group,
    /// What values it takes.
    pub kind: Kind,
    /// Whether it may be `null`, which is then its default and means "not set".
    pub nullable: bool,
    /// The documented default.
    pub default: Value,
    /// What it does.
    pub doc: &'static str,
    /// The step whose result it can change.
    pub influences: Influence,
    /// Why it is this step, where the property's group does not tell.
    pub reason: Option<&'static str>,
    /// What the embedded compiler does with it.
    pub host: HostSupport,
    /// Why the embedded compiler treats it so, or what remains to be known about it.
    pub why: Option<&'static str>,
    /// Names that it has or had elsewhere: the Python interface, and the sections of SDK 1.2.
    pub old_names: &'static [&'static str],
}

/// What values a property takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number in a range, both ends included.
    Int {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A finite number in a range, both ends included. A whole number is taken for one.
    Float {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// A number of cores: from 1 to those of the board.
    Cores,
    /// A share of the device's memory: a multiple of 1/(cores of the board) in (0, 1] (SPEC 5).
    Share,
    /// Any text.
    Text,
    /// The path of a file or folder.
    Path,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Any number of these words, in any order; brackets round a word are dropped.
    List(&'static [&'static str]),
}

/// The step whose result a property can change: the property is then part of that step's key (SPEC 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Influence {
    /// The graph cleaner. Users who think in quantize and lower count it with quantize, which follows it.
    Clean,
    /// Quantization.
    Quantize,
    /// Lowering to the hardware.
    Lower,
    /// The package.
    Pack,
    /// No result at all: directories, dumps, profiling. (`pack` writes out the whole configuration all the same.)
    Nothing,
}

impl Influence {
    /// `clean`, `quantize`, `lower`, `pack` or `none`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Quantize => "quantize",
            Self::Lower => "lower",
            Self::Pack => "pack",
            Self::Nothing => "none",
        }
    }
}

/// What the embedded compiler does with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostSupport {
    /// What it documents.
    Honoured,
    /// Something with the same effect for the user.
    Emulated,
    /// Nothing.
    Ignored,
}

impl HostSupport {
    /// `honoured`, `emulated` or `ignored`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Emulated => "emulated",
            Self::Ignored => "ignored",
        }
    }
}

/// A section of the vendor's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Quantization.
    Quantization,
    /// Rewrites of the graph.
    Graph,
    /// The ONNX graph cleaner.
    Cleaner,
    /// Cores and scheduling.
    Cores,
    /// Tiling and the memory plan.
    Tiling,
    /// The memories and what lives in them.
    Memory,
    /// The matrix unit.
    Matrix,
    /// Results and their places.
    Output,
    /// Clock, memory share, host transfers.
    Hardware,
    /// Profiling and debugging.
    Debugging,
    /// Paths that the SDK resolves by itself.
    Paths,
    /// The hardware's memory map.
    Layout,
}

impl Group {
    /// The section's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Quantization => "Quantization",
            Self::Graph => "Graph transformations",
            Self::Cleaner => "Graph cleaner",
            Self::Cores => "Cores and scheduling",
            Self::Tiling => "Tiling and memory plan",
            Self::Memory => "Memories",
            Self::Matrix => "Matrix and vector units",
            Self::Output => "Results and names",
            Self::Hardware => "Hardware and run time",
            Self::Debugging => "Profiling and debugging",
            Self::Paths => "Paths inside the SDK",
            Self::Layout => "Memory map",
        }
    }
}

struct Table {
    rows: Vec<Property>,
    by_name: BTreeMap<&'static str, usize>,
    by_old_name: BTreeMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows = table::rows();
    let by_name = rows.iter().enumerate().map(|(index, row)| (row.name, index)).collect();
    let old = |(index, row): (usize, &Property)| row.old_names.iter().map(move |&name| (name, index));
    let by_old_name = rows.iter().enumerate().flat_map(old).collect();
    Table { rows, by_name, by_old_name }
});

/// Every property, in the order of the reference.
#[must_use]
pub fn all() -> &'static [Property] {
    &TABLE.rows
}

/// The property of today's name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Property> {
    TABLE.rows.get(*TABLE.by_name.get(name)?)
}

/// The property that once was, or elsewhere is, called `name`.
#[must_use]
pub fn old_name_of(name: &str) -> Option<&'static Property> {
    TABLE.rows.get(*TABLE.by_old_name.get(name)?)
}

/// The property of today's or an old name.
#[must_use]
pub fn find_any(name: &str) -> Option<&'static Property> {
    find(name).or_else(|| old_name_of(name))
}

impl Property {
    /// Why a value of it, although not the default, changes nothing in the embedded compiler; `None` where it does.
    #[must_use]
    pub fn without_effect(&self, value: &Value) -> Option<&'static str> {
        if self.host == HostSupport::Ignored {
            return Some(self.why.unwrap_or("it concerns hardware"));
        }
        match (self.name, value) {
            ("multicore_mode", Value::Text(mode)) if mode == "multithread" => {
                Some("threads and processes differ on the host only")
            }
            ("multicore_mode", Value::Text(mode)) if mode == "pipeline" => {
                Some("models are not divided into stages; each core has its own image, as under `multiprocess`")
            }
            _ => None,
        }
    }

    /// Checks a value and returns it in the property's own form: a whole number for a float becomes a float, a profiling
    /// level loses its brackets. `board_cores` is the number of cores of the board, which bounds cores and shares.
    pub fn check(&self, value: &Value, board_cores: u32) -> Result<Value, ValueError> {
        let wrong_type =
            || ValueError::Type { property: self.name, expected: self.expectation(board_cores), found: value.clone() };
        let in_range = |inside: bool, checked: Value| {
            if inside {
                Ok(checked)
            } else {
                let expected = self.expectation(board_cores);
                Err(ValueError::Range { property: self.name, expected, found: value.clone() })
            }
        };
        match (self.kind, value) {
            (_, Value::Null) if self.nullable => Ok(Value::Null),
            (Kind::Bool, Value::Bool(_)) | (Kind::Text | Kind::Path, Value::Text(_)) => Ok(value.clone()),
            (Kind::Int { min, max }, Value::Int(number)) => in_range((min..=max).contains(number), value.clone()),
            (Kind::Cores, Value::Int(number)) => in_range((1..=i64::from(board_cores)).contains(number), value.clone()),
            (Kind::Float { min, max }, Value::Int(number)) => {
                let number = *number as f64;
                in_range((min..=max).contains(&number), Value::Float(number))
            }
            (Kind::Float { min, max }, Value::Float(number)) => in_range((min..=max).contains(number), value.clone()),
            (Kind::Share, Value::Int(number)) => self.check_share(*number as f64, value, board_cores),
            (Kind::Share, Value::Float(number)) => self.check_share(*number, value, board_cores),
            (Kind::Enum(words), Value::Text(text)) => self.check_word(words, text).map(Value::Text),
            (Kind::List(words), Value::List(items)) => {
                let word = |item: &Value| match item {
                    Value::Text(text) => self.check_word(words, bare_level(text)).map(Value::Text),
                    // YAML reads an unquoted `[B]` as a list of one.
                    Value::List(inner) => match inner.as_slice() {
                        [Value::Text(text)] => self.check_word(words, text).map(Value::Text),
                        _ => Err(wrong_type()),
                    },
                    _ => Err(wrong_type()),
                };
                items.iter().map(word).collect::<Result<_, _>>().map(Value::List)
            }
            _ => Err(wrong_type()),
        }
    }

    fn check_word(&self, words: &'static [&'static str], text: &str) -> Result<String, ValueError> {
        if words.contains(&text) {
            Ok(text.to_owned())
        } else {
            Err(ValueError::Choice { property: self.name, words, found: text.chars().take(80).collect() })
        }
    }

    fn check_share(&self, number: f64, value: &Value, board_cores: u32) -> Result<Value, ValueError> {
        let cores = f64::from(board_cores.max(1));
        let quanta = number * cores;
        if quanta.fract() == 0.0 && (1.0..=cores).contains(&quanta) {
            return Ok(Value::Float(number));
        }
        let mut nearest = Vec::new();
        if quanta.is_finite() {
            for candidate in [quanta.floor(), quanta.ceil()] {
                let share = format!("{:?}", candidate.clamp(1.0, cores) / cores);
                if !nearest.contains(&share) {
                    nearest.push(share);
                }
            }
        }
        let quantum = format!("{:?}", 1.0 / cores);
        Err(ValueError::Share { property: self.name, quantum, found: value.clone(), nearest })
    }

    /// What values it takes, in words: "an integer of at least 1", "`true` or `false`", "… or null".
    #[must_use]
    pub fn expectation(&self, board_cores: u32) -> String {
        let mut text = match self.kind {
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Int { min: i64::MIN, max: i64::MAX } => "an integer".to_owned(),
            Kind::Int { min, max: i64::MAX } => format!("an integer of at least {min}"),
            Kind::Int { min, max } => format!("an integer from {min} to {max}"),
            Kind::Float { min: f64::MIN, max: f64::MAX } => "a finite number".to_owned(),
            Kind::Float { min, max: f64::MAX } => format!("a number of at least {min:?}"),
            Kind::Float { min, max } => format!("a number from {min:?} to {max:?}"),
            Kind::Cores => format!("an integer from 1 to {board_cores}, the cores of the board"),
            Kind::Share => {
                format!("a multiple of {:?} greater than 0 and at most 1.0", 1.0 / f64::from(board_cores.max(1)))
            }
            Kind::Text => "text".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Enum(words) => format!("one of `{}`", words.join("`, `")),
            Kind::List(words) => format!("a list of `{}`", words.join("`, `")),
        };
        if self.nullable {
            text.push_str(" or null");
        }
        text
    }
}

/// `[PB]` as `PB`.
fn bare_level(text: &str) -> &str {
    text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::CompilerConfig;

    #[test]
    fn the_table_is_the_whole_reference() {
        assert_eq!(all().len(), 93);
        let mut names: Vec<&str> = all().iter().map(|row| row.name).collect();
        names.extend(all().iter().flat_map(|row| row.old_names));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice in the table");
    }

    #[test]
    fn every_default_passes_its_own_check() {
        for row in all() {
            assert_eq!(row.check(&row.default, 4).as_ref(), Ok(&row.default), "{}", row.name);
            assert_eq!(row.nullable, row.default == Value::Null, "{}", row.name);
            assert!(row.doc.ends_with('.') && !row.doc.contains("  "), "{}: {}", row.name, row.doc);
        }
    }

    #[test]
    fn every_ignored_or_emulated_property_says_why() {
        for row in all() {
            assert!(row.host == HostSupport::Honoured || row.why.is_some(), "{} does not say why", row.name);
        }
    }

    #[test]
    fn an_influence_that_the_group_does_not_tell_says_why() {
        for row in all() {
            let usual = match row.group {
                Group::Quantization => Influence::Quantize,
                Group::Cleaner => Influence::Clean,
                Group::Graph
                | Group::Cores
                | Group::Tiling
                | Group::Memory
                | Group::Matrix
                | Group::Hardware
                | Group::Layout => Influence::Lower,
                // Nobody can guess which of these is more than a place or a dump.
                Group::Output | Group::Debugging | Group::Paths => {
                    assert!(row.reason.is_some(), "{} does not say why it influences this step", row.name);
                    continue;
                }
            };
            let usual = row.influences == usual;
            assert!(usual || row.reason.is_some(), "{} does not say why it influences this step", row.name);
        }
    }

    #[test]
    fn the_struct_and_its_values_agree() {
        let config = CompilerConfig::default();
        let values = config.values();
        assert_eq!(CompilerConfig::from_values(&values), Ok(config));
        for row in all() {
            assert_eq!(values.get(row.name), Some(&row.default), "{}", row.name);
        }
    }

    /// A property, a value, the board's cores, and what comes of it.
    struct Case(&'static str, Value, u32, Result<Value, &'static str>);

    #[test]
    fn values_are_checked() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases = [
            Case("tiling_depth", Value::Int(6), 4, Ok(Value::Int(6))),
            Case("tiling_depth", Value::Int(0), 4, Err("`tiling_depth` is an integer of at least 1, found 0")),
            Case(
                "tiling_depth",
                text("6"),
                4,
                Err("`tiling_depth` takes an integer of at least 1, found text `\"6\"`"),
            ),
            Case(
                "tiling_depth",
                Value::Null,
                4,
                Err("`tiling_depth` takes an integer of at least 1, found null `null`"),
            ),
            Case("dfs_search_constraint", Value::Null, 4, Ok(Value::Null)),
            Case("aipu_cores_used", Value::Int(8), 8, Ok(Value::Int(8))),
            Case(
                "aipu_cores_used",
                Value::Int(5),
                4,
                Err("`aipu_cores_used` is an integer from 1 to 4, the cores of the board, found 5"),
            ),
            Case("resources_used", Value::Int(1), 4, Ok(Value::Float(1.0))),
            Case("resources_used", Value::Float(0.125), 8, Ok(Value::Float(0.125))),
            Case(
                "resources_used",
                Value::Float(0.3),
                4,
                Err("`resources_used` is a multiple of 0.25 greater than 0 and at most 1.0, found 0.3"),
            ),
            Case(
                "resources_used",
                Value::Float(f64::NAN),
                4,
                Err("`resources_used` is a multiple of 0.25 greater than 0 and at most 1.0, found NaN"),
            ),
            Case(
                "mvm_utilization_limit",
                Value::Float(f64::INFINITY),
                4,
                Err("`mvm_utilization_limit` is a number from 0.125 to 1.0, found inf"),
            ),
            Case(
                "softmax_neutral_value",
                Value::Float(f64::NAN),
                4,
                Err("`softmax_neutral_value` is a finite number, found NaN"),
            ),
            Case(
                "dpu_constants_home",
                text("global.l1"),
                4,
                Err("`dpu_constants_home` is one of `global.ddr`, `global.l2`, found `global.l1`"),
            ),
            Case(
                "profiling_levels",
                Value::List(vec![text("[PB]"), Value::List(vec![text("K")])]),
                4,
                Ok(Value::List(vec![text("PB"), text("K")])),
            ),
            Case("use_sysdma", Value::Int(1), 4, Err("`use_sysdma` takes `true` or `false`, found integer `1`")),
        ];
        for Case(name, value, cores, expected) in cases {
            let row = find(name).expect("a property");
            let found = row.check(&value, cores).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{name}: {value}");
        }
    }
}
