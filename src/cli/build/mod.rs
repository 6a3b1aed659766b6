//! `axzoo build`.

mod images;
mod memory;
mod runner;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::time::Instant;

use self::memory::{Built, Memory, Said};
use super::args::{BuildArgs, Format};
use super::failure::Failure;
use super::output::Output;
use super::plans::Planned;
use super::settings::Flags;
use super::zoo::{Network, Zoo};
use crate::base::CancelToken;
use crate::base::fs;
use crate::base::moment;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::counted;
use crate::diag::to_json;
use crate::exec;
use crate::exec::Event;
use crate::exec::ExecError;
use crate::exec::Outcome;
use crate::exec::StepSummary;
use crate::exec::Summary;
use crate::plan::StepKind;
use crate::report;
use crate::report::Live;
use crate::report::Plain;
use crate::report::Refusal;
use crate::report::Report;
use crate::report::StepLabel;
use crate::report::Trace;
use crate::store::Holder;
use crate::store::Store;
use crate::store::StoreError;

pub(super) use runner::identity;

/// What others are told while they wait for a build.
const PURPOSE: &str = "axzoo build";

/// Builds what the targets name.
pub(super) fn build(arguments: &BuildArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let mut flags = Flags::new();
    arguments.store.add_to(&mut flags);
    arguments.add_to(&mut flags);
    let began = Instant::now();
    let cancel = CancelToken::new();
    let signals = exec::watch_signals(&cancel).map_err(|error| run_error(&error, None))?;
    let (mut zoo, mut memory) = read(arguments, flags, directory)?;
    let unable = |failure: Failure| not_begun(failure, &[], arguments.format, output);
    check_trace(arguments, &zoo, directory).map_err(unable)?;
    if let Some(memory) = memory.as_ref().filter(|memory| memory.is_all()) {
        tell(&memory.said(&zoo, &[], &[]), arguments.format, output);
        nothing_to_do(memory, began.elapsed(), arguments.format, output);
        return write_trace(arguments, &Trace::new(Vec::new(), began), &zoo, directory);
    }
    let opened = open_store(&mut zoo, memory.as_mut(), &cancel, arguments.format, output);
    // Of a zoo that is remembered, targets that mean all are those cards that are not.
    let targets = if memory.is_some() { &[][..] } else { &arguments.targets[..] };
    let networks = zoo.networks(targets, &arguments.config)?;
    let mut refusals = broken_cards(&zoo, &arguments.targets);
    let Planned { plan, refusals: more, problems, looked } =
        zoo.plan(&networks, &arguments.store, arguments.quantize_only);
    refusals.extend(more);

    let said = said(&zoo, &networks, &arguments.targets, problems);
    let shown = match &memory {
        Some(memory) => memory.said(&zoo, &networks, &said),
        None => said.iter().map(|said| said.problem.clone()).collect(),
    };
    let failed_check = shown.iter().any(|problem| problem.severity == Severity::Error && problem.network.is_none());
    tell(&shown, arguments.format, output);

    let settings = &zoo.resolved.settings;
    let parallel = parallel(settings.jobs.parallel);
    let failed = |error: ExecError| match signals.received() {
        Some(signal) if error.is_interrupted() => Failure::Interrupted(signal),
        _ => run_error(&error, Some(&zoo)),
    };
    // What is wrong with the cards is told first, all at once.
    let unable = |error: ExecError| not_begun(failed(error), &refusals, arguments.format, output);
    let mut store = opened.map_err(|error| unable(error.into()))?;
    let toolchain = zoo.toolchain();
    let runner = runner::StepRunner { toolchain: toolchain.as_ref(), threads: parallel, root: zoo.root() };
    let options = options(arguments, &zoo, parallel);
    let mut labels = StepLabel::all(&plan.graph);
    let remembered = memory.as_ref().map_or(0, Memory::steps);
    // Scripts are told of every step.
    let known = memory.as_ref().filter(|_| arguments.format == Format::Json);
    let known = known.map(|memory| memory.steps_from(labels.len())).unwrap_or_default();
    let (known_labels, known): (Vec<StepLabel>, Vec<StepSummary>) = known.into_iter().unzip();
    labels.extend(known_labels);
    let mut trace = Trace::new(labels.clone(), began);
    let mut reporter = reporter(arguments, labels, output);
    let result = exec::run(&plan.graph, &mut store, &runner, &options, &cancel, &mut |event| match event {
        Event::Planned { steps, pending, expected } => {
            let (pending, expected) = (*pending, *expected);
            reporter.event(&Event::Planned { steps: steps + remembered, pending, expected });
            reporter.event(&Event::Remembered { steps: remembered });
            for step in &known {
                reporter.event(&finished(step));
            }
        }
        event => {
            trace.event(event);
            reporter.event(event);
        }
    });
    reporter.finish();
    drop(reporter);
    let mut summary = result.map_err(unable)?;
    // The disk may be full: how the run ended is told first.
    let traced = write_trace(arguments, &trace, &zoo, directory);
    let kept = memory.as_ref().filter(|_| !summary.interrupted && summary.broken.is_none());
    if let Some(memory) = kept {
        let built = Built {
            networks: &networks,
            looked: &looked,
            graph: &plan.graph,
            summary: &summary,
            shown: &said,
            refusals: &refusals,
        };
        memory.keep(&zoo, &store, &built);
    }
    if !arguments.dry_run && summary.broken.is_none() {
        let shown = |path: &Path| zoo.shown(path);
        let build_root = zoo.root().join(&settings.zoo.build);
        let warnings = images::image_warnings(quantized(&summary), &plan.graph, &build_root, &shown);
        tell(&warnings, arguments.format, output);
    }
    if let (Some(memory), Format::Json) = (&memory, arguments.format) {
        memory.merge(&mut summary, known, &networks);
    }
    let up_to_date = memory.as_ref().map_or((0, 0), |memory| (memory.steps(), memory.networks()));
    tell_end(arguments, &zoo, &summary, &refusals, up_to_date, output);
    if summary.broken.is_none() {
        traced?;
    }
    if let Some(signal) = signals.received().filter(|_| summary.interrupted) {
        return Err(Failure::Interrupted(signal));
    }
    let refused = refusals.iter().any(|refusal| !(refusal.unsupported && arguments.skip_unsupported));
    let good = arguments.dry_run || summary.is_good();
    if good && !refused && !failed_check { Ok(()) } else { Err(Failure::Reported) }
}

