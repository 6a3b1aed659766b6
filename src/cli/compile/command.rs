//! The command as a whole: from what was typed to the exit code.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::artifact;
use super::dumps;
use super::flags::CompileArgs;
use super::folder::{ERROR_ARTIFACT, Folder, is_of_value, tensors_of};
use super::given;
use super::given::{Given, PATHS};
use super::journal::Journal;
use super::outcome::Outcome;
use super::request::{Gathered, Request, gather, is_manifest};
use super::run::Run;
use super::summary;
use crate::base::CancelToken;
use crate::base::fs;
use crate::base::shown;
use crate::cli::convert::standing;
use crate::cli::failure::Failure;
use crate::cli::failure::hint_of;
use crate::cli::output::Output;
use crate::compiler::Status;
use crate::config::Config;
use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::diag::counted;
use crate::diag::distinct;
use crate::exec;
use crate::plan::StepKind;
use crate::report::Live;
use crate::report::Plain;
use crate::report::Report;
use crate::report::StepLabel;

/// Compiles one model, or writes the default configuration.
pub(in crate::cli) fn compile(flags: &CompileArgs, output: Output, directory: Option<&Path>) -> Result<(), Failure> {
    let standing = standing(directory)?;
    let problems = given::not_text(flags, &standing);
    if !problems.is_empty() {
        return Err(Failure::Usage(problems));
    }
    if let Some(folder) = &flags.generate_config {
        return generate_config(&standing.join(folder), &standing, output);
    }
    let cancel = CancelToken::new();
    let signals = exec::watch_signals(&cancel)
        .map_err(|error| Failure::Failed(Diagnostic::error("compile/failed", error.to_string())))?;
    let journal = Journal::new();
    let gathered = gather(flags, &standing);
    let Some(path) = gathered.output.clone() else {
        return Err(without_output(gathered, &standing));
    };
    let folder_name = shown(&path, &standing);
    let folder = Folder::open(&path, &folder_name).map_err(|problem| {
        let failure = Diagnostic::error("compile/output", problem.to_string()).maybe_hint(problem.hint());
        Failure::Failed(failure)
    })?;
    let typed: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    journal.line(&format!("axzoo {}", typed.join(" ")));

    let kept: Vec<PathBuf> = given_files(&gathered, flags, &standing, &folder);
    let understood = gathered.understood(&standing).and_then(|request| {
        let problems = in_the_way(&request, &folder, &kept);
        if problems.is_empty() { Ok(request) } else { Err(problems) }
    });
    let request = match understood {
        Ok(request) => request,
        Err(problems) => {
            output.diagnostics(&problems);
            for problem in distinct(&problems) {
                journal.problem(&problem);
            }
            return Err(end_of_arguments(&folder, &journal, &problems, &kept, output));
        }
    };
    for note in distinct(&request.notes) {
        journal.problem(&note);
    }
    // Notes are for the log and the reports; a warning is for whoever watches.
    let warnings: Vec<Diagnostic> =
        request.notes.iter().filter(|note| note.severity > Severity::Note).cloned().collect();
    output.diagnostics(&warnings);
    describe(&request, &journal);

    let done = work(&request, &folder, &kept, &journal, &cancel, output, &standing);
    match done {
        Ok((message, took)) => {
            drop(folder);
            output.data(&summary::closing(&request, &path, &standing, &message, &took));
            Ok(())
        }
        Err(outcome) => {
            drop(folder);
            if let Some(signal) = signals.received() {
                output.note(&format!("interrupted; `{folder_name}/compilation_report.json` says where\n"));
                return Err(Failure::Interrupted(signal));
            }
            output.diagnostics(&outcome.problems);
            output.diagnostics(&[summary::failure(&outcome)]);
            if fs::is_file(&path.join("compilation_report.json")) {
                let log = format!("`{folder_name}/compilation_log.txt` has the details");
                output.note(&format!("error: nothing was compiled; {log}\n"));
            } else {
                output.note(&format!("error: `{folder_name}` has no whole report of what was done\n"));
            }
            Err(Failure::Reported)
        }
    }
}

