//! Where a name in `compiler_config_file` is looked for (SPEC 4). The file system is asked, no interpreter is started.

use std::path::Path;
use std::path::PathBuf;

use crate::base::did_you_mean;
use crate::base::fs;
use crate::base::nearest;
use crate::base::shown;

/// Where the configs of the compiler lie inside a Python package folder.
const MODELS: &str = "axelera/compiler/config/models";

/// The folders that bare names are looked for in, beside the card's own.
#[derive(Debug, Clone, Default)]
pub struct SearchPath {
    /// The zoo's root: names of files in messages are relative to it.
    pub root: PathBuf,
    /// The zoo's `configs` folders, in order.
    pub config_folders: Vec<PathBuf>,
    /// Roots of installed SDKs, in order: `--sdk` or `AXZOO_SDK`, `$VIRTUAL_ENV`, `$AXELERA_FRAMEWORK`.
    pub sdk_roots: Vec<PathBuf>,
}

/// What kind of folder a config lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// The card's own.
    Card,
    /// One of the zoo's `configs` folders.
    Zoo,
    /// An installed SDK.
    Sdk,
}

impl ConfigSource {
    /// `card`, `zoo` or `sdk`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Zoo => "zoo",
            Self::Sdk => "sdk",
        }
    }
}

/// A config that a card can name by its bare name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConfig {
    /// What a card writes.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The file's name for users, relative to the root where it lies below it.
    pub display: String,
    /// What kind of folder it lies in.
    pub source: ConfigSource,
    /// The file of the same name in an earlier folder, which wins.
    pub hidden_by: Option<String>,
}

/// Why a name leads to no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFound {
    /// Every place that was looked at, as users see it.
    pub(super) places: Vec<String>,
    /// `did you mean …?`, where something is near.
    pub(super) near: Option<String>,
    /// Whether one file was looked at, rather than folders.
    pub(super) is_path: bool,
}

impl SearchPath {
    /// The path as users see it: relative to the root where it lies below it, `..` resolved by text.
    #[must_use]
    pub fn display(&self, path: &Path) -> String {
        shown(path, &self.root)
    }

    /// The file that a card in `card_folder` means by `name`. Whatever stands there wins, a folder too, so that the reader
    /// can say what is wrong with it.
    /// `exists` is the file system, or what it will be.
    pub(super) fn find(
        &self,
        name: &str,
        card_folder: &Path,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Result<PathBuf, NotFound> {
        let path = Path::new(name);
        let has_folder = path.components().count() > 1 || name.contains('/');
        if path.is_absolute() || has_folder {
            // `join` leaves an absolute path as it is.
            let path = card_folder.join(path);
            return if exists(&path) { Ok(path) } else { Err(self.not_there(name, &path)) };
        }
        let mut looked = Vec::new();
        let own = std::iter::once(card_folder.to_owned()).chain(self.config_folders.iter().cloned());
        for folder in own {
            let path = folder.join(name);
            if exists(&path) {
                return Ok(path);
            }
            looked.push(folder);
        }
        for root in &self.sdk_roots {
            for folder in sdk_folders(root) {
                let path = folder.join(name);
                if exists(&path) {
                    return Ok(path);
                }
                looked.push(folder);
            }
        }
        let places = self.places(Some(card_folder));
        let names: Vec<String> = looked.iter().flat_map(|folder| toml_names(folder)).collect();
        Err(NotFound { places, near: near("", name, &names), is_path: false })
    }

    fn not_there(&self, written: &str, path: &Path) -> NotFound {
        let names = path.parent().map(toml_names).unwrap_or_default();
        let (folder, name) = written.rfind('/').map_or(("", written), |at| written.split_at(at + 1));
        NotFound { places: vec![self.display(path)], near: near(folder, name, &names), is_path: true }
    }

    /// Every place where a bare name is looked for, in order, as users see them: the card's own folder where one is given,
    /// the zoo's, and those of an SDK; of an SDK without configs its root, which says so.
    #[must_use]
    pub fn places(&self, card_folder: Option<&Path>) -> Vec<String> {
        let own = card_folder.into_iter().chain(self.config_folders.iter().map(PathBuf::as_path));
        let mut places: Vec<String> = own.map(|folder| self.display(folder)).collect();
        for root in &self.sdk_roots {
            let folders = sdk_folders(root);
            if folders.is_empty() {
                places.push(format!("{} (no `{MODELS}` there)", self.display(root)));
            }
            places.extend(folders.iter().map(|folder| self.display(folder)));
        }
        places
    }

    /// The configs that a card can name by bare name, in the order they are looked for. Those beside a card are among them
    /// only where its folder is given.
    #[must_use]
    pub fn list_configs(&self, card_folder: Option<&Path>) -> Vec<ListedConfig> {
        let beside = card_folder.map(|folder| (folder.to_owned(), ConfigSource::Card));
        let own = self.config_folders.iter().map(|folder| (folder.clone(), ConfigSource::Zoo));
        let sdk = self.sdk_roots.iter().flat_map(|root| sdk_folders(root)).map(|folder| (folder, ConfigSource::Sdk));
        let mut listed: Vec<ListedConfig> = Vec::new();
        for (folder, source) in beside.into_iter().chain(own).chain(sdk) {
            for name in toml_names(&folder) {
                let path = folder.join(&name);
                if listed.iter().any(|earlier| earlier.path == path) {
                    continue;
                }
                let winner = listed.iter().find(|earlier| earlier.name == name && earlier.hidden_by.is_none());
                let hidden_by = winner.map(|winner| winner.display.clone());
                let display = self.display(&path);
                listed.push(ListedConfig { name, path, display, source, hidden_by });
            }
        }
        listed
    }
}

/// `did you mean …?` for the files that look like `name`; their common ending makes no two alike.
fn near(folder: &str, name: &str, names: &[String]) -> Option<String> {
    let stem = |name: &str| name.strip_suffix(".toml").unwrap_or(name).to_owned();
    let stems: Vec<String> = names.iter().map(|name| stem(name)).collect();
    let found = nearest(&stem(name), stems.iter().map(String::as_str));
    // A name that is right but for its ending is the nearest of all.
    let same = stems.iter().map(String::as_str).filter(|other| *other == stem(name));
    let found: Vec<String> = same.chain(found).map(|stem| format!("{folder}{stem}.toml")).collect();
    let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
    found.dedup();
    did_you_mean(&found)
}

/// The folders of an SDK, environment or checkout that hold the compiler's configs; only those that exist.
fn sdk_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join(MODELS)];
    for environment in ["", "venv", ".venv"] {
        let libraries = root.join(environment).join("lib");
        let pythons = fs::list(&libraries)
            .unwrap_or_default()
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")));
        folders.extend(pythons.map(|python| python.join("site-packages").join(MODELS)));
    }
    folders.retain(|folder| fs::is_folder(folder));
    folders
}

/// The names of the TOML files right in a folder, sorted; none when there is no such folder.
fn toml_names(folder: &Path) -> Vec<String> {
    let paths = fs::list(folder).unwrap_or_default().into_iter();
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml") && fs::is_file(path));
    files.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
}
