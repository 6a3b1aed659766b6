//! The settings of the tool itself: flag > `AXZOO_*` variable > `axzoo.toml` > default (SPEC 2), layered with figment.

mod keys;
mod layers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::value::Value;
use serde::Deserialize;

use self::keys::{KEYS, Takes};
use self::layers::Setting;
use crate::base::fs;
use crate::diag::Diagnostic;
use crate::plan::StepKind;

/// Where a zoo's parts lie and how it is built. Paths are as given: relative to the root, or absolute.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Settings {
    /// `[zoo]`
    pub zoo: Zoo,
    /// `[toolchain]`
    pub toolchain: Toolchain,
    /// `[device]`
    pub device: Device,
    /// `[calibration]`
    pub calibration: Calibration,
    /// `[jobs]`
    pub jobs: Jobs,
    /// `[pools]`
    #[serde(default)]
    pub pools: Pools,
    /// `[scripted]`
    #[serde(default)]
    pub scripted: Scripted,
}

/// `[zoo]`: the folders, relative to the root.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Zoo {
    /// Folders searched for cards, in order.
    pub cards: Vec<String>,
    /// Globs of card paths that are left out.
    pub exclude: Vec<String>,
    /// Folders searched for configs that cards name without a folder.
    pub configs: Vec<String>,
    /// Where results go.
    pub build: String,
    /// Where the store lies.
    pub cache: String,
    /// Where dataset folders lie.
    pub data: String,
    /// Whether a warning is an error.
    pub strict: bool,
    /// Card keys that the near-miss rule lets through.
    pub allow_keys: Vec<String>,
}

/// `[toolchain]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Toolchain {
    /// Which toolchain.
    pub r#use: String,
    /// An installed SDK, searched for configs.
    pub sdk: Option<String>,
    /// How long one step may take, in milliseconds.
    pub timeout: u64,
    /// How often an external tool that failed is run again.
    pub retries: u32,
}

/// `[device]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Device {
    /// `pcie`, `m2` or `europa`.
    pub board: String,
    /// Cores of the device; `None`: as many as the board has.
    pub cores: Option<u32>,
}

/// `[calibration]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Calibration {
    /// How many images, where neither the card nor the command line says.
    pub images: u32,
    /// Whether a model without images may be calibrated on random data.
    pub allow_random: bool,
}

/// `[jobs]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Jobs {
    /// Steps at a time; 0: one per CPU.
    pub parallel: u32,
    /// How much memory steps may take together: a size, or a part of the machine's in per cent.
    pub memory: String,
}

/// `[pools]`: how many steps of a kind may run at a time, where fewer than all should.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Pools(BTreeMap<StepKind, u32>);

impl Pools {
    /// Places of each pool that is limited.
    #[must_use]
    pub fn places(&self) -> BTreeMap<StepKind, usize> {
        self.0.iter().map(|(&kind, &places)| (kind, places as usize)).collect()
    }
}

/// `[scripted]`: the commands of the toolchain for tests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Scripted {
    /// Of clean steps.
    pub clean: Option<String>,
    /// Of quantize steps.
    pub quantize: Option<String>,
    /// Of lower steps.
    pub lower: Option<String>,
}

/// Settings with the root they belong to and the place each was said.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The zoo's root.
    pub root: PathBuf,
    /// The settings.
    pub settings: Settings,
    /// Whether the number of calibration images was asked for on the command line or in a variable: too few are then
    /// an error.
    pub images_are_explicit: bool,
    /// Who said `device.cores`: `axzoo.toml:3`, a variable or a flag.
    pub cores_said_by: String,
}

/// What the command line says of settings: the flag's name and its text; a list once for each value.
pub type Flags = Vec<(&'static str, String)>;

fn defaults() -> Vec<Setting> {
    let default = |path: &'static str, value: Value| Setting { path, value, place: "default".to_owned() };
    let texts = |items: &[&str]| Value::from(items.iter().map(|&item| Value::from(item)).collect::<Vec<_>>());
    vec![
        default("zoo.cards", texts(&["model_cards"])),
        default("zoo.exclude", texts(&["**/training_yamls/**", "**/yolo/cfg/**"])),
        default("zoo.configs", texts(&["configs"])),
        default("zoo.build", Value::from("build")),
        default("zoo.cache", Value::from("cache")),
        default("zoo.data", Value::from("data")),
        default("zoo.strict", Value::from(false)),
        default("zoo.allow_keys", texts(&[])),
        default("toolchain.use", Value::from("host")),
        default("toolchain.timeout", Value::from(3_600_000_u64)),
        default("toolchain.retries", Value::from(0_u32)),
        default("device.board", Value::from("pcie")),
        default("calibration.images", Value::from(200_u32)),
        default("calibration.allow_random", Value::from(false)),
        default("jobs.parallel", Value::from(0_u32)),
        default("jobs.memory", Value::from("80%")),
    ]
}

/// The root of the zoo that `start` lies in: the nearest folder at or above it that holds `axzoo.toml` or
/// `model_cards/`.
#[must_use]
pub fn find_root(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| fs::is_file(&folder.join("axzoo.toml")) || fs::is_folder(&folder.join("model_cards")))
        .map(Path::to_path_buf)
}