/// What is in the folder of results and must stay, where the run would write.
fn in_the_way(request: &Request, folder: &Folder, kept: &[PathBuf]) -> Vec<Diagnostic> {
    let obstacle = |message: String| {
        Diagnostic::error("compile/output", message).hint("move it away, or name another folder with `-o`")
    };
    let mut problems: Vec<Diagnostic> = request.conf_in_the_way(folder).into_iter().collect();
    let mut tensors = Vec::new();
    if !request.is_manifest {
        let beside = files_of(&request.input);
        tensors.extend(tensors_of(&request.input).unwrap_or_default());
        let files = std::iter::once(("the input", &request.input))
            .chain(beside.iter().map(|file| ("a file of the input's tensors", file)));
        problems.extend(files.filter_map(|(what, file)| {
            let name = folder.replaced_by_result(file)?;
            let message = format!("{what} is `{name}` of the folder of results, and would be replaced");
            let hint = "keep it under another name, or name another folder with `-o`";
            Some(Diagnostic::error("compile/output", message).hint(hint))
        }));
    }
    problems.extend(folder.obstacles(&tensors, kept, request.is_manifest).into_iter().map(obstacle));
    problems.extend(dumps::problems(request, folder, kept));
    problems
}

/// Files that were given: they are never removed, also where they lie in the folder of results.
fn given_files(gathered: &Gathered, flags: &CompileArgs, standing: &Path, folder: &Folder) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        PATHS.iter().filter_map(|name| gathered.arguments.get(name)).map(Given::path).collect();
    files.extend(flags.cli_args.iter().map(|file| standing.join(file)));
    let Some(input) = gathered.arguments.get("input").map(Given::path) else { return files };
    let Some(beside) = input.parent() else { return files };
    if is_manifest(&input) {
        // A manifest stands for the files beside it, and for the model that it was quantized from.
        files.extend(fs::list(beside).unwrap_or_default());
        files.extend(fs::list(&beside.with_file_name("input_model")).unwrap_or_default());
    } else if tensors_of(&input).is_some() {
        files.extend(files_of(&input));
    } else if fs::canonical(beside).ok() == fs::canonical(&folder.result("input_model")).ok() {
        // It cannot be told what belongs to it.
        files.extend(fs::list(beside).unwrap_or_default());
    }
    files
}

/// Files that a model keeps tensors in.
fn files_of(model: &Path) -> Vec<PathBuf> {
    let tensors = tensors_of(model).unwrap_or_default();
    let names = tensors.iter().filter_map(|name| Path::new(name).file_name());
    // Where the model is given by a link, they lie beside what it leads to.
    let led = fs::canonical(model).ok().and_then(|path| Some(path.parent()?.to_owned()));
    let folders: Vec<&Path> = led.iter().map(PathBuf::as_path).chain(model.parent()).collect();
    names.flat_map(|name| folders.iter().map(move |folder| folder.join(name))).collect()
}

/// Nothing names the folder of results, so there is no place for a report.
fn without_output(gathered: Gathered, standing: &Path) -> Failure {
    let missing = Diagnostic::error("compile/arguments", "there is no folder for the results");
    let mut problems = vec![missing.hint("name one with `-o`")];
    if let Err(more) = gathered.understood(standing) {
        problems.extend(more.into_iter().filter(|problem| problem.severity == Severity::Error));
    }
    Failure::Usage(problems)
}

/// Writes the report of arguments that cannot be followed. The results of an earlier run stay.
fn end_of_arguments(
    folder: &Folder,
    journal: &Journal,
    problems: &[Diagnostic],
    kept: &[PathBuf],
    output: Output,
) -> Failure {
    let errors: Vec<Diagnostic> =
        distinct(problems).into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    let hint = errors.first().and_then(|problem| problem.hint.clone());
    let outcome = Outcome::of_problems(Status::InitializeCliError, errors).hint(hint);
    untouched(outcome, folder, journal, kept, output);
    Failure::Reported
}

