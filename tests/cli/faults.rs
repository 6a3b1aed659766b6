//! The process is killed, the disk is full, the disk is broken, at every change that a build makes to the file system in turn:
//! nothing half made is taken for whole, and the next build is right.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

use crate::scripted::{card, zoo};
use crate::space::{Run, Space};

type Tree = BTreeMap<String, Vec<u8>>;

/// Tests that run at a time.
const THREADS: u64 = 2;

/// What is in the zoo when the fault comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scene {
    /// Nothing is built.
    First,
    /// All is built, and then the weights are others.
    Again,
}

fn scene(scene: Scene) -> Space {
    let space = zoo(&["a"]);
    if scene == Scene::Again {
        space.axzoo("build").expect_code(0);
        space.write("weights/a.onnx", "other weights");
        // A setting besides: what follows from the weights is not all that changes.
        space.write("model_cards/a.yaml", card("a", "      compilation_config: {tiling_depth: 6}\n"));
    }
    space
}

fn results(space: &Space) -> Tree {
    space.tree("build")
}

/// Builds with a fault at `place`; whether it came that far.
fn fault(space: &Space, kind: &str, place: u64) -> bool {
    let output = space.command("build -j 1").env("AXZOO_FAULT", format!("{kind}:{place}")).output().expect("it runs");
    let status = output.status;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if kind == "kill" {
        assert!(status.signal() == Some(9) || status.success(), "{kind} at {place}: {status}\n{said}");
        return !status.success();
    }
    let bug = kind == "panic" && status.code() == Some(70);
    assert!(bug || status.code().is_some_and(|code| code < 2), "{kind} at {place}: {status}\n{said}");
    if status.code() == Some(1) {
        let cause = match kind {
            "full" => "no space left on device",
            "panic" => "a bug in axzoo: a mistake on purpose",
            _ => "input/output error",
        };
        assert!(said.to_lowercase().contains(cause), "{kind} at {place} does not say why it failed:\n{said}");
    }
    // A fault that cost nothing, such as at something that only saves work, is none; the last place is one without any.
    let reached = space.command("build -j 1").output().expect("it runs");
    assert!(reached.status.success(), "{kind} at {place}: {}", String::from_utf8_lossy(&reached.stderr));
    !status.success()
}

/// What a build changes at most, and then some: behind it no fault is met.
const FAR: u64 = 600;

fn every_place(kind: &str, beginning: Scene) {
    let good = {
        let space = scene(beginning);
        space.axzoo("build").expect_code(0);
        results(&space)
    };
    let before = results(&scene(beginning));
    let (next, met) = (AtomicU64::new(1), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut quiet = 0;
                // Behind the last change nothing is met any more.
                while quiet < 12 {
                    let place = next.fetch_add(1, Ordering::SeqCst);
                    assert!(place < FAR, "{kind}: faults do not end");
                    let space = scene(beginning);
                    if fault(&space, kind, place) {
                        quiet = 0;
                        met.fetch_add(1, Ordering::SeqCst);
                    } else {
                        quiet += 1;
                    }
                    for (name, bytes) in results(&space) {
                        let is_half = name.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
                        let whole = good.get(&name) == Some(&bytes) || before.get(&name) == Some(&bytes);
                        assert!(is_half || whole, "{kind} at {place}: a wrong {name} lies in build/");
                    }
                    let run: Run = space.axzoo("build --format json");
                    assert_eq!(run.code, 0, "{kind} at {place}: {}", run.stderr);
                    assert!(results(&space) == good, "{kind} at {place}: the next build is not right");
                    let idle = space.build("all").values().all(|outcome| outcome == "up_to_date");
                    assert!(idle, "{kind} at {place}: something is left to do after a good build");
                    space.axzoo("cache verify").expect_code(0);
                }
            });
        }
    });
    let met = met.into_inner();
    assert!(met > 30, "{kind}: only {met} places were met");
}

/// A mistake of ours in any thread ends the build in order, or the process; it never hangs, and nothing is lost.
#[test]
fn a_panic_at_any_change_ends_the_build_and_loses_nothing() {
    every_place("panic", Scene::First);
}

#[test]
fn killed_at_every_change_of_a_first_build() {
    every_place("kill", Scene::First);
}

#[test]
fn killed_at_every_change_of_a_later_build() {
    every_place("kill", Scene::Again);
}

#[test]
fn a_disk_that_is_full_at_any_change_is_said_and_loses_nothing() {
    every_place("full", Scene::Again);
}

#[test]
fn a_disk_that_fails_at_any_change_is_said_and_loses_nothing() {
    every_place("broken", Scene::Again);
}
