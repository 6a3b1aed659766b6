//! What happens when a step fails: the others go on, and what was good stays.

use std::collections::BTreeMap;

use super::zoo::{STEPS, Zoo};
use crate::base::CancelToken;
use crate::base::fs;
use crate::exec::Outcome;
use crate::exec::StepFailure;
use crate::plan::StepKind;

fn failure(outcome: &Outcome) -> &StepFailure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("expected a failure, found {other:?}"),
    }
}

#[test]
fn one_failure_does_not_stop_the_others() {
    let mut zoo = Zoo::new();
    zoo.set("two/b quantize", ".fail", "no images");
    let done = zoo.build();
    let failed = failure(done.outcome("two/b quantize"));
    assert_eq!((failed.message.as_str(), failed.hint.as_deref()), ("no images", Some("do something")));
    let log = failed.log.as_deref().expect("a log");
    assert_eq!(log.tail, ["working on quantize"]);
    assert_eq!(log.path, zoo.cache.join("logs/two/b/quantize.log"));
    let Outcome::Skipped { why } = done.outcome("two bundle") else { panic!("{:?}", done.outcome("two bundle")) };
    assert_eq!(why, "`quantize` of `two/b` did not succeed");
    assert_eq!(done.counts(), format!("failed 1, ran {}, skipped 3", STEPS - 4));
    assert!(zoo.tree().keys().all(|file| file.starts_with("one/")), "a network that failed was installed");
    zoo.unset("two/b quantize", ".fail");
    assert_eq!(zoo.build_well().ran, ["two bundle", "two/b lower", "two/b pack", "two/b quantize"]);
}

#[test]
fn a_failed_build_leaves_the_last_good_files() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let tree = zoo.tree();
    zoo.set("two/b lower", "cores", "4");
    zoo.set("two/c lower", "cores", "4");
    zoo.set("two/c lower", ".fail", "too large");
    assert!(!zoo.build().summary.is_good());
    assert_eq!(zoo.tree(), tree);
}

#[test]
fn fail_fast_starts_nothing_more() {
    let mut zoo = Zoo::new();
    zoo.options.parallel = 1;
    zoo.options.fail_fast = true;
    for model in ["one/a", "two/b", "two/c"] {
        zoo.set(&format!("{model} fetch"), ".fail", "not found");
    }
    let done = zoo.build();
    assert_eq!(done.counts(), format!("failed 1, skipped {}", STEPS - 1));
}

#[test]
fn a_panic_is_a_bug_of_one_step_and_the_others_go_on() {
    let mut zoo = Zoo::new();
    zoo.set("two/b lower", ".panic", "index out of bounds");
    let done = zoo.build();
    let failed = failure(done.outcome("two/b lower"));
    assert_eq!(failed.message, "a bug in axzoo: index out of bounds");
    assert!(failed.is_bug);
    assert_eq!(done.counts(), format!("failed 1, ran {}, skipped 2", STEPS - 3));
}

#[test]
fn a_missing_source_fails_its_step_and_names_the_file() {
    let zoo = Zoo::new();
    fs::remove_file(&zoo.path("b.onnx")).expect("removed");
    let done = zoo.build();
    let failed = failure(done.outcome("two/b fetch"));
    assert!(failed.message.ends_with("b.onnx`: no such file or directory"), "{}", failed.message);
    assert_eq!(done.word("one bundle"), "ran");
}

#[test]
fn a_source_that_changes_under_a_step_is_noticed() {
    let mut zoo = Zoo::new();
    zoo.set("two/b fetch", ".touches", &zoo.path("b.onnx").display().to_string());
    let done = zoo.build();
    let failed = failure(done.outcome("two/b fetch"));
    assert!(failed.message.ends_with("b.onnx` was changed during the build"), "{}", failed.message);
    zoo.unset("two/b fetch", ".touches");
    assert!(zoo.build_well().ran.contains(&"two/b fetch".to_owned()));
}