/// Reads and layers everything; all problems at once. Paths in flags and variables are relative to `standing`, the working
/// folder, as in any program; those in `axzoo.toml` are relative to the root that it lies in.
pub fn resolve(
    root: &Path,
    standing: &Path,
    flags: &Flags,
    variables: &BTreeMap<String, String>,
) -> Result<Resolved, Vec<Diagnostic>> {
    // Below the root, names stay short: they stand in messages.
    let standing = standing.strip_prefix(root).unwrap_or(standing);
    let (file, mut problems) = layers::from_file(root);
    let (from_variables, more) = layers::from_variables(variables, standing);
    problems.extend(more);
    let (from_flags, more) = flag_settings(flags, standing);
    problems.extend(more);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut figment = Figment::new();
    for setting in defaults().into_iter().chain(file).chain(from_variables).chain(from_flags) {
        figment = figment.merge(setting);
    }
    let said_by = |path| figment.find_metadata(path).map_or("default", |metadata| metadata.name.as_ref()).to_owned();
    let place = said_by("calibration.images");
    let images_are_explicit = place != "default" && !place.starts_with("axzoo.toml");
    match figment.extract::<Settings>() {
        Ok(settings) => {
            let cores_said_by = said_by("device.cores");
            Ok(Resolved { root: root.to_owned(), settings, images_are_explicit, cores_said_by })
        }
        Err(errors) => Err(errors
            .into_iter()
            .map(|error| {
                let place = error.metadata.as_ref().map_or("axzoo.toml".into(), |metadata| metadata.name.clone());
                Diagnostic::error("settings/value", error.kind.to_string()).in_file(place)
            })
            .collect()),
    }
}

