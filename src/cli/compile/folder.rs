//! The folder of results. Work is done in a folder inside it, on the same file system; at the end the names that are ours are
//! swapped, the report last, so that the folder is one run's and no other's. Foreign files are never touched.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::dumps;
use super::given::NAMES;
use super::outcome::Outcome;
use crate::base::fs;
use crate::base::fs::FsError;
use crate::cli::failure::hint_of;
use crate::compiler::Status;
use crate::compiler::onnx::OnnxFile;

/// The report, written last and removed first.
const REPORT: &str = "compilation_report.json";
const LOG: &str = "compilation_log.txt";

/// The configuration that was used.
pub(super) const CONF: &str = "conf.json";

/// The arguments that were given.
pub(super) const ARGUMENTS: &str = "cli_args.json";

/// The copy of the input.
pub(super) const MODEL: &str = "input_model/fp32_model.onnx";

/// What a failure leaves on request.
pub(super) const ERROR_ARTIFACT: &str = "error_artifact.zip";

/// Every name that some run may write, beside the report, the log and what lies beside the copy of the model.
const OWN: [&str; 22] = [
    ARGUMENTS,
    CONF,
    dumps::RECORD,
    MODEL,
    "quantized_model/quantized_model_manifest.json",
    "quantized_model/quantized_model.json",
    "quantized_model/quantized_model.txt",
    "quantized_model/quantized_model.onnx",
    "quantized_model/report.json",
    "quantized_model/preprocess_graph.onnx",
    "quantized_model/postprocess_graph.onnx",
    "compiled_model/manifest.json",
    "compiled_model/model.json",
    "compiled_model/quantized_model.json",
    "compiled_model/kernel_function.c",
    "compiled_model/pool_l2_const.bin",
    "compiled_model/report.json",
    "compiled_model/program.json",
    "compiled_model/memory_plan.json",
    "compiled_model/preprocess_graph.onnx",
    "compiled_model/postprocess_graph.onnx",
    ERROR_ARTIFACT,
];

/// Folders of our files.
const FOLDERS: [&str; 3] = ["input_model", "quantized_model", "compiled_model"];

/// A folder of results that this process alone writes to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    work: PathBuf,
    /// Held for as long as the folder is written to.
    _lock: File,
}

/// Whether a result is more than a copy of what the run was given.
pub(super) fn is_of_value(name: &str) -> bool {
    !name.starts_with("input_model/") && ![ARGUMENTS, CONF].contains(&name)
}

/// Why a folder cannot be written to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the folder of results `{0}` is a file")]
    IsFile(String),
    #[error("the folder of results `{0}` is a link to what does not exist")]
    Dangling(String),
    #[error("another `axzoo compile` writes to `{0}` now")]
    Busy(String),
    #[error("`{folder}` holds a file `{name}` that no run of `axzoo compile` made, and results have this name")]
    Foreign { folder: String, name: String },
    #[error("the folder of results cannot be used: {0}")]
    File(FsError),
}

impl Unusable {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::IsFile(_) => Some("name a folder with `-o`; it is made where it does not exist".to_owned()),
            Self::Dangling(_) => Some("make the folder that it leads to, or name another one with `-o`".to_owned()),
            Self::Busy(_) => Some("wait for it, or name another folder with `-o`".to_owned()),
            Self::Foreign { .. } => Some("move it away, or name a folder of its own with `-o`".to_owned()),
            Self::File(error) => hint_of(error),
        }
    }
}

/// Whether a run wrote to the folder, this compiler's or the vendor's: its report says how it ended, or, where there was no room
/// for that, what it was given is there. A run that was killed leaves the folder of its work.
fn is_of_a_run(folder: &Path) -> bool {
    let json = |name: &str| -> Option<Json> {
        serde_json::from_slice(&fs::read_limited(&folder.join(name), MARK_LIMIT).ok()?).ok()
    };
    let status = json(REPORT).and_then(|report| serde_json::from_value::<Status>(report.get("status")?.clone()).ok());
    let arguments = || json(ARGUMENTS).is_some_and(|given| NAMES.iter().all(|name| given.get(name).is_some()));
    status.is_some() || arguments()
}

/// Where the tensors lie that an ONNX file keeps in files beside it, once it is copied among the results; `None` where that
/// cannot be told.
pub(super) fn tensors_of(model: &Path) -> Option<Vec<String>> {
    let length = fs::stat(model)?.size;
    let names = OnnxFile::skim(fs::open(model).ok()?, length).ok()?.external_locations();
    let plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..";
    Some(names.into_iter().filter(plain).map(|name| format!("input_model/{name}")).collect())
}

