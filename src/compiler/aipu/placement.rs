//! Which nodes form the core that runs on the AIPU, which run on the host before and after it, and which fit nowhere.

use crate::compiler::aipu::attention::attention;
use crate::compiler::aipu::constraint::Surroundings;
use crate::compiler::aipu::constraint::Verdict;
use crate::compiler::aipu::table;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Role;
use crate::compiler::onnx::Survey;
use crate::compiler::onnx::SurveyedNode;

/// The part of a network's multiplications that may follow behind an operator which runs on the host: the decoding of
/// boxes has a small convolution, and it is no reason to call all that is before it the middle.
const HOST_PART: u64 = 100;

/// Where a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the host, before the core.
    Preamble,
    /// On the AIPU.
    Core,
    /// On the host, after the core.
    Postamble,
    /// Nowhere: the AIPU does not take it, and there are layers of the core both before and after it.
    Refused,
}

/// Why the AIPU does not take a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What the table asks for; `None` where it has no such operator.
    pub expected: Option<String>,
    /// What the node has instead.
    pub found: String,
}

/// Where every node runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// For each node of the survey that computes something: its place in [`Survey::nodes`], where it runs, and what the
    /// AIPU has against it. A node without a fault may still run on the host, between two that have one.
    pub nodes: Vec<(usize, Place, Option<Fault>)>,
    /// Whether there is a core: a layer with weights that the AIPU takes.
    pub has_core: bool,
}

/// Judges every node by the table and finds the core. A layer is an operator with weights; nodes without a layer before
/// them can run before the core, nodes with next to no layers behind them after it. With `cuts` false nothing is cut off
/// (`run_graph_cleaner: false`), so that every fault is a refusal.
#[must_use]
pub fn place(survey: &Survey<'_>, cuts: bool) -> Placement {
    place_but(survey, cuts, &|_| false)
}

/// As [`place`], with nothing held against the nodes (by their places) that are known to be accelerated.
pub(crate) fn place_but(survey: &Survey<'_>, cuts: bool, is_known: &dyn Fn(usize) -> bool) -> Placement {
    let inside = attention(survey);
    let count = survey.nodes.len();
    let mut faults: Vec<Option<Fault>> = vec![None; count];
    let mut layers: Vec<(usize, Option<u64>)> = Vec::new();
    for place in survey.computed() {
        let node = &survey.nodes[place];
        let gemm = |&reader: &usize| {
            let reader = &survey.nodes[reader];
            reader.role != Role::Computed || reader.operator == "Gemm"
        };
        // Readers of an Identity read the value itself, so they are readers of its writer too.
        let is_before_gemm_or_last = node.readers.iter().all(gemm);
        if !is_known(place) {
            faults[place] = fault(node, Surroundings { in_attention: inside[place], is_before_gemm_or_last });
        }
        if faults[place].is_none() && is_layer(node) {
            layers.push((place, multiplications(node)));
        }
    }
    let work = work_of(count, &layers);
    let has_layer_before = layers_before(survey, &work);
    let in_postamble = postamble(survey, &work, &faults, &has_layer_before);
    // What stands between two nodes of the preamble is in it.
    let mut in_preamble = vec![false; count];
    for place in (0..count).rev().filter(|&place| !has_layer_before[place]) {
        in_preamble[place] = faults[place].is_some() || survey.nodes[place].readers.iter().any(|&it| in_preamble[it]);
    }
    let nodes = survey.computed().map(|place| {
        let fault = faults[place].take();
        let found = if cuts && in_postamble[place] {
            Place::Postamble
        } else if cuts && in_preamble[place] {
            Place::Preamble
        } else if fault.is_some() {
            Place::Refused
        } else {
            Place::Core
        };
        (place, found, fault)
    });
    Placement { nodes: nodes.collect(), has_core: !layers.is_empty() }
}

/// For each node whether a layer that the AIPU takes is among those it depends on.
fn layers_before(survey: &Survey<'_>, work: &[u64]) -> Vec<bool> {
    let mut before = vec![false; survey.nodes.len()];
    for (place, node) in survey.nodes.iter().enumerate() {
        if before[place] || work[place] > 0 {
            node.readers.iter().for_each(|&reader| before[reader] = true);
        }
    }
    before
}

