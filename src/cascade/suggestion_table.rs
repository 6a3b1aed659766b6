//! A suggestion as text and as JSON.

use std::fmt::Write;

use serde_json::Value as Json;
use serde_json::json;

use crate::diag::printable;

use super::cost::CostKind;
use super::fit::cores_in_words;
use super::split::Rate;
use super::split::Split;
use super::suggestion::Suggestion;

/// What a batch is taken to do, said under every suggestion that does not know better.
const SCALING: &str = "a model compiled for N cores is taken to run N frames in the time of one";

/// The suggestion for people: costs and where they come from, the present split, and others with the rate of each model
/// relative to what the network reaches now. Ends in a newline.
#[must_use]
pub fn render_suggestion(suggestion: &Suggestion) -> String {
    let mut text = String::new();
    let network = printable(&suggestion.network);
    let Some(base) = base_rate(suggestion) else {
        let count = suggestion.candidates.len();
        let why = match u32::try_from(count) {
            Ok(0) => "no model needs the device".to_owned(),
            Ok(count) if count <= suggestion.device_cores => {
                "the limits of its models leave no core for one".to_owned()
            }
            _ => format!("{count} models need at least {count} cores of {}", suggestion.device_cores),
        };
        return format!("{network}: no split: {why}\n");
    };
    let verdict = match (suggestion.is_present(), &suggestion.present) {
        (true, _) => "the present split is the best".to_owned(),
        (false, None) => "the present split does not hold; 1.00 is the rate of the best".to_owned(),
        (false, Some(_)) => match suggestion.best().and_then(Split::rate) {
            Some(best) if best != base => format!("the best split is {} times as fast", relative(best, base)),
            _ => "the best split is as fast and leaves less unused".to_owned(),
        },
    };
    let _ = writeln!(text, "{network}: {verdict}");
    text.push_str(&costs(suggestion));
    let shown = suggestion.splits.iter().filter(|split| Some(*split) != suggestion.present.as_ref());
    let titled = suggestion.present.iter().map(|split| ("present", split));
    let mut is_first = !suggestion.is_present();
    for (title, split) in titled.chain(shown.map(|split| ("also possible", split))) {
        let title = if title != "present" && std::mem::take(&mut is_first) { "best" } else { title };
        text.push_str(&one_split(suggestion, title, split, base));
    }
    text
}

/// The rate that all others are relative to: the present one, else the best.
fn base_rate(suggestion: &Suggestion) -> Option<Rate> {
    suggestion.present.as_ref().or_else(|| suggestion.best())?.rate()
}

fn relative(rate: Rate, base: Rate) -> String {
    format!("{:.2}", rate.relative_to(base))
}

fn costs(suggestion: &Suggestion) -> String {
    let mut text = String::new();
    let unit = match suggestion.costs.kind {
        CostKind::Cycles => "estimated cycles of one run on one core × runs a frame",
        CostKind::Macs => "multiplications of one run, counted in the ONNX file, × runs a frame",
        CostKind::Equal if suggestion.candidates.len() == 1 => "that of the one model, in every split",
        CostKind::Equal => "every model counts the same, × runs a frame",
    };
    let _ = writeln!(text, "  costs: {unit}");
    if let Some(reason) = &suggestion.costs.reason {
        let _ = writeln!(text, "    {}", printable(reason));
    }
    let names = widest(suggestion);
    let figures = suggestion.candidates.iter().zip(&suggestion.runs);
    let figures = figures.filter(|_| suggestion.candidates.len() > 1).map(|(candidate, runs)| {
        let total = u128::from(candidate.cost) * u128::from(candidate.runs);
        (candidate, runs, short(u128::from(candidate.cost)), short(total))
    });
    let figures: Vec<_> = figures.collect();
    let cost = figures.iter().map(|(_, _, cost, _)| cost.len()).max().unwrap_or(0);
    for (candidate, runs, one, total) in figures {
        let name = printable(&candidate.name);
        let _ = writeln!(text, "    {name:names$}  {one:>cost$} × {} = {total}", candidate.runs);
        for why in &runs.why {
            let _ = writeln!(text, "    {:names$}  {}", "", printable(why));
        }
    }
    if suggestion.candidates.iter().any(|candidate| candidate.most_cores > 1 && candidate.batch_costs.is_empty()) {
        let _ = writeln!(text, "  {SCALING}");
    }
    text
}

