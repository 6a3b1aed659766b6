//! What is known before anything starts: every step's key where its inputs are known, and whether the store has its
//! result.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::StepFailure;
use crate::base::Digest;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::StepId;
use crate::plan::StepSettings;
use crate::store::Blobs;
use crate::store::KeyRecord;
use crate::store::Output;
use crate::store::SCHEMA;
use crate::store::Seen;
use crate::store::Slot;
use crate::store::SlotName;
use crate::store::Store;
use crate::store::StoreError;

/// A result that can be used as it is.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) slot: Slot,
    /// Whether the key is the one that this build root used last.
    pub(super) is_last: bool,
    /// Outputs, by place, whose file in the build root is absent or has other contents.
    pub(super) wrong: Vec<usize>,
}

impl Hit {
    pub(super) fn is_up_to_date(&self) -> bool {
        self.is_last && self.wrong.is_empty()
    }
}

/// What is known of a step before anything starts.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// Nobody asked for it.
    Unwanted,
    /// The store has its result.
    Hit(Hit),
    /// It has to run; the key is known.
    Miss { key: Digest },
    /// It has to run, but a step with the same key runs before it.
    Twin { key: Digest },
    /// A step before it may have to run, so its key is not known.
    Blocked,
    /// It cannot run.
    Broken(StepFailure),
}

impl Verdict {
    pub(super) const fn is_pending(&self) -> bool {
        matches!(self, Self::Miss { .. } | Self::Twin { .. } | Self::Blocked)
    }
}

/// The contents of source files, by path.
pub(super) type Sources<'g> = HashMap<&'g Path, Result<Seen, StepFailure>>;

/// What is known of every step.
#[derive(Debug)]
pub(super) struct Judged<'g> {
    pub(super) sources: Sources<'g>,
    pub(super) verdicts: Vec<Verdict>,
}

/// Why a step has no key.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// A step before it has no outputs yet.
    Unknown,
    /// An input cannot be had.
    Broken(StepFailure),
}

/// The chosen steps and what they need; all for no choice.
pub(super) fn wanted<S>(graph: &Graph<S>, targets: &[StepId]) -> Vec<bool> {
    let mut wanted = vec![targets.is_empty(); graph.steps().len()];
    for target in targets {
        if let Some(flag) = wanted.get_mut(target.index()) {
            *flag = true;
        }
    }
    for id in graph.ids().rev().filter(|_| !targets.is_empty()) {
        if wanted[id.index()] {
            for input in graph.inputs_of(id) {
                wanted[input.index()] = true;
            }
        }
    }
    wanted
}

/// Calls `each(role, contents or file)` for every input file of a step.
fn each_input<'a, S>(
    graph: &'a Graph<S>,
    id: StepId,
    sources: &Sources<'_>,
    outputs: impl Fn(StepId) -> Option<&'a [Output]>,
    mut each: impl FnMut(String, Digest, Option<(&'a PathBuf, Seen)>),
) -> Result<(), Obstacle> {
    let mut unknown = false;
    for (role, input) in &graph.step(id).inputs {
        match input {
            Input::File(path) => match sources.get(path.as_path()) {
                Some(Ok(seen)) => each(role.clone(), seen.digest, Some((path, *seen))),
                Some(Err(failure)) => return Err(Obstacle::Broken(failure.clone())),
                None => unknown = true,
            },
            Input::Output { step, name } => match outputs(*step) {
                Some(files) => {
                    let found = files.iter().find(|output| output.name == *name);
                    let output = found.ok_or_else(|| Obstacle::Broken(no_such_output(graph, *step, name, files)))?;
                    each(role.clone(), output.digest, None);
                }
                None => unknown = true,
            },
            Input::IfMade { step, name } => match outputs(*step) {
                Some(files) => {
                    let found = files.iter().find(|output| output.name == *name);
                    if let Some(output) = found {
                        each(role.clone(), output.digest, None);
                    }
                }
                None => unknown = true,
            },
            Input::Outputs { step } => match outputs(*step) {
                Some(files) => files.iter().for_each(|file| each(format!("{role}/{}", file.name), file.digest, None)),
                None => unknown = true,
            },
        }
    }
    if unknown { Err(Obstacle::Unknown) } else { Ok(()) }
}

fn no_such_output<S>(graph: &Graph<S>, step: StepId, name: &str, files: &[Output]) -> StepFailure {
    let step = graph.step(step);
    let names: Vec<String> = files.iter().map(|file| format!("`{}`", file.name)).collect();
    let found = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    StepFailure::bug(&format!("`{}` of `{}` should write `{name}`; it wrote {found}", step.kind, step.subject()))
}

/// The record of a step whose inputs are all known.
pub(super) fn record_of<'a, S: StepSettings>(
    graph: &'a Graph<S>,
    id: StepId,
    sources: &Sources<'_>,
    outputs: impl Fn(StepId) -> Option<&'a [Output]>,
) -> Result<KeyRecord, Obstacle> {
    let step = graph.step(id);
    let mut inputs = BTreeMap::new();
    each_input(graph, id, sources, outputs, |role, digest, _| {
        inputs.insert(role, digest);
    })?;
    Ok(KeyRecord { schema: SCHEMA, step: step.kind, tool: step.tool.clone(), settings: step.settings.record(), inputs })
}

