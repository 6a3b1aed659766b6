//! `axzoo build`.

mod images;
mod runner;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use super::args::{BuildArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::plans::Planned;
use super::settings::Flags;
use super::zoo::Zoo;
use crate::base::CancelToken;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::counted;
use crate::diag::to_json;
use crate::exec;
use crate::exec::ExecError;
use crate::exec::StepSummary;
use crate::exec::Summary;
use crate::plan::StepKind;
use crate::report;
use crate::report::Live;
use crate::report::Plain;
use crate::report::Refusal;
use crate::report::Report;
use crate::report::StepLabel;

pub(super) use runner::identity;

/// Builds what the targets name.
pub(super) fn build(arguments: &BuildArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    arguments.store.add_to(&mut flags);
    arguments.add_to(&mut flags);
    let cancel = CancelToken::new();
    let signals = exec::watch_signals(&cancel).map_err(|error| run_error(&error, None))?;
    let zoo = Zoo::load(&arguments.zoo, flags, directory)?;
    let networks = zoo.networks(&arguments.targets, &arguments.config)?;
    let mut refusals = broken_cards(&zoo, &arguments.targets);
    let Planned { plan, refusals: more, problems } = zoo.plan(&networks, &arguments.store, arguments.quantize_only);
    refusals.extend(more);

    let mut shown = zoo.card_problems(&networks, &arguments.targets);
    // A note is for `check`: a build says what keeps it from being right.
    shown.extend(networks.iter().flat_map(|network| network.problems.clone()));
    shown.extend(problems);
    shown.retain(|problem| problem.severity > Severity::Note);
    let failed_check = shown.iter().any(|problem| problem.severity == Severity::Error && problem.network.is_none());
    tell(&shown, arguments.format, output);

    let settings = &zoo.resolved.settings;
    let parallel = match settings.jobs.parallel {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        jobs => jobs as usize,
    };
    let mut store = zoo.store().map_err(|error| run_error(&ExecError::Store(error), Some(&zoo)))?;
    let toolchain = zoo.toolchain();
    let runner = runner::StepRunner { toolchain: toolchain.as_ref(), threads: parallel, root: zoo.root() };
    let options = exec::Options {
        parallel,
        dry_run: arguments.dry_run,
        fail_fast: arguments.fail_fast,
        force: arguments.force,
        timeout: Some(Duration::from_millis(settings.toolchain.timeout)),
        memory: zoo.memory_limit(),
        ..exec::Options::default()
    };
    let mut reporter = reporter(arguments, StepLabel::all(&plan.graph), output);
    let result = exec::run(&plan.graph, &mut store, &runner, &options, &cancel, &mut |event| reporter.event(event));
    reporter.finish();
    drop(reporter);
    let summary = result.map_err(|error| match signals.received() {
        Some(signal) if error.is_interrupted() => Failure::Interrupted(signal),
        _ => run_error(&error, Some(&zoo)),
    })?;

    let build_root = zoo.root().join(&settings.zoo.build);
    if !arguments.dry_run {
        let shown = |path: &Path| zoo.shown(path);
        let warnings = images::image_warnings(quantized(&summary), &plan.graph, &build_root, &shown);
        tell(&warnings, arguments.format, output);
    }
    match arguments.format {
        Format::Json => output.data(&format!("{}\n", report::summary_json(&summary, &refusals))),
        Format::Human => {
            let relative = |path: &Path| zoo.shown(path);
            output.note(&report::failure_blocks(&summary, &relative, &repeated(&arguments.targets)));
            output.data(&closing(&summary, &refusals, arguments.dry_run));
            if !arguments.dry_run {
                output.data(&accuracy(&summary, &build_root));
            }
            let failed = report::counts(&summary, &refusals).failed;
            if failed > 0 {
                let steps = counted(failed, "step");
                output.note(&format!("error: {steps} failed; the reasons are above\n"));
            }
        }
    }
    if let Some(signal) = signals.received().filter(|_| summary.interrupted) {
        return Err(Failure::Interrupted(signal));
    }
    let refused = refusals.iter().any(|refusal| !(refusal.unsupported && arguments.skip_unsupported));
    let good = arguments.dry_run || summary.is_good();
    if good && !refused && !failed_check { Ok(()) } else { Err(Failure::Reported) }
}

fn run_error(error: &ExecError, zoo: Option<&Zoo>) -> Failure {
    let message = zoo.map_or_else(|| error.to_string(), |zoo| zoo.relative(&error.to_string()));
    Failure::Failed(Diagnostic::error("build/run", message).maybe_hint(error.hint()))
}

/// What cannot be built because its card cannot be read.
fn broken_cards(zoo: &Zoo, targets: &[String]) -> Vec<Refusal> {
    zoo.broken(targets)
        .into_iter()
        .map(|broken| Refusal {
            network: broken.name.clone().unwrap_or_else(|| broken.file.clone()),
            model: None,
            step: StepKind::Fetch,
            message: format!("the card `{}` cannot be read", broken.file),
            unsupported: false,
        })
        .collect()
}

fn tell(problems: &[Diagnostic], format: Format, output: Output) {
    match format {
        Format::Human => output.diagnostics(problems),
        Format::Json => {
            for problem in problems {
                let mut event = to_json(problem);
                if let Some(fields) = event.as_object_mut() {
                    fields.insert("event".to_owned(), "diagnostic".into());
                }
                output.data(&format!("{event}\n"));
            }
        }
    }
}

fn reporter(arguments: &BuildArgs, labels: Vec<StepLabel>, output: Output) -> Box<dyn Report> {
    let dumb = output.is_dumb_terminal();
    match arguments.format {
        Format::Json => Box::new(report::JsonLines::new(output, labels)),
        Format::Human if std::io::stderr().is_terminal() && !dumb && !arguments.dry_run => Box::new(Live::new(labels)),
        Format::Human => Box::new(Plain::new(std::io::stderr(), labels)),
    }
}

/// This command without its targets.
fn repeated(targets: &[String]) -> String {
    let words = std::env::args().skip(1).filter(|word| !targets.contains(word));
    let quoted = words.map(|word| if word.contains([' ', '\'', '"', '$', '*']) { format!("{word:?}") } else { word });
    std::iter::once("axzoo".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

fn closing(summary: &Summary, refusals: &[Refusal], dry_run: bool) -> String {
    let counts = report::counts(summary, refusals);
    let wall = report::duration(summary.wall.as_millis() as u64);
    let mut text = Vec::new();
    let idle = counts.ran + counts.restored + counts.failed + counts.skipped + counts.will_run + counts.may_run == 0;
    if idle && counts.up_to_date > 0 {
        let _ = writeln!(text, "up to date: {}, {wall}", counted(counts.up_to_date, "step"));
    } else {
        let _ = writeln!(text, "{}", report::network_table(summary, refusals));
        let what = match (dry_run, summary.interrupted) {
            (true, _) => "plan",
            (false, true) => "interrupted",
            (false, false) => "done",
        };
        let _ = writeln!(text, "{what}: {} in {wall}", counts.text());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The steps of this run that quantized a model, or brought its result back from the store.
fn quantized(summary: &Summary) -> impl Iterator<Item = &StepSummary> {
    // Only a network that is whole has its reports of this run in `build/`.
    let whole = |network: &str| {
        let mut of_network = summary.steps.iter().filter(|step| step.network == network);
        of_network.all(|step| step.outcome.is_good())
    };
    summary.steps.iter().filter(move |step| {
        step.step == StepKind::Quantize && matches!(step.outcome.word(), "ran" | "restored") && whole(&step.network)
    })
}

/// The accuracy of each model that was quantized in this run.
fn accuracy(summary: &Summary, build_root: &Path) -> String {
    let mut rows: Vec<_> = quantized(summary)
        .filter_map(|step| report::read_accuracy(build_root, &step.network, step.model.as_deref()?))
        .collect();
    rows.sort_by(|a, b| a.subject.cmp(&b.subject));
    if rows.is_empty() { String::new() } else { format!("\n{}", report::accuracy_table(&rows)) }
}