fn flag_settings(flags: &Flags, standing: &Path) -> (Vec<Setting>, Vec<Diagnostic>) {
    let mut settings = Vec::new();
    let mut problems = Vec::new();
    for key in KEYS {
        let given: Vec<&str> =
            flags.iter().filter(|(flag, _)| *flag == key.flag).map(|(_, text)| text.as_str()).collect();
        let Some(last) = given.last() else { continue };
        let value = match key.takes {
            Takes::Texts => Ok(Value::from(given.iter().map(|&text| Value::from(text)).collect::<Vec<_>>())),
            // A flag is given once for each path, so that a colon may be in one.
            Takes::Paths => {
                let path = |&text: &&str| Value::from(standing.join(text).to_string_lossy().into_owned());
                Ok(Value::from(given.iter().map(path).collect::<Vec<_>>()))
            }
            _ => layers::from_text(key, last, standing),
        };
        match value {
            Ok(value) => settings.push(Setting { path: key.path, value, place: format!("--{}", key.flag) }),
            Err(problem) => problems.push(layers::typed(problem, &format!("--{}", key.flag), last)),
        }
    }
    (settings, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoo(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(&folder.path().join("axzoo.toml"), text.as_bytes()).expect("written");
        folder
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let folder = zoo("[zoo]\nbuild = \"from-file\"\ncache = \"from-file\"\ndata = \"from-file\"\n");
        let variables = BTreeMap::from([
            ("AXZOO_BUILD_ROOT".to_owned(), "from-variable".to_owned()),
            ("AXELERA_BUILD_ROOT".to_owned(), "from-sdk".to_owned()),
            ("AXELERA_DATA_ROOT".to_owned(), "from-sdk".to_owned()),
            ("AXZOO_CACHE".to_owned(), "from-variable".to_owned()),
            ("AXZOO_SDK".to_owned(), String::new()),
        ]);
        let flags = vec![("cache", "from-flag".to_owned())];
        let root = folder.path();
        let Settings { zoo, toolchain, .. } = resolve(root, root, &flags, &variables).expect("resolved").settings;
        assert_eq!(toolchain.sdk, None);
        assert_eq!(zoo.cache, "from-flag");
        assert_eq!(zoo.build, "from-variable");
        assert_eq!(zoo.data, "from-sdk");
        assert_eq!(zoo.cards, ["model_cards"]);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let folder =
            zoo("[zoo]\nexclude = [\"drafts/**\"]\nstrict = true\n[jobs]\nparallel = 3\n[scripted]\nclean = \"c\"\n");
        let root = folder.path();
        let names = KEYS.iter().flat_map(|key| [key.sdk_variable.map(str::to_owned), Some(key.variable())]);
        let empty: BTreeMap<String, String> = names.flatten().map(|name| (name, String::new())).collect();
        let flags = Flags::new();
        let resolved = |variables| resolve(root, root, &flags, variables).map(|resolved| resolved.settings);
        let none = BTreeMap::new();
        let expected = resolved(&none).expect("resolved");
        assert_eq!(resolved(&empty), Ok(expected));
    }

    #[test]
    fn every_problem_of_the_file_is_reported_with_its_line() {
        struct Case {
            text: &'static str,
            line: usize,
            says: &'static str,
        }
        let cases = [
            Case { text: "[zoo]\nbulid = 'x'\n", line: 2, says: "zoo.bulid" },
            Case { text: "[zo]\nbuild = 'x'\n", line: 1, says: "unknown setting `zo`" },
            Case { text: "[zoo]\ncache = ''\n", line: 2, says: "takes a path, found an empty text" },
            Case { text: "[zoo]\nstrict = 'yes'\n", line: 2, says: "takes `true` or `false`" },
            Case { text: "[jobs]\nparallel = -1\n", line: 2, says: "whole number" },
            Case { text: "[jobs]\nmemory = '80'\nparallel = 'x'\n", line: 3, says: "whole number" },
            Case { text: "[jobs]\nmemory = 'much'\n", line: 2, says: "a size such as `8GB`" },
            Case { text: "[toolchain]\ntimeout = '1 year'\n", line: 2, says: "a time such as" },
            Case { text: "[toolchain]\nretries = -1\n", line: 2, says: "whole number" },
            Case { text: "[toolchain]\nuse = 'axcompile'\n", line: 2, says: "one of `host`" },
            Case { text: "[zoo\n", line: 1, says: "" },
        ];
        for case in cases {
            let folder = zoo(case.text);
            let root = folder.path();
            let problems = resolve(root, root, &Vec::new(), &BTreeMap::new()).expect_err(case.text);
            let found = problems.iter().any(|problem| {
                problem.message.contains(case.says)
                    && problem.place.as_ref().is_some_and(|place| place.position().line == case.line)
            });
            assert!(found, "{}: {problems:?}", case.text);
        }
    }

    #[test]
    fn paths_are_meant_from_where_they_are_written() {
        struct Case {
            standing: PathBuf,
            expected: [String; 5],
        }
        let folder = zoo("[zoo]\nbuild = \"in-file\"\n");
        let root = folder.path();
        let outside = root.with_file_name("elsewhere");
        let variables = BTreeMap::from([("AXZOO_CONFIGS".to_owned(), "a:/b".to_owned())]);
        let flags = vec![("cache", "store".to_owned()), ("cards", "..".to_owned()), ("exclude", "x/**".to_owned())];
        let of = |path: &Path| path.display().to_string();
        let cases = [
            Case {
                standing: root.to_owned(),
                expected: ["in-file", "store", "..", "a /b", "x/**"].map(ToOwned::to_owned),
            },
            Case {
                standing: root.join("sub"),
                expected: ["in-file", "sub/store", "sub/..", "sub/a /b", "x/**"].map(ToOwned::to_owned),
            },
            Case {
                standing: outside.clone(),
                expected: [
                    "in-file".to_owned(),
                    of(&outside.join("store")),
                    of(&outside.join("..")),
                    format!("{} /b", of(&outside.join("a"))),
                    "x/**".to_owned(),
                ],
            },
        ];
        for Case { standing, expected } in cases {
            let zoo = resolve(root, &standing, &flags, &variables).expect("resolved").settings.zoo;
            let found = [zoo.build, zoo.cache, zoo.cards.join(" "), zoo.configs.join(" "), zoo.exclude.join(" ")];
            assert_eq!(found, expected, "{}", standing.display());
        }
    }

    #[test]
    fn the_root_is_found_from_a_folder_inside() {
        let folder = zoo("");
        let inner = folder.path().join("model_cards/vision");
        fs::create_folders(&inner).expect("created");
        assert_eq!(find_root(&inner).as_deref(), Some(folder.path()));
    }
}