fn widest(suggestion: &Suggestion) -> usize {
    suggestion.candidates.iter().map(|candidate| printable(&candidate.name).chars().count()).max().unwrap_or(0)
}

fn one_split(suggestion: &Suggestion, title: &str, split: &Split, base: Rate) -> String {
    let mut text = String::new();
    let slowest = suggestion.candidates.get(split.slowest).map(|candidate| printable(&candidate.name));
    let idle = match split.idle_cores {
        0 => "no core idle".to_owned(),
        1 => "1 core is idle".to_owned(),
        cores => format!("{} are idle", cores_in_words(cores)),
    };
    let rate = split.rate().map(|rate| relative(rate, base)).unwrap_or_default();
    let _ = writeln!(text, "  {title}: rate {rate}, limited by `{}`, {idle}", slowest.unwrap_or_default());
    let names = widest(suggestion);
    let rates: Vec<String> = split.rates.iter().map(|rate| relative(*rate, base)).collect();
    let width = rates.iter().map(String::len).max().unwrap_or(0);
    for (candidate, (placement, rate)) in suggestion.candidates.iter().zip(split.placements.iter().zip(&rates)) {
        let name = printable(&candidate.name);
        let total = cores_in_words(placement.execution_cores());
        let _ = writeln!(
            text,
            "    {name:names$}  {} × {} = {total:7}  rate {rate:>width$}",
            placement.cores, placement.instances,
        );
    }
    text
}

/// A count in three figures: `36`, `1.23 k`, `4.56 M`.
fn short(count: u128) -> String {
    if count < 1000 {
        return count.to_string();
    }
    let mut value = count as f64;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        // What would be rounded to 1000 is 1 of the next unit.
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}

/// The suggestion for scripts: `{"cost","cost_reason","device_cores","models":[{"model","cost","runs_per_frame","why"}],
/// "present","splits","present_is_best"}`, where a split is `{"relative_rate","bottleneck","idle_cores","total_resources",
/// "models":[{"model","cores","execution_cores","instances","resources","relative_rate"}]}`. Rates are relative to the
/// present split, else to the best.
#[must_use]
pub fn suggestion_to_json(suggestion: &Suggestion) -> Json {
    let base = base_rate(suggestion);
    let relative = |rate: Option<Rate>| rate.zip(base).map(|(rate, base)| rate.relative_to(base));
    let split = |split: &Split| {
        let models = suggestion.candidates.iter().zip(split.placements.iter().zip(&split.rates));
        let model = |(candidate, (placement, rate)): (&super::Candidate, (&super::Placement, &Rate))| {
            json!({
                "model": candidate.name,
                "cores": placement.cores,
                "execution_cores": placement.execution_cores(),
                "instances": placement.instances,
                "resources": placement.resources.decimal(),
                "relative_rate": relative(Some(*rate)),
            })
        };
        json!({
            "relative_rate": relative(split.rate()),
            "bottleneck": suggestion.candidates.get(split.slowest).map(|candidate| &candidate.name),
            "idle_cores": split.idle_cores,
            "total_resources": split.memory().decimal(),
            "models": models.map(model).collect::<Vec<_>>(),
        })
    };
    let models = suggestion.candidates.iter().zip(&suggestion.runs).map(|(candidate, runs)| {
        json!({
            "model": candidate.name,
            "cost": candidate.cost,
            "runs_per_frame": candidate.runs,
            "why": runs.why,
        })
    });
    json!({
        "cost": suggestion.costs.kind.word(),
        "cost_reason": suggestion.costs.reason,
        "device_cores": suggestion.device_cores,
        "models": models.collect::<Vec<_>>(),
        "present": suggestion.present.as_ref().map(split),
        "splits": suggestion.splits.iter().map(split).collect::<Vec<_>>(),
        "present_is_best": suggestion.is_present(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_figures() {
        let cases =
            [(7, "7"), (999, "999"), (1000, "1.00 k"), (12_345, "12.3 k"), (999_499, "999 k"), (999_500, "1.00 M")];
        for (count, expected) in cases {
            assert_eq!(short(count), expected);
        }
        assert_eq!(short(9_995_000), "10.0 M");
    }
}