/// Opens the store. Where something is remembered, the store is locked, and what other runs made void is forgotten: before
/// anything is planned, since whoever has the store now may change what there is to plan.
fn open_store(
    zoo: &mut Zoo,
    memory: Option<&mut Memory>,
    cancel: &CancelToken,
    format: Format,
    output: Output,
) -> Result<Store, StoreError> {
    let mut store = zoo.store()?;
    let cards = zoo.options().card_roots.iter().map(|folder| zoo.root().join(folder)).collect();
    store.set_builder(zoo.root(), cards);
    if let Some(memory) = memory.filter(|memory| memory.is_of_use()) {
        store.lock(PURPOSE, cancel, |holder| tell_waiting(holder, format, output))?;
        memory.look_again(zoo, &store);
    }
    Ok(store)
}

fn options(arguments: &BuildArgs, zoo: &Zoo, parallel: usize) -> exec::Options {
    let settings = &zoo.resolved.settings;
    exec::Options {
        parallel,
        dry_run: arguments.dry_run,
        fail_fast: arguments.fail_fast,
        force: arguments.force,
        timeout: Some(Duration::from_millis(settings.toolchain.timeout)),
        memory: zoo.memory_limit(),
        pools: settings.pools.places(),
        root: zoo.root().to_owned(),
        purpose: PURPOSE.to_owned(),
        ..exec::Options::default()
    }
}

/// What there is to say of the cards that were read, of their configurations, and of the plan. A note is for `check`: a build says
/// what keeps it from being right.
fn said(zoo: &Zoo, networks: &[Network<'_>], targets: &[String], of_plan: Vec<Diagnostic>) -> Vec<Said> {
    let of_cards = zoo.card_problems(networks, targets);
    let of_configs = networks.iter().flat_map(|network| network.problems.clone()).collect();
    let turns = (0..).zip([of_cards, of_configs, of_plan]);
    let said = turns.flat_map(|(turn, of_turn)| of_turn.into_iter().map(move |problem| Said { turn, problem }));
    said.filter(|said| said.problem.severity > Severity::Note).collect()
}

/// Steps at a time: as many as were asked for, or one a CPU.
fn parallel(asked: u32) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        jobs => jobs as usize,
    }
}