/// What a step reads.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// A readable file for each role.
    pub(super) inputs: Vec<(String, PathBuf)>,
    /// The source files among them, as they were seen.
    pub(super) sources: Vec<(PathBuf, Seen)>,
    /// The artifacts among them: role and contents.
    pub(super) artifacts: Vec<(String, Digest)>,
}

/// Readable files for a step whose inputs are all known.
pub(super) fn files_of<'a, S>(
    graph: &'a Graph<S>,
    id: StepId,
    sources: &Sources<'_>,
    outputs: impl Fn(StepId) -> Option<&'a [Output]>,
    blobs: &Blobs,
) -> Result<Files, Obstacle> {
    let mut files = Files::default();
    each_input(graph, id, sources, outputs, |role, digest, source| {
        if let Some((path, seen)) = source {
            files.inputs.push((role, path.clone()));
            files.sources.push((path.clone(), seen));
        } else {
            files.inputs.push((role.clone(), blobs.path(&digest)));
            files.artifacts.push((role, digest));
        }
    })?;
    Ok(files)
}

/// Where an output goes, relative to the build root.
pub(super) fn place(install: &str, output: &str) -> String {
    if install.is_empty() { output.to_owned() } else { format!("{install}/{output}") }
}

/// How artifacts that are about to be read are looked at before anything starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scrutiny {
    /// By their length: quick, and changes nothing.
    Length,
    /// By their contents; damaged ones are removed, so that they are made again.
    Contents,
}

/// Judges every wanted step. Reads source files and installed files only where the stat index is not certain, and
/// artifacts only where a step is going to read them.
pub(super) fn judge<'g, S: StepSettings>(
    graph: &'g Graph<S>,
    store: &mut Store,
    wanted: &[bool],
    force: bool,
    scrutiny: Scrutiny,
) -> Result<Judged<'g>, StoreError> {
    let sources = look_at_sources(graph, store, wanted);
    let mut verdicts = vec![Verdict::Unwanted; wanted.len()];
    let mut missed: HashSet<Digest> = HashSet::new();
    for level in levels(graph, wanted) {
        let reader = &*store;
        let known = &verdicts;
        let records: Vec<_> = level
            .par_iter()
            .with_min_len(16)
            .map(|&id| {
                let key = record_of(graph, id, &sources, |step| outputs_in(known, step))?.key();
                let slot = reader.slot(&SlotName::of(graph.step(id)));
                Ok((key, slot.filter(|slot| slot.key == key && !reader.is_forgotten(&key))))
            })
            .collect();
        for (id, record) in level.into_iter().zip(records) {
            verdicts[id.index()] = match record {
                Err(Obstacle::Unknown) => Verdict::Blocked,
                Err(Obstacle::Broken(failure)) => Verdict::Broken(failure),
                Ok((key, _)) if force => {
                    if missed.insert(key) {
                        Verdict::Miss { key }
                    } else {
                        Verdict::Twin { key }
                    }
                }
                Ok((_, Some(slot))) => Verdict::Hit(Hit { slot, is_last: true, wrong: Vec::new() }),
                Ok((key, None)) => match store.entry(&key)? {
                    Some(entry) => {
                        let slot = Slot { key, outputs: entry.outputs, duration_ms: entry.duration_ms };
                        Verdict::Hit(Hit { slot, is_last: false, wrong: Vec::new() })
                    }
                    None if missed.insert(key) => Verdict::Miss { key },
                    None => Verdict::Twin { key },
                },
            };
        }
    }
    look_at_installed(graph, store, &mut verdicts);
    find_lost(graph, store.blobs(), scrutiny, &mut verdicts)?;
    Ok(Judged { sources, verdicts })
}

/// The outputs of a step whose result is in the store.
pub(super) fn outputs_in(verdicts: &[Verdict], step: StepId) -> Option<&[Output]> {
    match verdicts.get(step.index()) {
        Some(Verdict::Hit(hit)) => Some(&hit.slot.outputs),
        _ => None,
    }
}

fn look_at_sources<'g, S>(graph: &'g Graph<S>, store: &mut Store, wanted: &[bool]) -> Sources<'g> {
    let mut seen: HashSet<&Path> = HashSet::new();
    let mut paths: Vec<&Path> = Vec::new();
    for id in graph.ids().filter(|id| wanted[id.index()]) {
        for (_, input) in &graph.step(id).inputs {
            if let Input::File(path) = input
                && seen.insert(path)
            {
                paths.push(path);
            }
        }
    }
    let found = store.stats.look_all(&paths);
    paths.into_iter().zip(found.into_iter().map(|found| found.map_err(StepFailure::from))).collect()
}

