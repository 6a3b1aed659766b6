//! `axzoo list`: the networks of a zoo and whether they are up to date.

use std::path::Path;

use serde_json::json;

use super::args::{Format, ListArgs};
use super::failure::Failure;
use super::output::Output;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::base::fs;
use crate::base::moment;
use crate::diag::Diagnostic;
use crate::diag::printable;
use crate::exec::Outcome;
use crate::report::Align;
use crate::report::bytes;
use crate::report::table_within;

/// Lists all networks.
pub(super) fn list(arguments: &ListArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    arguments.store.add_to(&mut flags);
    let zoo = Zoo::load(&arguments.zoo, flags, directory)?;
    let networks = zoo.networks(&[], &arguments.config)?;
    // What is wrong with a card is for `check`; why there is none is worth knowing here.
    let of_no_card = |problem: &&Diagnostic| problem.code == "card/none" || problem.code == "card/root-missing";
    let problems: Vec<Diagnostic> = zoo.catalog.problems.iter().filter(of_no_card).cloned().collect();
    output.diagnostics(&problems);
    let planned = zoo.plan(&networks, &arguments.store, false);
    let graph = &planned.plan.graph;
    let explanations = zoo.explain(graph)?;
    let build_root = zoo.root().join(&zoo.resolved.settings.zoo.build);

    let now = moment();
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for network in &networks {
        let name = network.name();
        let of_network = || explanations.iter().filter(|found| graph.step(found.step).network == name);
        let folder = build_root.join(name);
        let state = match () {
            () if planned.refusals.iter().any(|refusal| refusal.network == name) => "failed",
            () if of_network().any(|found| found.has_failed) => "failed",
            () if of_network().next().is_none() => "nothing to build",
            () if of_network().all(|found| found.verdict == Outcome::UpToDate) => "fresh",
            () if !fs::is_folder(&folder) => "missing",
            () => "stale",
        };
        let files = fs::files_below(&folder).unwrap_or_default();
        let files: Vec<fs::Stat> = files.iter().filter_map(|file| fs::stat(&folder.join(file))).collect();
        let size: u64 = files.iter().map(|stat| stat.size).sum();
        let newest = files.iter().map(|stat| stat.mtime).max();
        let age = newest.map(|newest| (now - newest).max(0).unsigned_abs() / 1_000_000_000);
        let models: Vec<&str> = network.models.iter().map(|model| model.model.name.value.as_str()).collect();
        let card = network.card.source.name();
        rows.push(vec![
            name.to_owned(),
            state.to_owned(),
            if size == 0 { String::new() } else { bytes(size) },
            age.map(in_words).unwrap_or_default(),
            models.join(", "),
            card.to_owned(),
        ]);
        values.push(json!({ "network": name, "card": card, "models": models, "state": state, "bytes": size, "age_seconds": age }));
    }
    for broken in &zoo.catalog.broken {
        let name = broken.name.clone().unwrap_or_default();
        let row = [name.as_str(), "unreadable card", "", "", "", broken.file.as_str()];
        rows.push(row.map(ToOwned::to_owned).to_vec());
        values.push(json!({ "network": broken.name, "card": broken.file, "models": [], "state": "failed" }));
    }
    match arguments.format {
        Format::Json => output.data(&format!("{:#}\n", json!({ "networks": values }))),
        Format::Human => {
            let head = [
                ("network", Align::Left),
                ("state", Align::Left),
                ("size", Align::Right),
                ("age", Align::Right),
                ("models", Align::Left),
                ("card", Align::Left),
            ];
            // A card's name is whatever its author typed; the terminal gets none of its control characters.
            let rows: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
            // What a narrow terminal has no room for is in `--format json`.
            output.data(&table_within(&head, &rows, output.columns(), &[4, 5, 3]));
        }
    }
    Ok(())
}

/// An age in seconds in its largest unit, rounded down: `45 s`, `12 min`, `3 h`, `9 d`.
fn in_words(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length);
    unit.map_or_else(|| format!("{seconds} s"), |(length, name)| format!("{} {name}", seconds / length))
}