/// Bytes of a file that is looked at to know whose the folder is.
const MARK_LIMIT: u64 = 1 << 20;

impl Folder {
    /// Makes the folder where it does not exist, and takes it for this process. What a killed run left is removed.
    pub(super) fn open(path: &Path, shown: &str) -> Result<Self, Unusable> {
        if fs::exists(path) && !fs::is_folder(path) {
            return Err(Unusable::IsFile(shown.to_owned()));
        }
        if fs::is_link(path) && !fs::exists(path) {
            return Err(Unusable::Dangling(shown.to_owned()));
        }
        let named = |error: FsError| Unusable::File(error);
        fs::create_folders(path).map_err(named)?;
        let lock = fs::try_lock_folder(path).map_err(named)?.ok_or_else(|| Unusable::Busy(shown.to_owned()))?;
        let unfinished = path.join("compile");
        let entries = fs::list(path).map_err(named)?;
        let is_left = |entry: &&PathBuf| fs::target_of_temporary(entry).is_some_and(|target| target == unfinished);
        let left: Vec<&PathBuf> = entries.iter().filter(is_left).collect();
        if left.is_empty() && !is_of_a_run(path) {
            let names = OWN.iter().chain(&[REPORT, LOG]);
            if let Some(name) = names.copied().find(|name| fs::is_file(&path.join(name))) {
                return Err(Unusable::Foreign { folder: shown.to_owned(), name: name.to_owned() });
            }
        }
        for entry in left {
            fs::remove_folder(entry).map_err(named)?;
        }
        let work = fs::temporary_beside(&unfinished);
        fs::create_folders(&work).map_err(named)?;
        Ok(Self { path: path.to_owned(), work, _lock: lock })
    }

    /// A place in the folder where the work is done.
    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// A place among the results.
    pub(super) fn result(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What a file that was given holds, where it lies at the place of a result of this name and says something else: it would
    /// be lost.
    pub(super) fn replaces(&self, name: &str, given: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
        let own = fs::canonical(&self.path.join(name)).ok()?;
        let there = fs::read(given).ok().filter(|_| fs::canonical(given).is_ok_and(|given| given == own));
        there.filter(|there| there != bytes)
    }

    /// The result that a run would put in the place of a file of its model, if there is one; the copy of the model is the same file.
    pub(super) fn replaced_by_result(&self, given: &Path) -> Option<&'static str> {
        let given = fs::canonical(given).ok()?;
        let own = |name: &&str| fs::canonical(&self.path.join(name)).is_ok_and(|own| own == given);
        OWN.into_iter().filter(|name| *name != MODEL).find(own)
    }

    /// What is in the way of files and folders that a run may write, `tensors` (beside the copy of its model) among them. What was
    /// `given` stays as it is.
    pub(super) fn obstacles(&self, tensors: &[String], given: &[PathBuf], is_manifest: bool) -> Vec<String> {
        let is_folder = |name: &&str| fs::is_folder(&self.path.join(name));
        let files = OWN.into_iter().chain([REPORT, LOG]).chain(tensors.iter().map(String::as_str)).filter(is_folder);
        let files =
            files.map(|name| format!("`{name}` is the name of a file of the run, and there is a folder of that name"));
        let folders = FOLDERS.into_iter().filter_map(|name| {
            let place = self.path.join(name);
            let is_file = fs::exists(&place) && !fs::is_folder(&place);
            let found = if fs::is_link(&place) { Some("link") } else { is_file.then_some("file") };
            found.map(|found| {
                format!("`{name}` is the name of a folder of the run, and there is a {found} of that name")
            })
        });
        let mut problems: Vec<String> = files.chain(folders).collect();
        let reports = [REPORT, LOG].into_iter().filter(|name| self.is_one_of(name, given));
        problems.extend(reports.map(|name| format!("`{name}` was given to the run, and would be replaced")));
        problems.extend(FOLDERS.into_iter().filter_map(|name| {
            let place = self.path.join(name);
            // A run from a manifest makes no copy of a model.
            let stays = || {
                let all_given = |entries: Vec<PathBuf>| entries.iter().all(|entry| given.contains(entry));
                is_manifest && name == "input_model" && fs::list(&place).is_ok_and(all_given)
            };
            let is_ours = fs::is_folder(&place) && !fs::is_link(&place);
            let error = fs::check_writable(&place).err().filter(|_| is_ours && !stays())?;
            Some(format!("`{name}` is a folder of the run, and nothing in it may be replaced: {error}"))
        }));
        let known = self.beside_model();
        for name in tensors.iter().filter(|name| !known.contains(name)) {
            let place = self.path.join(name);
            let is_there = fs::is_link(&place) || fs::exists(&place) && !fs::is_folder(&place);
            if is_there {
                problems
                    .push(format!("`{name}` is the name of a file of the run, and no run made the one that is there"));
            }
        }
        problems
    }

