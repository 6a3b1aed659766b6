//! What a run would do with each step, and why: every difference from the last time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::ExecError;
use super::Outcome;
use super::judge::{Hit, Judged, Scrutiny, Verdict, judge, outputs_in, place, wanted};
use crate::base::Digest;
use crate::base::fs;
use crate::diag::counted;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::StepId;
use crate::plan::StepSettings;
use crate::store::Difference;
use crate::store::KeyRecord;
use crate::store::SCHEMA;
use crate::store::SlotName;
use crate::store::Store;

/// What a run would do with a step, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The step.
    pub step: StepId,
    /// What a run would do, as in a dry run.
    pub verdict: Outcome,
    /// Whether this build root ever had the step's result.
    pub is_known: bool,
    /// Whether the step failed when it was last run, just as it would be run now.
    pub has_failed: bool,
    /// Everything that is not as it was when this build root last had the step's result; nothing when it never had.
    pub differences: Vec<Difference>,
}

/// What a run of the chosen steps (all for no choice) would do with each step, and why. Writes nothing.
pub fn explain<S: StepSettings>(
    graph: &Graph<S>,
    store: &mut Store,
    targets: &[StepId],
) -> Result<Vec<Explanation>, ExecError> {
    graph.check()?;
    let judged = judge(graph, store, &wanted(graph, targets), false, Scrutiny::Length)?;
    let mut explanations = Vec::new();
    for (id, forecast) in graph.ids().zip(forecast(graph, &judged.verdicts)) {
        let Some((verdict, key)) = forecast else { continue };
        let last = store.slot(&SlotName::of(graph.step(id)));
        let mut differences = Vec::new();
        if let (Some(last), false) = (&last, verdict == Outcome::UpToDate) {
            match store.record(&last.key)? {
                Some(old) => differences = compare(graph, id, &judged, &old),
                None if key != Some(last.key) => {
                    let new = key.map(|key| key.short());
                    differences.push(Difference::new("key", Some(last.key.short()), new));
                }
                None => {}
            }
            if let Verdict::Hit(hit) = &judged.verdicts[id.index()] {
                differences.extend(wrong_files(graph, id, store, hit));
            } else if key == Some(last.key) {
                differences.push(Difference::new("stored result", Some(last.key.short()), None));
            }
        }
        let is_last_try = key.is_some() && key == store.failure(&SlotName::of(graph.step(id)));
        let has_failed = is_last_try && verdict != Outcome::UpToDate;
        explanations.push(Explanation { step: id, verdict, is_known: last.is_some(), has_failed, differences });
    }
    Ok(explanations)
}

/// The keys of all steps, as far as they are known without running one. Writes nothing.
pub fn known_keys<S: StepSettings>(graph: &Graph<S>, store: &mut Store) -> Result<BTreeSet<Digest>, ExecError> {
    graph.check()?;
    let judged = judge(graph, store, &wanted(graph, &[]), false, Scrutiny::Length)?;
    Ok(forecast(graph, &judged.verdicts).into_iter().flatten().filter_map(|(_, key)| key).collect())
}

/// What a run would do with each step, and the step's key where it is known; `None` for steps that nobody asked for.
pub(super) fn forecast<S>(graph: &Graph<S>, verdicts: &[Verdict]) -> Vec<Option<(Outcome, Option<Digest>)>> {
    let mut found: Vec<Option<(Outcome, Option<Digest>)>> = Vec::with_capacity(verdicts.len());
    for (id, verdict) in graph.ids().zip(verdicts) {
        let is_bad = |input: &StepId| matches!(&found[input.index()], Some((outcome, _)) if !outcome.is_good());
        found.push(match verdict {
            Verdict::Unwanted => None,
            Verdict::Broken(failure) => Some((Outcome::Failed(failure.clone()), None)),
            Verdict::Blocked => match graph.inputs_of(id).into_iter().find(is_bad) {
                Some(bad) => Some((skipped_after(graph, bad), None)),
                None => Some((Outcome::MayRun, None)),
            },
            Verdict::Miss { key } => Some((Outcome::WillRun, Some(*key))),
            Verdict::Twin { key } => Some((Outcome::Restored, Some(*key))),
            Verdict::Hit(hit) => Some((outcome_of(hit), Some(hit.slot.key))),
        });
    }
    found
}

