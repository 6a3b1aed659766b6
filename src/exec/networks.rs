//! A network's files go to the build root together, once all its steps are good; files that no plan names any more go.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::StepFailure;
use super::events::NotRemoved;
use super::judge::place;
use crate::base::Digest;
use crate::base::fs;
use crate::plan::Graph;
use crate::plan::StepId;
use crate::store::Output;
use crate::store::Store;
use crate::store::StoreError;

/// A file that belongs into the build root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Relative to the build root.
    pub(super) file: String,
    pub(super) digest: Digest,
    /// The step that wrote it.
    pub(super) step: StepId,
}

#[derive(Debug, Default)]
struct Network {
    steps: Vec<StepId>,
    left: usize,
    is_bad: bool,
    /// Whether every step that the network has is chosen, so that what is recorded and not named is a left-over.
    is_whole: bool,
    /// Whether all that it needs is in the build root now.
    is_installed: bool,
}

/// The networks of a run, by name.
#[derive(Debug)]
pub(super) struct Networks<'g> {
    networks: BTreeMap<&'g str, Network>,
}

impl<'g> Networks<'g> {
    pub(super) fn new<S>(graph: &'g Graph<S>, wanted: &[bool]) -> Self {
        let mut networks: BTreeMap<&str, Network> = BTreeMap::new();
        for id in graph.ids() {
            let name = graph.step(id).network.as_str();
            let network = networks
                .entry(name)
                .or_insert_with(|| Network { is_whole: !graph.is_partial(name), ..Network::default() });
            if wanted[id.index()] {
                network.steps.push(id);
                network.left += 1;
            } else {
                network.is_whole = false;
            }
        }
        networks.retain(|_, network| !network.steps.is_empty());
        Self { networks }
    }

    /// A step of the network ended. Says whether all of them now have, and are good.
    pub(super) fn end(&mut self, network: &str, good: bool) -> bool {
        let Some(network) = self.networks.get_mut(network) else { return false };
        network.left = network.left.saturating_sub(1);
        network.is_bad |= !good;
        network.left == 0 && !network.is_bad
    }