#[test]
fn both_of_two_steps_with_one_key_fail_alike() {
    let mut zoo = Zoo::new();
    for model in ["b", "c"] {
        zoo.write(&format!("{model}.onnx"), "the same weights");
        zoo.set(&format!("two/{model} clean"), ".fail", "not an ONNX file");
    }
    let done = zoo.build();
    let (maker, twin) = (failure(done.outcome("two/b clean")), failure(done.outcome("two/c clean")));
    assert_eq!(maker.message, "not an ONNX file");
    assert_eq!(twin.message, "its result is that of `clean` of `two/b`, which failed: not an ONNX file");
    assert_eq!(twin.hint, maker.hint);
    assert!(twin.log.as_deref().is_some_and(|log| log.tail.is_empty()), "the log is told twice");
    assert_eq!(done.ran.iter().filter(|name| name.ends_with("clean") && name.starts_with("two")).count(), 1);
    // Both are known to have failed, not only the one that ran.
    let failed = done.summary.steps.iter().filter(|step| step.network == "two" && step.outcome.word() == "failed");
    let keys: Vec<_> = failed.map(|step| step.key).collect();
    assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn a_link_is_no_output() {
    let mut zoo = Zoo::new();
    zoo.set("one/a lower", ".link", "yes");
    let done = zoo.build();
    assert_eq!(
        failure(done.outcome("one/a lower")).message,
        "the output `link` is a symbolic link; a step writes regular files only, with names in UTF-8"
    );
}

#[test]
fn files_that_cannot_be_installed_fail_their_step() {
    let mut zoo = Zoo::new();
    zoo.options.root = zoo.build.parent().expect("it has one").to_owned();
    // A file of the user's where a folder has to be.
    fs::write_atomic(&zoo.build.join("one"), b"mine").expect("written");
    let done = zoo.build();
    let failed = done.summary.steps.iter().find(|step| step.network == "one" && step.outcome.word() == "failed");
    let failed = failure(&failed.expect("a step of the network failed").outcome);
    assert!(failed.message.starts_with("cannot create the folder"), "{}", failed.message);
    assert!(failed.message.contains("`build/one"), "not relative to the root: {}", failed.message);
    assert_eq!(done.word("two bundle"), "ran");
    let has_failed = |zoo: &Zoo| zoo.why().iter().any(|explanation| explanation.has_failed);
    assert!(has_failed(&zoo), "it is not known that it failed");
    fs::remove_file(&zoo.build.join("one")).expect("removed");
    assert!(zoo.build_well().ran.is_empty());
    assert!(!has_failed(&zoo), "it succeeded since");
    fs::remove_file(&zoo.build.join("one/a/main.txt")).expect("removed");
    assert!(!has_failed(&zoo), "it succeeded since");
}

#[test]
fn a_damaged_artifact_is_never_installed_and_is_made_again() {
    let zoo = Zoo::new();
    zoo.build_well();
    let tree = zoo.tree();
    let installed = zoo.build.join("one/a/main.txt");
    let digest = fs::digest(&installed).expect("hashed");
    let blob = zoo.store().blobs().path(&digest);
    let size = fs::read(&blob).expect("read").len();
    fs::remove_file(&blob).expect("removed");
    fs::write(&blob, &vec![0; size]).expect("written");
    fs::remove_file(&installed).expect("removed");
    assert_eq!(zoo.build_well().ran, ["one/a pack"]);
    assert_eq!(zoo.tree(), tree);
}

/// What a zoo with nothing built makes of the same cards.
fn rightly_built(zoo: Zoo) -> BTreeMap<String, Vec<u8>> {
    let fresh = zoo.with_nothing_built();
    fresh.build_well();
    fresh.tree()
}

#[test]
fn a_damaged_artifact_is_never_read_and_is_made_again() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    zoo.damage(&zoo.output("one", "a", StepKind::Quantize));
    zoo.set("one/a lower", "cores", "4");
    assert_eq!(zoo.build_well().ran, ["one bundle", "one/a lower", "one/a pack", "one/a quantize"]);
    assert_eq!(zoo.tree(), rightly_built(zoo));
}