/// For each node whether it comes behind the core: it has a fault or depends on a node with one, and the layers that do
/// so make up less than a [`HOST_PART`]th of the work together.
fn postamble(survey: &Survey<'_>, work: &[u64], faults: &[Option<Fault>], has_layer_before: &[bool]) -> Vec<bool> {
    let count = survey.nodes.len();
    let total = work.iter().fold(0_u64, |sum, &work| sum.saturating_add(work));
    let mut left = total / HOST_PART;
    let mut taken = vec![false; count];
    let mut is_too_much = vec![false; count];
    // Where faults share what is behind them, that is walked over again for each; only made-up files get this far.
    let mut steps = 64_usize.saturating_mul(count);
    for place in (0..count).rev() {
        is_too_much[place] = survey.nodes[place].readers.iter().any(|&reader| is_too_much[reader]);
        if is_too_much[place] || taken[place] || faults[place].is_none() || !has_layer_before[place] {
            continue;
        }
        let mut found = vec![place];
        let mut is_found = std::collections::BTreeSet::from([place]);
        let mut sum = 0_u64;
        let mut next = 0;
        while let Some(&at) = found.get(next).filter(|_| sum <= left && steps > 0) {
            (next, steps) = (next + 1, steps - 1);
            sum = sum.saturating_add(work[at]);
            for &reader in &survey.nodes[at].readers {
                if !taken[reader] && is_found.insert(reader) {
                    found.push(reader);
                }
            }
        }
        if sum <= left && next == found.len() {
            left -= sum;
            for at in found {
                taken[at] = true;
            }
        } else {
            is_too_much[place] = true;
        }
    }
    taken
}

/// What the table has against a node.
pub(super) fn fault(node: &SurveyedNode<'_>, around: Surroundings) -> Option<Fault> {
    let Some(row) = table::row(&node.operator) else {
        return Some(Fault { expected: None, found: "it has no such operator".to_owned() });
    };
    let mut all_found: Vec<String> = Vec::new();
    for way in row.ways {
        let verdicts: Vec<Verdict> = way.iter().map(|constraint| constraint.judge(node, around)).collect();
        let found: Vec<String> = verdicts
            .into_iter()
            .filter_map(|verdict| match verdict {
                Verdict::Fails(found) => Some(found),
                Verdict::Holds | Verdict::Unknown => None,
            })
            .collect();
        // What is not known is not held against the node.
        if found.is_empty() {
            return None;
        }
        all_found.extend(found.into_iter().filter(|text| !all_found.contains(text)).collect::<Vec<_>>());
    }
    Some(Fault { expected: Some(row.text_for(node, around)), found: all_found.join("; ") })
}

impl table::Row {
    /// What the row asks for, in words: of a single way only what `node` does not satisfy.
    fn text_for(&self, node: &SurveyedNode<'_>, around: Surroundings) -> String {
        let failing = |constraint: &&crate::compiler::aipu::Constraint| {
            self.ways.len() > 1 || matches!(constraint.judge(node, around), Verdict::Fails(_))
        };
        let ways = self.ways.iter().map(|way| {
            let texts: Vec<String> = way.iter().filter(failing).map(ToString::to_string).collect();
            texts.join(", ")
        });
        ways.collect::<Vec<String>>().join("; or ")
    }
}

fn is_layer(node: &SurveyedNode<'_>) -> bool {
    matches!(node.operator.as_str(), "Conv" | "ConvTranspose" | "Gemm")
}

/// Multiplications for each node, more than 0 for layers only; one whose shapes are not known counts as the mean of the
/// others.
fn work_of(count: usize, layers: &[(usize, Option<u64>)]) -> Vec<u64> {
    let known: Vec<u64> = layers.iter().filter_map(|(_, work)| *work).collect();
    let total = known.iter().fold(0_u64, |sum, &work| sum.saturating_add(work));
    let mean = total.checked_div(known.len() as u64).unwrap_or(1);
    let mut work = vec![0; count];
    for &(place, known) in layers {
        work[place] = known.unwrap_or(mean).max(1);
    }
    work
}

/// Multiplications of a layer for one image; `None` where a shape is not known.
fn multiplications(node: &SurveyedNode<'_>) -> Option<u64> {
    let (x, weights, y) = (node.input_shape(0)?, node.input_shape(1)?, node.output_shape.as_deref()?);
    let (positions, each) = match node.operator.as_str() {
        "Conv" => (y, weights.get(1..)?),
        "ConvTranspose" => (x, weights.get(1..)?),
        _ => (y, x.get(1..)?),
    };
    let count = |shape: &[usize]| element_count(shape).map_or(u64::MAX, |count| count as u64);
    Some(count(positions).saturating_mul(count(each)))
}