/// Steps that do not need each other, together; a step's inputs are in earlier groups.
fn levels<S>(graph: &Graph<S>, wanted: &[bool]) -> Vec<Vec<StepId>> {
    let mut level_of = vec![0_usize; wanted.len()];
    let mut levels: Vec<Vec<StepId>> = Vec::new();
    for id in graph.ids().filter(|id| wanted[id.index()]) {
        let inputs = graph.step(id).inputs.iter().filter_map(|(_, input)| input.step());
        let level = inputs.map(|input| level_of[input.index()] + 1).max().unwrap_or(0);
        level_of[id.index()] = level;
        if levels.len() <= level {
            levels.resize(level + 1, Vec::new());
        }
        levels[level].push(id);
    }
    levels
}

/// Finds the files in the build root that are not what the results say.
fn look_at_installed<S>(graph: &Graph<S>, store: &mut Store, verdicts: &mut [Verdict]) {
    let mut files: Vec<(StepId, usize, Digest)> = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    for id in graph.ids() {
        let (Some(install), Verdict::Hit(hit)) = (&graph.step(id).install, &verdicts[id.index()]) else { continue };
        for (index, output) in hit.slot.outputs.iter().enumerate() {
            files.push((id, index, output.digest));
            paths.push(store.build_root().join(install).join(&output.name));
        }
    }
    for ((id, index, digest), found) in files.into_iter().zip(store.stats.look_all(&paths)) {
        let right = found.is_ok_and(|seen| seen.digest == digest);
        if let (false, Verdict::Hit(hit)) = (right, &mut verdicts[id.index()]) {
            hit.wrong.push(index);
        }
    }
}

/// The outputs, by place, whose file below `install` is absent or has other contents.
pub(super) fn wrong_files(store: &mut Store, install: &str, outputs: &[Output]) -> Vec<usize> {
    let folder = store.build_root().join(install);
    let paths: Vec<PathBuf> = outputs.iter().map(|output| folder.join(&output.name)).collect();
    let found = store.stats.look_all(&paths);
    let is_right = |index: &usize| matches!(&found[*index], Ok(seen) if seen.digest == outputs[*index].digest);
    (0..outputs.len()).filter(|index| !is_right(index)).collect()
}

/// Finds results whose artifacts are needed and gone: these steps have to run again, and what comes after them has to be
/// judged again once they did.
fn find_lost<S>(
    graph: &Graph<S>,
    blobs: &Blobs,
    scrutiny: Scrutiny,
    verdicts: &mut [Verdict],
) -> Result<(), StoreError> {
    let needs_work = |verdict: &Verdict| match verdict {
        Verdict::Hit(hit) => !hit.wrong.is_empty(),
        verdict => verdict.is_pending(),
    };
    let mut todo: Vec<StepId> = graph.ids().filter(|id| needs_work(&verdicts[id.index()])).collect();
    if todo.is_empty() {
        return Ok(());
    }
    // Hits whose artifacts were read. Most of them are known from the start and read together.
    let mut read_already: HashSet<StepId> = HashSet::new();
    if scrutiny == Scrutiny::Contents {
        let pending = todo.iter().filter(|id| verdicts[id.index()].is_pending());
        let mut inputs: Vec<StepId> = pending.flat_map(|&id| graph.inputs_of(id)).collect();
        inputs.retain(|&input| read_already.insert(input));
        let mut outputs: Vec<&Output> =
            inputs.into_iter().filter_map(|input| outputs_in(verdicts, input)).flatten().collect();
        // Those that are copied are looked at then once more, but then it is too late to make them again.
        for verdict in verdicts.iter() {
            if let Verdict::Hit(hit) = verdict {
                outputs.extend(hit.wrong.iter().filter_map(|&index| hit.slot.outputs.get(index)));
            }
        }
        blobs.remove_unsound(&outputs)?;
    }
    let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); verdicts.len()];
    for id in graph.ids() {
        for input in graph.inputs_of(id) {
            dependents[input.index()].push(id);
        }
    }
    while let Some(id) = todo.pop() {
        // A pending step reads what the steps before it wrote; a hit with wrong files is read itself.
        let is_pending = verdicts[id.index()].is_pending();
        let read = if is_pending { graph.inputs_of(id) } else { vec![id] };
        for id in read {
            let Verdict::Hit(hit) = &verdicts[id.index()] else { continue };
            if scrutiny == Scrutiny::Contents && is_pending && read_already.insert(id) {
                blobs.remove_unsound(&hit.slot.outputs.iter().collect::<Vec<_>>())?;
            }
            if hit.slot.outputs.iter().all(|output| blobs.holds(output)) {
                continue;
            }
            verdicts[id.index()] = Verdict::Miss { key: hit.slot.key };
            todo.push(id);
            let mut after = dependents[id.index()].clone();
            while let Some(next) = after.pop() {
                if matches!(verdicts[next.index()], Verdict::Hit(_) | Verdict::Miss { .. } | Verdict::Twin { .. }) {
                    verdicts[next.index()] = Verdict::Blocked;
                    todo.push(next);
                    after.extend_from_slice(&dependents[next.index()]);
                }
            }
        }
    }
    Ok(())
}