    /// Whether something in this folder was given to the run, itself or with a folder that it lies in; the folder of results was
    /// given too.
    fn is_given(&self, name: &str, given: &[PathBuf]) -> bool {
        let own = fs::canonical(&self.path).ok();
        let given = given.iter().filter_map(|given| fs::canonical(given).ok());
        let mut given = given.filter(|given| !own.as_ref().is_some_and(|own| own.starts_with(given)));
        fs::canonical(&self.path.join(name)).is_ok_and(|place| given.any(|given| place.starts_with(given)))
    }

    /// Why a file of a name that the user chose would not be the run's own to write, if it would not.
    pub(super) fn keeps(&self, name: &str, kept: &[PathBuf]) -> Option<String> {
        let first = name.split('/').next().unwrap_or_default();
        let is_own = |own: &str| own.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(first));
        if OWN.into_iter().chain([REPORT, LOG]).any(is_own) || fs::target_of_temporary(Path::new(first)).is_some() {
            return Some(format!("`{first}` is the run's own"));
        }
        let mut place = self.path.clone();
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            place.push(part);
            let shown = || place.strip_prefix(&self.path).unwrap_or(&place).display();
            let is_last = parts.peek().is_none();
            match () {
                () if fs::is_link(&place) => return Some(format!("`{}` is a link", shown())),
                () if !fs::exists(&place) => return None,
                () if is_last == fs::is_folder(&place) => {
                    let is = if is_last { "a folder" } else { "a file" };
                    return Some(format!("`{}` is {is}", shown()));
                }
                () => (),
            }
        }
        if self.is_given(name, kept) {
            return Some(format!("`{name}` is there and was given to this run"));
        }
        let is_ours = self.recorded().get(name).is_some_and(|digest| self.is_unchanged(name, digest));
        (!is_ours).then(|| format!("`{name}` is there, and is not what a run of `axzoo compile` wrote"))
    }

    /// Files of chosen names that an earlier run made.
    fn recorded(&self) -> BTreeMap<String, String> {
        dumps::recorded(&self.path, MARK_LIMIT)
    }

    /// Those of them that this run was given, and does not make anew: they stay, and stay recorded.
    pub(super) fn held(&self, given: &[PathBuf], made: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let mut held = self.recorded();
        held.retain(|name, digest| {
            !made.contains(name.as_str()) && self.is_given(name, given) && self.is_unchanged(name, digest)
        });
        held
    }

    fn is_unchanged(&self, name: &str, digest: &str) -> bool {
        let path = self.path.join(name);
        fs::is_file(&path) && fs::digest(&path).is_ok_and(|found| found.to_string() == digest)
    }

    /// Whether files of these names can take their places: a folder there is not ours to remove.
    pub(super) fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        for name in names {
            if fs::is_folder(&self.path.join(name)) {
                return Err(format!("`{name}` is to be written, and there is a folder of that name"));
            }
            if let Some((folder, _)) = name.split_once('/')
                && fs::is_file(&self.path.join(folder))
            {
                return Err(format!("`{name}` is to be written, and `{folder}` is a file"));
            }
        }
        Ok(())
    }

    /// Removes what earlier runs wrote here, but for `given` (files that this run was given); how many files.
    pub(super) fn clear(&self, given: &[PathBuf], made: &BTreeSet<&str>) -> Result<usize, FsError> {
        let mut removed = 0;
        let kept: Vec<PathBuf> = given.iter().filter_map(|path| fs::canonical(path).ok()).collect();
        // What only another file tells of goes before that file, so that nothing of ours is ever taken for somebody else's. Of the
        // recorded files, one that was changed since is the user's.
        let stale: Vec<String> = self.recorded().into_keys().filter(|name| self.keeps(name, given).is_none()).collect();
        let held = self.held(given, made);
        for path in stale.iter().map(|name| self.path.join(name)).filter(|path| fs::is_file(path)) {
            fs::remove_file(&path)?;
            removed += 1;
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.path) {
                fs::remove_folder_if_empty(folder)?;
            }
        }
        let names = self.beside_model().into_iter().chain(OWN.map(ToOwned::to_owned));
        for name in names.filter(|name| !made.contains(name.as_str())) {
            let path = self.path.join(&name);
            let is_kept = fs::canonical(&path).is_ok_and(|path| kept.contains(&path));
            if name == dumps::RECORD && !held.is_empty() {
                fs::write_atomic(&path, &dumps::text(&held))?;
            } else if fs::is_file(&path) && !is_kept {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Files that hold tensors of the copy that an earlier run made of its model.
    fn beside_model(&self) -> Vec<String> {
        tensors_of(&self.path.join(MODEL)).unwrap_or_default()
    }

    /// Removes from the folder of the work what is no result: a folder of results may need the room that it takes.
    fn make_room(&self, made: &[(String, PathBuf)]) {
        let is_result = |entry: &PathBuf| made.iter().any(|(_, file)| file.starts_with(entry));
        for entry in fs::list(&self.work).unwrap_or_default().into_iter().filter(|entry| !is_result(entry)) {
            // What cannot be removed now goes at the end.
            let _ = if fs::is_folder(&entry) { fs::remove_folder(&entry) } else { fs::remove_file(&entry) };
        }
    }

    /// Puts what was made (name and file, all in the folder of the work) in the place of what earlier runs wrote.
    pub(super) fn swap(&self, made: &[(String, PathBuf)], kept: &[PathBuf]) -> Result<(), Outcome> {
        let failed = |error: FsError| Outcome::of_file(&error, Status::TopLevelLowerError, Status::TopLevelLowerError);
        self.make_room(made);
        fs::remove_file(&self.path.join(REPORT)).map_err(failed)?;
        let names: BTreeSet<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        self.clear(kept, &names).map_err(failed)?;
        // First the record, so that whatever happens the next run knows what this one wrote.
        let (first, others): (Vec<_>, Vec<_>) = made.iter().partition(|(name, _)| name == dumps::RECORD);
        for (name, file) in first.into_iter().chain(others) {
            let target = self.path.join(name);
            let place = || if let Some(folder) = target.parent() { fs::create_folders(folder) } else { Ok(()) };
            place().and_then(|()| fs::rename(file, &target)).map_err(|error| {
                let status = if name.starts_with("quantized_model/") {
                    Status::GraphExporterError
                } else if name.starts_with("compiled_model/") {
                    Status::TirToRuntimeError
                } else {
                    Status::InitializeCliError
                };
                Outcome::of_file(&error, status, status)
            })?;
        }
        for name in FOLDERS {
            if fs::is_folder(&self.path.join(name)) {
                fs::remove_folder_if_empty(&self.path.join(name)).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whether the file of this name is one of those that were given.
    fn is_one_of(&self, name: &str, given: &[PathBuf]) -> bool {
        let is_it = |own: PathBuf| given.iter().any(|given| fs::canonical(given).is_ok_and(|given| given == own));
        fs::canonical(&self.path.join(name)).is_ok_and(is_it)
    }

    /// Removes the folder of the work, so that there is room for the report, and writes log and report; over no file that was given.
    pub(super) fn finish(&self, log: &str, outcome: &Outcome, given: &[PathBuf]) -> Result<(), FsError> {
        // The folder itself goes last: it tells the next run whose files these are.
        for entry in fs::list(&self.work)? {
            if fs::is_folder(&entry) { fs::remove_folder(&entry)? } else { fs::remove_file(&entry)? }
        }
        if [REPORT, LOG].iter().any(|name| self.is_one_of(name, given)) {
            return fs::remove_folder(&self.work);
        }
        let report = self.path.join(REPORT);
        let removed = fs::remove_file(&report);
        // Where one cannot be written, the other still says how it ended.
        let logged = fs::write_atomic(&self.path.join(LOG), log.as_bytes());
        let reported = removed.and_then(|()| fs::write_atomic(&report, &outcome.to_json()));
        if reported.is_err() && !is_of_a_run(&self.path) {
            // Of a log alone the next run could not tell whose it is.
            fs::remove_file(&self.path.join(LOG))?;
        }
        reported.and(logged)?;
        fs::remove_folder(&self.work)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now, the next run removes.
        let _ = fs::remove_folder(&self.work);
    }
}
