//! The operators: what the embedded compiler refuses, what the AIPU refuses, and what the host would have to do.

use std::collections::BTreeMap;

use super::input::count;
use crate::compiler::StageError;
use crate::compiler::aipu;
use crate::compiler::aipu::Fault;
use crate::compiler::aipu::Place;
use crate::compiler::aipu::Placement;
use crate::compiler::onnx::Survey;
use crate::compiler::onnx::SurveyedNode;
use crate::diag::Diagnostic;

/// What the embedded compiler says of the file as a whole.
pub(super) fn refused(error: &StageError) -> Diagnostic {
    let message = format!("the embedded compiler refuses the model: {error}");
    Diagnostic::error("onnx/not-supported", message).maybe_hint(error.hint.as_ref())
}

/// Nodes of one operator with one problem.
struct Group<'a> {
    first: &'a SurveyedNode<'a>,
    /// What the first of them has.
    found: &'a str,
    nodes: usize,
}

impl Group<'_> {
    /// "`Add` (node `x`)" or "`Add` (12 nodes, the first is `x`)".
    fn named(&self) -> String {
        let (operator, label) = (&self.first.operator, &self.first.label);
        match self.nodes {
            1 => format!("`{operator}` (node `{label}`)"),
            nodes => format!("`{operator}` ({nodes} nodes, the first is `{label}`)"),
        }
    }
}