/// Writes the report of a run that made nothing. The results of an earlier run stay.
fn untouched(outcome: Outcome, folder: &Folder, journal: &Journal, kept: &[PathBuf], output: Output) -> Outcome {
    journal.line("nothing was done; results of an earlier run, if there are any, are as they were");
    if let Err(error) = folder.finish(&journal.text(), &outcome, kept) {
        output.note(&format!("error: the report cannot be written: {error}\n"));
    }
    outcome
}

/// What the run is about, for the log.
fn describe(request: &Request, journal: &Journal) {
    let kind = if request.is_manifest { "quantized model" } else { "ONNX model" };
    journal.line(&format!("input: {kind} {}", request.input.display()));
    for (name, value) in request.config.non_default() {
        journal.line(&format!("property: {name} = {value}"));
    }
    if let Some(images) = &request.images {
        journal.line(&format!("images: {} in {}", images.images.len(), images.folder.display()));
    }
}

/// Goes through the stages and puts the results in place; the message, and how long it took.
fn work(
    request: &Request,
    folder: &Folder,
    kept: &[PathBuf],
    journal: &Journal,
    cancel: &CancelToken,
    output: Output,
    standing: &Path,
) -> Result<(String, String), Outcome> {
    let effective = request.config.effective();
    let removed = if effective.remove_output_dir {
        let none = BTreeSet::new();
        folder.clear(kept, &none).map(|count| {
            journal.line(&format!("`remove_output_dir`: removed {} of earlier runs", counted(count, "file")));
        })
    } else {
        Ok(())
    };
    let tell = |problem: &Diagnostic| output.diagnostics(std::slice::from_ref(problem));
    let mut run = Run {
        request,
        folder,
        journal,
        cancel,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        reporter: Mutex::new(reporter(request, output)),
        tell: &tell,
        made: Vec::new(),
        is_random: false,
        images: Default::default(),
        idle: Vec::new(),
    };
    let mut result = removed
        .map_err(|error| Outcome::of_file(&error, Status::InitializeCliError, Status::InitializeCliError))
        .and_then(|()| run.write_arguments(&request.arguments))
        .and_then(|()| run.go());
    if let Ok(mut reporter) = run.reporter.lock() {
        reporter.finish();
    }
    let is_random = run.is_random;
    let images = std::mem::take(&mut run.images);
    let mut made = std::mem::take(&mut run.made);
    let is_changed = effective.remove_output_dir || made.iter().any(|(name, _)| is_of_value(name));
    drop(run);
    if let Err(outcome) = result.as_ref().map_err(Clone::clone)
        && outcome.is_unwritten
        && !is_changed
    {
        // Nothing of value was made, so it is no reason to lose what an earlier run made.
        if effective.save_error_artifact {
            journal.line(&format!("`{ERROR_ARTIFACT}`: not written, since there is no room for it"));
        }
        return Err(untouched(outcome, folder, journal, kept, output));
    }
    if let Err(outcome) = &result
        && effective.save_error_artifact
    {
        let mut files = made.clone();
        // Where cleaning failed, the model is no result.
        for name in fs::files_below(&folder.work("input_model")).unwrap_or_default() {
            let name = format!("input_model/{name}");
            if !files.iter().any(|(made, _)| *made == name) {
                files.push((name.clone(), folder.work(&name)));
            }
        }
        let archive = artifact::archive(outcome, journal, &files, effective.randomize_onnx_model);
        let file = folder.work(ERROR_ARTIFACT);
        match archive.and_then(|bytes| fs::write(&file, &bytes).map_err(|error| error.to_string())) {
            Ok(()) => made.push((ERROR_ARTIFACT.to_owned(), file)),
            Err(error) => journal.line(&format!("`{ERROR_ARTIFACT}` cannot be written: {error}")),
        }
    }
    if result.is_ok() && effective.save_error_artifact {
        journal.line("`save_error_artifact`: nothing failed, so there is no archive");
    }
    match dumps::record(request, folder, &made, kept) {
        Ok(record) => made.extend(record),
        Err(failure) => {
            // What is not recorded must not be left: no later run would know whose it is.
            let names = dumps::names(request);
            made.retain(|(name, _)| !names.contains(name));
            result = result.and(Err(failure));
        }
    }
    result = put_in_place(result, &made, folder, kept, journal);
    let outcome = match &result {
        Ok(()) => Outcome::succeeded(summary::done(request, is_random)),
        Err(outcome) => outcome.clone(),
    };
    if result.is_ok() {
        let warnings = summary::image_warnings(&folder.result("quantized_model/report.json"), &images, standing);
        for warning in &warnings {
            journal.problem(warning);
        }
        output.diagnostics(&warnings);
    }
    let took = journal.took();
    journal.line(&format!("{}: {}", super::outcome::word(outcome.status), outcome.message));
    if let Err(error) = folder.finish(&journal.text(), &outcome, kept) {
        output.note(&format!("error: the report cannot be written: {error}\n"));
        if result.is_ok() {
            result = Err(Outcome::of_file(&error, Status::TopLevelLowerError, Status::TopLevelLowerError));
        }
    }
    result.map(|()| (outcome.message, took))
}