/// How a step ends whose result the store has.
pub(super) fn outcome_of(hit: &Hit) -> Outcome {
    if hit.is_up_to_date() { Outcome::UpToDate } else { Outcome::Restored }
}

/// How a step ends that needs a step which did not succeed.
pub(super) fn skipped_after<S>(graph: &Graph<S>, id: StepId) -> Outcome {
    let step = graph.step(id);
    Outcome::Skipped { why: format!("`{}` of `{}` did not succeed", step.kind, step.subject()) }
}

/// Differences of what is known of a step from its last record. An input that is still to be made is named too, since it
/// may differ.
fn compare<S: StepSettings>(graph: &Graph<S>, id: StepId, judged: &Judged<'_>, old: &KeyRecord) -> Vec<Difference> {
    let step = graph.step(id);
    let mut inputs = BTreeMap::new();
    let mut unknown: Vec<(&str, Option<StepId>)> = Vec::new();
    for (role, input) in &step.inputs {
        let outputs = input.step().map(|step| (step, outputs_in(&judged.verdicts, step)));
        match (input, outputs) {
            (Input::File(path), _) => match judged.sources.get(path.as_path()) {
                Some(Ok(seen)) => drop(inputs.insert(role.clone(), seen.digest)),
                _ => unknown.push((role, None)),
            },
            (Input::Output { name, .. } | Input::IfMade { name, .. }, Some((_, Some(files)))) => {
                let digest = files.iter().find(|file| file.name == *name).map(|file| file.digest);
                inputs.extend(digest.map(|digest| (role.clone(), digest)));
            }
            (_, Some((_, Some(files)))) => {
                inputs.extend(files.iter().map(|file| (format!("{role}/{}", file.name), file.digest)));
            }
            (_, made_by) => unknown.push((role, made_by.map(|(step, _)| step))),
        }
    }
    let new = KeyRecord {
        schema: SCHEMA,
        step: step.kind,
        tool: step.tool.clone(),
        settings: step.settings.record(),
        inputs,
    };
    let mut differences = new.diff(old);
    for difference in &mut differences {
        difference.origin = step.settings.origin(&difference.what);
        difference.source = difference.what.strip_prefix("input ").and_then(|role| source_of(graph, id, role));
    }
    for (role, made_by) in unknown {
        let what = format!("input {role}");
        let below = format!("{what}/");
        differences.retain(|difference| difference.what != what && !difference.what.starts_with(&below));
        let files = old.inputs.keys().filter(|name| name.strip_prefix(role).is_some_and(|rest| rest.starts_with('/')));
        let before = match (old.inputs.get(role), files.count()) {
            (Some(digest), _) => Some(digest.short()),
            (None, 0) => None,
            (None, files) => Some(counted(files, "file")),
        };
        let may_be_absent =
            step.inputs.iter().any(|(name, input)| name == role && matches!(input, Input::IfMade { .. }));
        if before.is_none() && may_be_absent {
            // It was not made the last time, and nothing says that it will be.
            continue;
        }
        let new = made_by.map(|step| {
            let step = graph.step(step);
            format!("known once `{}` of `{}` has run", step.kind, step.subject())
        });
        differences.push(Difference::new(what, before, new));
    }
    differences
}

/// The source file that an input is.
fn source_of<S>(graph: &Graph<S>, id: StepId, role: &str) -> Option<PathBuf> {
    graph.step(id).inputs.iter().find_map(|(name, input)| match input {
        Input::File(path) if name == role => Some(path.clone()),
        _ => None,
    })
}

/// The files in the build root that are not what the step's result says.
fn wrong_files<S>(graph: &Graph<S>, id: StepId, store: &Store, hit: &Hit) -> Vec<Difference> {
    let Some(install) = &graph.step(id).install else { return Vec::new() };
    let outputs = hit.wrong.iter().filter_map(|&index| hit.slot.outputs.get(index));
    let differences = outputs.map(|output| {
        let file = place(install, &output.name);
        let is_there = fs::is_file(&store.build_root().join(&file));
        Difference::new(file, Some(output.digest.short()), is_there.then(|| "other contents".to_owned()))
    });
    differences.collect()
}