/// The end of a build: its summary, and why steps failed. `up_to_date` steps and networks were not looked at one by one.
fn tell_end(
    arguments: &BuildArgs,
    zoo: &Zoo,
    summary: &Summary,
    refusals: &[Refusal],
    up_to_date: (usize, usize),
    output: Output,
) {
    let broken: Vec<Diagnostic> = summary
        .broken
        .iter()
        .map(|broken| {
            let problem = Diagnostic::error("build/run", zoo.relative(&broken.message));
            problem.maybe_hint(broken.hint.clone())
        })
        .collect();
    if arguments.format == Format::Json {
        tell(&broken, arguments.format, output);
        output.data(&format!("{}\n", report::summary_json(summary, refusals)));
        return;
    }
    let relative = |path: &Path| zoo.shown(path);
    output.note(&report::failure_blocks(&without_cause(summary), &relative, &repeated(&arguments.targets)));
    output.data(&closing(summary, refusals, arguments.dry_run, up_to_date, output.columns()));
    if summary.broken.is_some() {
        // What ended the run is told instead of what the steps say of it.
        tell(&broken, arguments.format, output);
        return;
    }
    if !arguments.dry_run {
        let build_root = zoo.root().join(&zoo.resolved.settings.zoo.build);
        output.data(&accuracy(summary, &build_root, output.columns()));
    }
    let failed = report::counts(summary, refusals).failed;
    if failed > 0 {
        let steps = counted(failed, "step");
        output.note(&format!("error: {steps} failed; the reasons are above\n"));
    }
    if !summary.not_removed.is_empty() {
        let files = counted(summary.not_removed.len(), "file");
        output
            .note(&format!("error: {files} that nothing makes any more could not be removed; the reasons are above\n"));
    }
}

/// The summary without failures of steps that are what ended the run: that is told once.
fn without_cause(summary: &Summary) -> Summary {
    let mut told = summary.clone();
    if let Some(broken) = &summary.broken {
        told.steps.retain(|step| match &step.outcome {
            Outcome::Failed(failure) => !failure.no_space && broken.step != Some(step.id),
            _ => true,
        });
    }
    told
}

/// Where `--trace` writes to. With -C, everything that is typed is meant from there.
fn trace_path(arguments: &BuildArgs, zoo: &Zoo, directory: Option<&Path>) -> Option<PathBuf> {
    let file = arguments.trace.as_ref()?;
    Some(if directory.is_some() { zoo.root().join(file) } else { file.clone() })
}