/// Puts what was made in place, before a failure too: a quantized model can be compiled later. How the run ends.
fn put_in_place(
    result: Result<(), Outcome>,
    made: &[(String, PathBuf)],
    folder: &Folder,
    kept: &[PathBuf],
    journal: &Journal,
) -> Result<(), Outcome> {
    let Err(failure) = folder.swap(made, kept) else { return result };
    // Half of this run beside half of an earlier one would be worse than nothing; the first failure is the one to tell.
    if let Err(error) = folder.clear(kept, &BTreeSet::new()) {
        journal.line(&error.to_string());
    }
    let lost: BTreeSet<&str> = made.iter().filter_map(|(name, _)| Some(name.split_once('/')?.0)).collect();
    let lost: Vec<&str> = lost.into_iter().collect();
    Err(result.err().unwrap_or_else(|| failure.clone()).and_lost(&failure, &lost))
}

/// The display of a build, for the steps of one model.
fn reporter(request: &Request, output: Output) -> Box<dyn Report + Send> {
    let name = request.input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let kinds: &[StepKind] = match (request.is_manifest, request.quantize_only) {
        (true, _) => &[StepKind::Fetch, StepKind::Lower],
        (false, true) => &[StepKind::Clean, StepKind::Quantize],
        (false, false) => &[StepKind::Clean, StepKind::Quantize, StepKind::Lower],
    };
    let label = |kind: &StepKind| StepLabel { kind: *kind, network: name.clone(), model: None };
    let labels = kinds.iter().map(label).collect();
    if std::io::stderr().is_terminal() && !output.is_dumb_terminal() {
        Box::new(Live::new(labels))
    } else {
        Box::new(Plain::new(std::io::stderr(), labels))
    }
}

/// `--generate-config`: the documented defaults as a file to edit.
fn generate_config(folder: &Path, standing: &Path, output: Output) -> Result<(), Failure> {
    let file = folder.join("default_conf.json");
    let conf = format!("{:#}\n", crate::config::settings_json(&Config::default()));
    let name = shown(&file, standing);
    let failed = |error: &fs::FsError| {
        let problem = Diagnostic::error("compile/output", format!("`{name}` cannot be written: {error}"));
        Failure::Failed(problem.maybe_hint(hint_of(error)))
    };
    let present = fs::read_if_there(&file).map_err(|error| failed(&error))?;
    if present.as_ref().is_some_and(|present| *present != conf.as_bytes()) {
        let problem = Diagnostic::error("compile/output", format!("`{name}` is there already, and is not the default"));
        return Err(Failure::Failed(problem.hint("move it away if it is to be replaced, or name another folder")));
    }
    fs::write_atomic(&file, conf.as_bytes()).map_err(|error| failed(&error))?;
    output.data(&format!("wrote `{name}`\n"));
    Ok(())
}