/// Groups by a key, in the order of their first nodes.
fn grouped<'a, K: Ord>(nodes: impl Iterator<Item = (K, &'a SurveyedNode<'a>, &'a str)>) -> Vec<(K, Group<'a>)> {
    let mut groups: BTreeMap<(&str, K), (usize, Group<'a>)> = BTreeMap::new();
    for (place, (key, node, found)) in nodes.enumerate() {
        let group = groups.entry((&node.operator, key)).or_insert((place, Group { first: node, found, nodes: 0 }));
        group.1.nodes += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().map(|((_, key), group)| (group.0, key, group.1)).collect();
    groups.sort_by_key(|(place, ..)| *place);
    groups.into_iter().map(|(_, key, group)| (key, group)).collect()
}

/// Problems of one kind that are told apart in one file; the rest is counted.
const TOLD: usize = 10;

/// What is to be said of the operators of a model.
pub(super) fn check(survey: &Survey<'_>, run_graph_cleaner: bool, problems: &mut Vec<Diagnostic>) {
    let refused_nodes = survey.nodes.iter().filter_map(|node| Some((node, node.refusal.as_deref()?)));
    let groups = grouped(refused_nodes.map(|(node, found)| (found, node, found)));
    for (_, group) in groups.iter().take(TOLD) {
        let message = format!("the embedded compiler refuses {}: {}", group.named(), group.found);
        let hint = "export the model without it, or cut the model before it";
        problems.push(Diagnostic::error("onnx/not-supported", message).hint(hint));
    }
    if let Some(more) = more(&groups) {
        let message = format!("the embedded compiler refuses {more}");
        problems.push(Diagnostic::error("onnx/not-supported", message));
    }
    if let Some(error) = &survey.problem {
        problems.push(refused(error));
    }
    let placement = aipu::place(survey, run_graph_cleaner);
    if placement.has_core {
        middle(survey, &placement, run_graph_cleaner, problems);
        host(survey, &placement, problems);
    } else {
        no_core(survey, &placement, problems);
    }
}

/// Nodes with a fault at one of some places; those that the embedded compiler refuses have been named.
fn faults<'a>(
    survey: &'a Survey<'a>,
    placement: &'a Placement,
    wanted: impl Fn(&SurveyedNode<'_>, Place) -> bool,
) -> Vec<(Option<&'a str>, Group<'a>)> {
    let nodes = placement.nodes.iter().filter_map(|(node, place, fault)| {
        let (node, Fault { expected, found }) = (survey.nodes.get(*node)?, fault.as_ref()?);
        (node.refusal.is_none() && wanted(node, *place)).then_some((expected.as_deref(), node, found.as_str()))
    });
    grouped(nodes)
}

/// What the AIPU does not take and what cannot be left to the host.
fn middle(survey: &Survey<'_>, placement: &Placement, run_graph_cleaner: bool, problems: &mut Vec<Diagnostic>) {
    let groups = faults(survey, placement, |_, place| place == Place::Refused);
    for (expected, group) in groups.iter().take(TOLD) {
        let expected = expected.map(|expected| format!("; expected {expected}")).unwrap_or_default();
        let place = if run_graph_cleaner { " in the middle of the network" } else { "" };
        let message = format!("the AIPU refuses {}{place}: {}{expected}", group.named(), group.found);
        let hint = if run_graph_cleaner {
            "export the model without it, or as expected; the embedded compiler runs it, so the model builds, but a \
             device would not take it"
        } else {
            "`run_graph_cleaner: false` leaves nothing to the host; a device would not take it"
        };
        problems.push(Diagnostic::warning("onnx/operator", message).hint(hint));
    }
    if let Some(more) = more(&groups) {
        problems.push(Diagnostic::warning("onnx/operator", format!("the AIPU refuses {more}")));
    }
}

/// "12 nodes for 3 more reasons": the groups that were not told apart.
fn more<K>(groups: &[(K, Group<'_>)]) -> Option<String> {
    let rest = groups.get(TOLD..).filter(|rest| !rest.is_empty())?;
    let nodes = rest.iter().map(|(_, group)| group.nodes).sum();
    Some(format!("{} for {}", count(nodes, "node"), count(rest.len(), "more reason")))
}

/// What the host would do before and after the core.
fn host(survey: &Survey<'_>, placement: &Placement, problems: &mut Vec<Diagnostic>) {
    let sides = [(Place::Preamble, "onnx/host-before", "before"), (Place::Postamble, "onnx/host-after", "after")];
    for (wanted, code, word) in sides {
        let here = placement.nodes.iter().filter(|(_, place, _)| *place == wanted);
        let nodes = here.filter_map(|(node, ..)| survey.nodes.get(*node));
        let groups = grouped(nodes.map(|node| ((), node, "")));
        let Some(((), first)) = groups.first() else { continue };
        let total: usize = groups.iter().map(|((), group)| group.nodes).sum();
        let told = groups.iter().take(TOLD);
        let mut operators: Vec<String> =
            told.map(|((), group)| format!("{} `{}`", group.nodes, group.first.operator)).collect();
        if groups.len() > TOLD {
            operators.push(format!("and {} more", count(groups.len() - TOLD, "kind")));
        }
        let message = format!(
            "the host runs {} {word} the AIPU, from `{}` on: {}",
            count(total, "operator"),
            first.first.label,
            operators.join(", ")
        );
        problems.push(Diagnostic::note(code, message));
    }
}

/// A model of which the AIPU takes no layer.
fn no_core(survey: &Survey<'_>, placement: &Placement, problems: &mut Vec<Diagnostic>) {
    let is_layer = |operator: &str| matches!(operator, "Conv" | "ConvTranspose" | "Gemm" | "MatMul");
    let groups = faults(survey, placement, |node, _| is_layer(&node.operator));
    if groups.is_empty() {
        return;
    }
    let mut all: Vec<String> = groups
        .iter()
        .take(TOLD)
        .map(|(expected, group)| {
            let takes = expected.map(|expected| format!(", expected {expected}")).unwrap_or_default();
            format!("{}: {}{takes}", group.named(), group.found)
        })
        .collect();
    all.extend(more(&groups));
    let message = format!("the AIPU takes no layer of this model: {}", all.join("; "));
    let hint = "export the model with layers as expected; the embedded compiler runs these, so the model builds, but on a \
                device the host would run all of it";
    problems.push(Diagnostic::warning("onnx/no-core", message).hint(hint));
}