/// Says before any work is done that the trace could not be written.
fn check_trace(arguments: &BuildArgs, zoo: &Zoo, directory: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = trace_path(arguments, zoo, directory) else { return Ok(()) };
    let failed = |message: String| Diagnostic::error("build/run", zoo.relative(&message));
    if fs::is_folder(&path) {
        let message = format!("`--trace` names a folder, `{}`; a file was expected", path.display());
        return Err(Failure::Failed(failed(message)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !fs::is_folder(folder)) {
        let message = format!("`--trace` names a file in `{}`, and there is no such folder", folder.display());
        return Err(Failure::Failed(failed(message).hint("make the folder, or name another file")));
    }
    Ok(())
}

/// Writes what was asked for with `--trace`.
fn write_trace(arguments: &BuildArgs, trace: &Trace, zoo: &Zoo, directory: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = trace_path(arguments, zoo, directory) else { return Ok(()) };
    // A link, a pipe or a device is written to, not replaced.
    let is_plain = fs::is_file(&path) && !fs::is_link(&path) || !fs::exists(&path);
    let write = if is_plain { fs::write_atomic } else { fs::write };
    write(&path, trace.text().as_bytes()).map_err(|error| {
        let message = format!("the trace is not written: {error}");
        Failure::Failed(Diagnostic::error("build/run", zoo.relative(&message)).maybe_hint(error.hint()))
    })
}

/// What kept the run from being begun. Scripts are told of it as of everything else, and the last line is a summary.
fn not_begun(failure: Failure, refusals: &[Refusal], format: Format, output: Output) -> Failure {
    if format != Format::Json {
        return failure;
    }
    let interrupted = matches!(failure, Failure::Interrupted(_));
    let nothing =
        Summary { steps: Vec::new(), not_removed: Vec::new(), wall: Duration::ZERO, interrupted, broken: None };
    let told = match failure {
        Failure::Failed(problem) => {
            tell(std::slice::from_ref(&problem), format, output);
            Failure::Reported
        }
        other => other,
    };
    output.data(&format!("{}\n", report::summary_json(&nothing, refusals)));
    told
}

fn run_error(error: &ExecError, zoo: Option<&Zoo>) -> Failure {
    let message = zoo.map_or_else(|| error.to_string(), |zoo| zoo.relative(&error.to_string()));
    Failure::Failed(Diagnostic::error("build/run", message).maybe_hint(error.hint()))
}

/// What cannot be built because its card cannot be read.
pub(super) fn broken_cards(zoo: &Zoo, targets: &[String]) -> Vec<Refusal> {
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

/// Says for whom a build waits, before there is a display of its steps.
fn tell_waiting(holder: &Holder, format: Format, output: Output) {
    match format {
        Format::Human => output.note(&format!("waiting: {holder}\n")),
        Format::Json => {
            let holder = holder.to_string();
            report::JsonLines::new(output, Vec::new()).event(&Event::Waiting { holder: &holder });
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
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words = words.filter(|word| !targets.contains(word));
    let quoted = words.map(|word| if word.contains([' ', '\'', '"', '$', '*']) { format!("{word:?}") } else { word });
    std::iter::once("axzoo".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// The end of a build for people; `remembered` steps and networks are up to date besides.
fn closing(
    summary: &Summary,
    refusals: &[Refusal],
    dry_run: bool,
    (steps, networks): (usize, usize),
    columns: Option<usize>,
) -> String {
    let mut counts = report::counts(summary, refusals);
    counts.up_to_date += steps;
    let wall = report::duration(summary.wall.as_millis() as u64);
    if counts.is_idle() && counts.up_to_date > 0 {
        return up_to_date(counts.up_to_date, &wall);
    }
    let what = match (dry_run, summary.interrupted) {
        (true, _) => "plan",
        (false, true) => "interrupted",
        (false, false) if summary.broken.is_some() => "stopped",
        (false, false) => "done",
    };
    let table = report::network_table(summary, refusals, networks, columns);
    format!("{table}\n{what}: {} in {wall}\n", counts.text())
}

fn up_to_date(steps: usize, wall: &str) -> String {
    format!("up to date: {}, {wall}\n", counted(steps, "step"))
}

/// Reads the cards that the targets mean. Of the whole zoo those are left out that are remembered to be up to date.
fn read(arguments: &BuildArgs, flags: Flags, directory: Option<&Path>) -> Result<(Zoo, Option<Memory>), Failure> {
    let everything = arguments.targets.iter().all(|target| target == "all");
    if !everything {
        return Ok((Zoo::load_named(&arguments.zoo, flags, directory, &arguments.targets)?, None));
    }
    if arguments.force || arguments.dry_run || !arguments.config.is_empty() {
        return Ok((Zoo::load(&arguments.zoo, flags, directory)?, None));
    }
    let moment = moment();
    let mut zoo = Zoo::without_cards(&arguments.zoo, flags, directory)?;
    let more = format!("{} {:?}", arguments.quantize_only, arguments.store.cal_seed);
    let memory = Memory::recall(&mut zoo, &more, moment);
    Ok((zoo, Some(memory)))
}

/// Says that everything is up to date, as a build says that found it out.
fn nothing_to_do(memory: &Memory, wall: Duration, format: Format, output: Output) {
    if format == Format::Human {
        output.data(&up_to_date(memory.steps(), &report::duration(wall.as_millis() as u64)));
        return;
    }
    let (labels, steps): (Vec<StepLabel>, Vec<StepSummary>) = memory.steps_from(0).into_iter().unzip();
    let mut reporter = report::JsonLines::new(output, labels);
    reporter.event(&Event::Planned { steps: steps.len(), pending: 0, expected: Some(Duration::ZERO) });
    for step in &steps {
        reporter.event(&finished(step));
    }
    let summary = Summary { steps, not_removed: Vec::new(), wall, interrupted: false, broken: None };
    output.data(&format!("{}\n", report::summary_json(&summary, &[])));
}

fn finished(step: &StepSummary) -> Event<'_> {
    Event::Finished { step: step.id, outcome: &step.outcome, duration: Duration::from_millis(step.duration_ms) }
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
fn accuracy(summary: &Summary, build_root: &Path, columns: Option<usize>) -> String {
    let mut rows: Vec<_> = quantized(summary)
        .filter_map(|step| report::read_accuracy(build_root, &step.network, step.model.as_deref()?))
        .collect();
    rows.sort_by(|a, b| a.subject.cmp(&b.subject));
    if rows.is_empty() { String::new() } else { format!("\n{}", report::accuracy_table_within(&rows, columns)) }
}