    /// All files that the network's steps say belong into the build root, sorted. Two steps that write different
    /// contents to one place are a failure of the second.
    pub(super) fn files<'a, S>(
        &self,
        graph: &Graph<S>,
        network: &str,
        outputs: impl Fn(StepId) -> Option<&'a [Output]>,
    ) -> Result<Vec<Wanted>, (StepId, StepFailure)> {
        let mut found: BTreeMap<String, Wanted> = BTreeMap::new();
        for &id in self.networks.get(network).map_or(&[][..], |network| &network.steps) {
            let (Some(install), Some(outputs)) = (&graph.step(id).install, outputs(id)) else { continue };
            for output in outputs {
                let file = place(install, &output.name);
                let wanted = Wanted { file: file.clone(), digest: output.digest, step: id };
                if found.insert(file, wanted).is_some_and(|other| other.digest != output.digest) {
                    let message = format!("two steps of `{network}` write `{}` into `{install}`", output.name);
                    return Err((id, StepFailure::bug(&message)));
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// The network's files are in the build root.
    pub(super) fn set_installed(&mut self, network: &str) {
        if let Some(network) = self.networks.get_mut(network) {
            network.is_installed = true;
        }
    }

    /// The network's recorded files that none of its steps names, when all its steps are known and good, and what they made
    /// is in the build root.
    pub(super) fn leftovers(&self, store: &Store, network: &str, files: &[Wanted]) -> Vec<String> {
        let is_installed = self.networks.get(network).is_some_and(|network| network.is_installed);
        if is_installed { self.unnamed(store, network, files) } else { Vec::new() }
    }

    /// Those left-overs that are in the way of the files to come, which need a folder where such a file is, or a file where a
    /// folder is with nothing but such files in it.
    pub(super) fn obstacles(&self, store: &Store, network: &str, files: &[Wanted]) -> Vec<String> {
        let unnamed = self.unnamed(store, network, files);
        let is_below = |file: &str, folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let has_only_ours = |folder: &str| {
            let is_ours = |file: &str| unnamed.binary_search_by(|known| known.as_str().cmp(file)).is_ok();
            holds_only(store.build_root(), folder, &is_ours)
        };
        let is_in_the_way = |old: &&String| {
            files.iter().any(|new| is_below(&new.file, old) || (is_below(old, &new.file) && has_only_ours(&new.file)))
        };
        let can_go = |old: &&String| {
            let path = store.build_root().join(old);
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != store.build_root());
            let mut folders = folders.chain([store.build_root()]);
            folders.all(|folder| fs::check_writable(folder).is_ok()) && !is_through_link(store.build_root(), old)
        };
        unnamed.iter().filter(is_in_the_way).filter(can_go).cloned().collect()
    }

    /// The network's recorded files that none of its steps names.
    fn unnamed(&self, store: &Store, network: &str, files: &[Wanted]) -> Vec<String> {
        if !self.networks.get(network).is_some_and(|network| network.is_whole) {
            return Vec::new();
        }
        let is_named = |file: &String| files.binary_search_by(|wanted| wanted.file.cmp(file)).is_ok();
        store.files(network).into_iter().filter(|file| !is_named(file)).collect()
    }

    /// Records which files are there because of the network: those it wants, and those it has left over until they are
    /// removed.
    pub(super) fn record(store: &mut Store, network: &str, files: &[Wanted]) {
        let old = store.files(network);
        if old.len() == files.len() && old.iter().zip(files).all(|(old, wanted)| *old == wanted.file) {
            return;
        }
        let mut recorded: BTreeSet<String> = old.into_iter().collect();
        recorded.extend(files.iter().map(|wanted| wanted.file.clone()));
        store.set_files(network, &recorded);
    }
}

/// Removes the recorded files of some networks from the build root and calls `removed` for each; the store keeps its
/// artifacts. Files that another network has too stay. Says which files could not be removed; they stay recorded.
/// Prerequisite: the store is locked.
pub fn clean(
    store: &mut Store,
    networks: &[String],
    removed: impl FnMut(&str, &str),
) -> Result<Vec<NotRemoved>, StoreError> {
    let files =
        |network: &String| store.files(network).into_iter().map(|file| (network.clone(), file)).collect::<Vec<_>>();
    let files: Vec<(String, String)> = networks.iter().flat_map(files).collect();
    let left = remove(store, &files, removed);
    store.save()?;
    Ok(left)
}

/// Whether a folder below the build root holds nothing but files that `is_ours` takes, and folders with such files.
fn holds_only(root: &Path, folder: &str, is_ours: &dyn Fn(&str) -> bool) -> bool {
    let entries = fs::list(&root.join(folder)).unwrap_or_default();
    let is_of_us = |path: &PathBuf| {
        let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { return false };
        match () {
            () if fs::is_link(path) => false,
            () if fs::is_folder(path) => holds_only(root, name, is_ours),
            () => is_ours(name),
        }
    };
    // An empty folder is nobody's result.
    !entries.is_empty() && entries.iter().all(is_of_us)
}

/// Whether a recorded file is behind a link that somebody put in the place of a folder of the network's: what is there is not
/// axzoo's. The network's folder itself may be a link to where there is more room.
fn is_through_link(root: &Path, file: &str) -> bool {
    let path = root.join(file);
    let depth = root.components().count() + 1;
    path.ancestors().skip(1).take_while(|folder| folder.components().count() > depth).any(fs::is_link)
}

/// Removes left-over files and the folders that this empties, except what some network has; calls `removed` for each. One that
/// cannot be removed keeps no other from it.
pub(super) fn remove(
    store: &mut Store,
    leftovers: &[(String, String)],
    mut removed: impl FnMut(&str, &str),
) -> Vec<NotRemoved> {
    let mut left = Vec::new();
    if leftovers.is_empty() {
        return left;
    }
    let mut recorded: BTreeMap<String, BTreeSet<String>> =
        store.networks().into_iter().map(|(network, files)| (network, files.into_iter().collect())).collect();
    for (network, file) in leftovers {
        if let Some(files) = recorded.get_mut(network) {
            files.remove(file);
        }
    }
    for (network, file) in leftovers {
        if recorded.values().any(|files| files.contains(file)) {
            continue;
        }
        let path = store.build_root().join(file);
        if is_through_link(store.build_root(), file) {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => {}
            // What is there now is nothing that was recorded: the file is gone, and the folder is somebody else's.
            Err(_) if fs::is_folder(&path) && !fs::is_link(&path) => continue,
            Err(error) => {
                left.push(NotRemoved { network: network.clone(), file: file.clone(), message: error.to_string() });
                continue;
            }
        }
        let folders = path.ancestors().skip(1).take_while(|folder| *folder != store.build_root());
        for folder in folders {
            // An empty folder that has to stay is in nobody's way.
            let _ = fs::remove_folder_if_empty(folder);
        }
        removed(network, file);
    }
    for NotRemoved { network, file, .. } in &left {
        recorded.entry(network.clone()).or_default().insert(file.clone());
    }
    let changed: BTreeSet<&String> = leftovers.iter().map(|(network, _)| network).collect();
    for network in changed {
        store.set_files(network, recorded.get(network).unwrap_or(&BTreeSet::new()));
    }
    left
}