#[test]
fn damaged_artifacts_one_behind_the_other_are_made_again() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    zoo.damage(&zoo.output("one", "a", StepKind::Clean));
    zoo.damage(&zoo.output("one", "a", StepKind::Quantize));
    zoo.set("one/a lower", "cores", "4");
    assert_eq!(zoo.build_well().ran, ["one bundle", "one/a clean", "one/a lower", "one/a pack", "one/a quantize"]);
    assert_eq!(zoo.tree(), rightly_built(zoo));
}

#[test]
fn a_damaged_artifact_behind_a_step_that_runs_to_the_same_end_is_made_again() {
    let mut zoo = Zoo::new();
    zoo.set("one/a clean", "constant", "yes");
    zoo.build_well();
    zoo.damage(&zoo.output("one", "a", StepKind::Quantize));
    zoo.set("one/a clean", "threads", "4");
    zoo.set("one/a lower", "cores", "4");
    let done = zoo.build_well();
    assert_eq!(done.ran, ["one bundle", "one/a clean", "one/a lower", "one/a pack", "one/a quantize"]);
    assert_eq!(zoo.tree(), rightly_built(zoo));
}

#[test]
fn an_artifact_damaged_during_the_run_fails_its_reader_and_the_next_run_heals() {
    let mut zoo = Zoo::new();
    zoo.options.parallel = 1;
    for model in ["b", "c"] {
        zoo.write(&format!("{model}.onnx"), "the same weights");
    }
    zoo.build_well();
    let shared = zoo.output("two", "b", StepKind::Clean);
    assert_eq!(zoo.output("two", "c", StepKind::Clean), shared);
    // Without known durations the first of the two goes first. It does not read what it damages.
    fs::remove_folder(&zoo.cache.join("builds")).expect("removed");
    zoo.set("two/b quantize", "constant", "yes");
    zoo.set("two/b quantize", ".touches", &zoo.store().blobs().path(&shared.digest).display().to_string());
    zoo.set("two/c quantize", "bits", "4");
    let done = zoo.build();
    let failed = failure(done.outcome("two/c quantize"));
    assert!(failed.message.contains("`model` is damaged"), "{}", failed.message);
    assert!(failed.hint.as_deref().is_some_and(|hint| hint.contains("run the same command again")), "{failed:?}");
    zoo.unset("two/b quantize", ".touches");
    let done = zoo.build_well();
    assert!(done.ran.contains(&"two/c quantize".to_owned()), "{:?}", done.ran);
    assert_eq!(zoo.tree(), rightly_built(zoo));
}

#[test]
fn a_dry_run_leaves_a_damaged_artifact_alone() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let output = zoo.output("one", "a", StepKind::Quantize);
    zoo.damage(&output);
    zoo.set("one/a lower", "cores", "4");
    zoo.options.dry_run = true;
    zoo.build();
    assert!(zoo.store().blobs().holds(&output));
}

#[test]
fn a_forced_step_that_fails_leaves_the_good_result() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let tree = zoo.tree();
    zoo.options.force = true;
    zoo.set("one/a lower", ".fail", "too large");
    assert_eq!(failure(zoo.build().outcome("one/a lower")).message, "too large");
    assert_eq!(zoo.tree(), tree);
    zoo.options.force = false;
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
    assert!(zoo.why().iter().all(|explanation| !explanation.has_failed), "what is up to date has not failed");
    // Nor is it forgotten by another build root of the same cache.
    zoo.build = zoo.path("elsewhere");
    assert_eq!(zoo.build_well().counts(), format!("restored {STEPS}"));
}

#[test]
fn a_forced_step_that_is_interrupted_leaves_the_good_result() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    zoo.options.force = true;
    zoo.options.timeout = Some(std::time::Duration::from_millis(30));
    zoo.set("one/a lower", ".sleep", "60000");
    assert_eq!(zoo.build().word("one/a lower"), "failed");
    let cancel = CancelToken::new();
    cancel.cancel();
    assert!(zoo.try_build(&cancel).is_ok_and(|done| done.summary.interrupted));
    zoo.options.force = false;
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
}

