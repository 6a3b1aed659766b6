//! How often each model runs for one frame of the input: a task that takes the regions of another runs once for each.

use std::collections::BTreeMap;

use crate::cards::Card;
use crate::cards::Task;
use crate::yaml::Node;

/// How often a model runs for one frame, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// The number: of several tasks their sum.
    pub count: u32,
    /// What multiplies it, in words: each `top_k`, and what had to be assumed.
    pub why: Vec<String>,
}

impl Default for Runs {
    /// Once a frame.
    fn default() -> Self {
        Self { count: 1, why: Vec::new() }
    }
}

/// The runs of every model that a task uses. A task without `where` runs once a frame; one with it runs `top_k` times as
/// often as the task that it names. A `top_k` that is absent, 0 or no number counts as 1, which is said.
#[must_use]
pub fn runs_per_frame(card: &Card) -> BTreeMap<String, Runs> {
    let mut of_task: BTreeMap<&str, Runs> = BTreeMap::new();
    let mut of_model: BTreeMap<String, Runs> = BTreeMap::new();
    for task in &card.tasks {
        let runs = runs_of(card, task, &of_task);
        of_model
            .entry(task.model.value.clone())
            .and_modify(|model| {
                model.count = model.count.saturating_add(runs.count);
                model.why.extend(runs.why.iter().cloned());
            })
            .or_insert_with(|| runs.clone());
        of_task.insert(&task.name.value, runs);
    }
    of_model
}

fn runs_of(card: &Card, task: &Task, earlier: &BTreeMap<&str, Runs>) -> Runs {
    // A template that cannot be read is reported by whoever builds; the card's own `input` says most.
    let resolved = card.resolve_task(task).ok();
    let input = resolved.as_ref().map(|resolved| &resolved.input).or(task.input.node.as_ref());
    let Some(region_of) = input.and_then(|input| input.get("where")).and_then(Node::as_text) else {
        return Runs::default();
    };
    let base = earlier.get(region_of).cloned().unwrap_or_default();
    let said = input.and_then(|input| input.get("top_k")).filter(|said| !said.is_null());
    let most = said.and_then(Node::as_int).and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
    let name = &task.name.value;
    let why = match (most, said.and_then(Node::as_scalar)) {
        (Some(most), _) => format!("`top_k: {most}` of the task `{name}`"),
        (None, None) => format!("1 region a frame assumed, since the task `{name}` says no `top_k`"),
        (None, Some(said)) => {
            format!("1 region a frame assumed, since `top_k: {}` of the task `{name}` is no count", said.text)
        }
    };
    let mut runs = Runs { count: base.count.saturating_mul(most.unwrap_or(1)), why: base.why };
    runs.why.push(why);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::tests::GOOD;
    use crate::cards::tests::Zoo;

    #[test]
    fn regions_multiply_what_a_frame_costs() {
        // (further tasks, all using one model; its runs a frame; how many reasons)
        let cases: &[(&str, u32, usize)] = &[
            ("", 1, 0),
            ("  - two:\n      model_name: reader\n", 2, 0),
            ("  - two:\n      model_name: reader\n      input: {source: roi, where: read, top_k: 5}\n", 6, 1),
            ("  - two:\n      model_name: reader\n      input: {source: roi, where: read}\n", 2, 1),
            ("  - two:\n      model_name: reader\n      input: {source: roi, where: read, top_k: 0}\n", 2, 1),
            (
                "  - two:\n      model_name: reader\n      input: {source: roi, where: read, top_k: 5}\n  - three:\n      \
                 model_name: reader\n      input: {source: roi, where: two, top_k: 2}\n",
                16,
                3,
            ),
        ];
        for (tasks, expected, reasons) in cases {
            let text = GOOD.replace("models:\n  reader", &format!("{tasks}models:\n  reader"));
            let card = Zoo::new(&[("model_cards/net.yaml", &text)]).card();
            let runs = &runs_per_frame(&card)["reader"];
            assert_eq!((runs.count, runs.why.len()), (*expected, *reasons), "{tasks}: {:?}", runs.why);
        }
    }
}