#[test]
fn a_forced_result_takes_the_place_of_the_good_one() {
    let mut zoo = Zoo::new();
    zoo.set("one/a lower", ".salt", "first");
    zoo.build_well();
    let before = zoo.output("one", "a", StepKind::Lower);
    zoo.options.force = true;
    zoo.set("one/a lower", ".salt", "second");
    zoo.build_well();
    let after = zoo.output("one", "a", StepKind::Lower);
    assert_ne!(before.digest, after.digest);
    zoo.options.force = false;
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
    assert_eq!(zoo.output("one", "a", StepKind::Lower), after);
}

#[test]
fn whoever_shares_a_forced_result_waits_for_it() {
    let mut zoo = Zoo::new();
    let twins = ["two/b clean", "two/c clean"];
    for (model, twin) in ["b", "c"].into_iter().zip(twins) {
        zoo.write(&format!("{model}.onnx"), "the same weights");
        zoo.set(twin, ".salt", "first");
    }
    zoo.build_well();
    zoo.options.force = true;
    for twin in twins {
        zoo.set(twin, ".salt", "second");
        zoo.set(twin, ".sleep", "50");
    }
    zoo.build_well();
    assert_eq!(zoo.output("two", "b", StepKind::Clean), zoo.output("two", "c", StepKind::Clean));
    assert!(zoo.tree().iter().all(|(file, text)| !String::from_utf8_lossy(text).contains("first") || file.is_empty()));
    zoo.options.force = false;
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
    zoo.options.force = true;
    zoo.set(twins[0], ".fail", "no licence");
    zoo.set(twins[1], ".fail", "no licence");
    let done = zoo.build();
    assert_eq!(twins.map(|twin| done.word(twin)), ["failed", "failed"], "the older result was taken");
}

#[test]
fn a_result_that_was_lost_and_cannot_be_made_again_is_not_up_to_date() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let lost = zoo.output("one", "a", StepKind::Pack);
    fs::remove_file(&zoo.store().blobs().path(&lost.digest)).expect("removed");
    zoo.set("one/a pack", ".fail", "no");
    fs::remove_file(&zoo.build.join("one/a/main.txt")).expect("removed");
    for _ in 0..2 {
        assert_eq!(failure(zoo.build().outcome("one/a pack")).message, "no");
    }
    zoo.unset("one/a pack", ".fail");
    assert_eq!(zoo.build_well().ran, ["one/a pack"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_said() {
    let mut zoo = Zoo::new();
    zoo.write("file", "not a folder");
    zoo.cache = zoo.path("file/cache");
    let error = zoo.try_build(&CancelToken::new()).expect_err("the cache lies in a file");
    let text = error.to_string();
    assert!(text.contains("file/cache") && text.ends_with("not a directory"), "{text}");
}

#[test]
fn a_cancelled_build_keeps_what_is_finished() {
    let mut zoo = Zoo::new();
    zoo.options.parallel = 3;
    for step in ["one/a quantize", "two/b quantize", "two/c quantize"] {
        zoo.set(step, ".sleep", "60000");
    }
    let cancel = CancelToken::new();
    let canceller = {
        let (cancel, logs) = (cancel.clone(), zoo.cache.join("logs/one/a/quantize.log"));
        std::thread::spawn(move || {
            while !fs::exists(&logs) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            cancel.cancel();
        })
    };
    let done = zoo.try_build(&cancel).expect("a summary");
    canceller.join().expect("joined");
    assert!(done.summary.interrupted && !done.summary.is_good());
    assert_eq!(done.word("one/a quantize"), "skipped");
    assert_eq!(done.word("one/a clean"), "ran");
    assert!(zoo.tree().is_empty());
    zoo.unset("one/a quantize", ".sleep");
    zoo.unset("two/b quantize", ".sleep");
    zoo.unset("two/c quantize", ".sleep");
    let done = zoo.build_well();
    assert_eq!(done.word("one/a clean"), "up_to_date");
}
