//! Killed runs, and two runs at once.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::zoo::{Actor, STEPS, Zoo};
use crate::base::CancelToken;
use crate::base::fs;
use crate::exec::Event;
use crate::exec::run;
use crate::exec::watch_signals;
use crate::plan::StepKind;

/// In the working folder of a child process: the zoo that it is to build.
const MARK: &str = "build-this-zoo";

/// Not a test by itself: what the child processes of the tests below run.
#[test]
#[ignore = "run by other tests in a process of its own"]
fn child_build() {
    let folder = std::env::current_dir().expect("a working folder");
    let Ok(Some(mark)) = fs::read_if_there(&folder.join(MARK)) else { return };
    let mut zoo = Zoo::at(&folder);
    // The mark names a setting that keeps one step busy until it is told to stop, if there is to be one.
    if !mark.is_empty() {
        zoo.set("one/a quantize", &String::from_utf8_lossy(&mark), "60000");
    }
    let cancel = CancelToken::new();
    let signals = watch_signals(&cancel).expect("signals are watched");
    let done = zoo.try_build(&cancel).expect("the build can be carried out");
    assert_eq!(done.summary.interrupted, signals.received().is_some());
    std::process::exit(signals.received().map_or(0, |number| 128 + i32::from(number)));
}

fn spawn_build(zoo: &Zoo) -> Child {
    spawn_busy_build(zoo, "")
}

fn spawn_busy_build(zoo: &Zoo, busy: &str) -> Child {
    zoo.write(MARK, busy);
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "exec::tests::interruption::child_build", "--ignored"])
        .current_dir(zoo.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child process")
}

/// No file of a killed run is left in the build root or among the running steps' folders.
fn assert_swept(zoo: &Zoo, when: &str) {
    let stray: Vec<String> = zoo.tree().into_keys().filter(|file| file.contains(".tmp")).collect();
    assert!(stray.is_empty(), "{when}: {stray:?}");
    assert!(!fs::exists(&zoo.cache.join("tmp")), "{when}: folders of running steps stayed");
    assert!(!fs::exists(&zoo.home().join("installing")), "{when}");
}

#[test]
fn killed_at_any_moment_the_next_build_is_right() {
    let clean = Zoo::new();
    clean.build_well();
    let expected = clean.tree();
    let mut stopped_short = 0;
    for round in 0..24 {
        let zoo = Zoo::new();
        let when = format!("killed in round {round}");
        // Several kills on the way, at other moments in each round.
        for kill in 0..3 {
            let mut child = spawn_build(&zoo);
            thread::sleep(Duration::from_micros(4000 + 700 * round + 1900 * kill));
            child.kill().expect("killed");
            stopped_short += usize::from(!child.wait().expect("ended").success());
        }
        let done = zoo.build_well();
        assert_eq!(zoo.tree(), expected, "{when}");
        assert_swept(&zoo, &when);
        assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"), "{when}: after {}", done.counts());
    }
    assert!(stopped_short > 0, "no child was killed before it was done");
}

#[test]
fn what_a_killed_run_left_is_swept() {
    let zoo = Zoo::new();
    zoo.build_well();
    let mut store = zoo.store();
    store.intend("one", &["one/a/main.txt".into(), "one/a/gone.txt".into()]).expect("said");
    let leftover = zoo.build.join("one/a/.main.txt.999999-3.tmp");
    fs::write(&leftover, b"half").expect("written");
    fs::write(&zoo.build.join("one/a/gone.txt"), b"an output of the killed run").expect("written");
    fs::write(&zoo.build.join("one/a/.mine.txt.tmp"), b"mine").expect("written");
    fs::write_atomic(&zoo.cache.join("tmp/3/half.txt"), b"half").expect("written");
    let done = zoo.build_well();
    assert!(!fs::exists(&leftover));
    assert!(!fs::exists(&zoo.cache.join("tmp")));
    assert_eq!(done.removed, ["one/a/gone.txt"], "a file that was being installed is axzoo's own");
    assert!(fs::exists(&zoo.build.join("one/a/.mine.txt.tmp")), "a foreign file was removed");
}

#[test]
fn artifacts_that_did_not_reach_the_disk_before_a_power_cut_are_made_again() {
    let zoo = Zoo::new();
    zoo.build_well();
    let expected = zoo.tree();
    // As after a power cut: no clean mark, no state, and one artifact of the right length with other contents.
    let journal = zoo.cache.join("journal-1");
    let text = zoo.read("cache/journal-1");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("clean")).collect();
    fs::write(&journal, (lines.join("\n") + "\n").as_bytes()).expect("written");
    fs::remove_folder(&zoo.cache.join("builds")).expect("removed");
    let digest = fs::digest(&zoo.build.join("one/a/main.txt")).expect("hashed");
    let blob = zoo.store().blobs().path(&digest);
    let size = fs::read(&blob).expect("read").len();
    fs::remove_file(&blob).expect("removed");
    fs::write(&blob, &vec![0; size]).expect("written");
    fs::remove_folder(&zoo.build).expect("removed");
    let done = zoo.build_well();
    assert_eq!(done.ran, ["one/a pack"]);
    assert_eq!(zoo.tree(), expected);
}

#[test]
fn an_artifact_that_a_power_cut_took_is_gone_for_older_results_too() {
    let mut zoo = Zoo::new();
    zoo.set("one/a quantize", "constant", "yes");
    zoo.build_well();
    zoo.set("one/a quantize", "bits", "4");
    zoo.build_well();
    // As after a power cut in the second run: its clean mark is missing, and the artifact of both results is damaged.
    let text = zoo.read("cache/journal-1");
    let (before, _) = text.trim_end().rsplit_once('\n').expect("many lines");
    fs::write(&zoo.cache.join("journal-1"), format!("{before}\n").as_bytes()).expect("written");
    let output = zoo.output("one", "a", StepKind::Quantize);
    zoo.damage(&output);
    let mut store = zoo.store();
    store.lock("axzoo build all", &CancelToken::new(), |_| ()).expect("locked");
    assert!(!store.blobs().holds(&output), "a damaged artifact stayed for the older result");
    drop(store);
    zoo.unset("one/a quantize", "bits");
    zoo.set("one/a lower", "cores", "4");
    let done = zoo.build_well();
    assert!(done.ran.contains(&"one/a quantize".to_owned()), "{:?}", done.ran);
}

#[test]
fn two_builds_at_once_wait_for_each_other_and_say_for_whom() {
    let mut zoo = Zoo::new();
    zoo.set("one/a clean", ".sleep", "200");
    zoo.options.purpose = "axzoo build one".into();
    let zoo = &zoo;
    thread::scope(|scope| {
        let first = scope.spawn(move || zoo.build_well());
        while !fs::exists(&zoo.cache.join("logs/one/a/clean.log")) {
            thread::sleep(Duration::from_millis(1));
        }
        let mut waited_for = Vec::new();
        let mut store = zoo.store();
        let actor = Actor::default();
        let summary = run(&zoo.graph(), &mut store, &actor, &zoo.options, &CancelToken::new(), &mut |event| {
            if let Event::Waiting { holder } = event {
                waited_for.push((*holder).to_owned());
            }
        });
        assert_eq!(waited_for, [format!("process {} (axzoo build one)", std::process::id())]);
        assert_eq!(summary.expect("a summary").count("up_to_date"), STEPS);
        assert_eq!(first.join().expect("joined").summary.count("ran"), STEPS);
    });
}

#[test]
fn many_builds_at_once_in_processes_of_their_own_agree() {
    let clean = Zoo::new();
    clean.build_well();
    let zoo = Zoo::new();
    let children: Vec<_> = (0..4).map(|_| spawn_build(&zoo)).collect();
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    assert_eq!(zoo.tree(), clean.tree());
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
}

#[test]
fn waiting_can_be_interrupted() {
    let zoo = Zoo::new();
    let mut holder = zoo.store();
    holder.lock("axzoo build all", &CancelToken::new(), |_| ()).expect("locked");
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = zoo.try_build(&cancel).expect_err("interrupted");
    assert!(error.is_interrupted());
    assert!(error.to_string().starts_with("stopped while waiting for process"), "{error}");
}

fn interrupt(child: &Child) {
    let process = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("signalled");
}

/// Waits until the busy step of [`spawn_busy_build`] is at work.
fn wait_for_work(zoo: &Zoo) {
    while !fs::read(&zoo.cache.join("logs/one/a/quantize.log")).is_ok_and(|log| !log.is_empty()) {
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_first_interrupt_ends_the_build_in_order_and_the_second_at_once() {
    let zoo = Zoo::new();
    let mut child = spawn_busy_build(&zoo, ".sleep");
    wait_for_work(&zoo);
    interrupt(&child);
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    assert!(!fs::exists(&zoo.cache.join("tmp")), "the run was not ended in order");
    fs::remove_folder(&zoo.cache.join("logs")).expect("removed");
    let mut child = spawn_busy_build(&zoo, ".deaf");
    wait_for_work(&zoo);
    let end = loop {
        interrupt(&child);
        thread::sleep(Duration::from_millis(20));
        if let Some(end) = child.try_wait().expect("asked") {
            break end;
        }
    };
    assert_eq!(end.code(), Some(130));
    let done = zoo.build_well();
    assert_eq!(done.word("one/a clean"), "up_to_date");
}

#[test]
fn files_that_an_interrupted_build_did_not_write_are_not_said_to_be_restored() {
    let zoo = Zoo::new();
    zoo.build_well();
    let expected = zoo.tree();
    fs::remove_folder(&zoo.build).expect("removed");
    let cancel = CancelToken::new();
    cancel.cancel();
    let done = zoo.try_build(&cancel).expect("a summary");
    assert!(done.summary.interrupted && zoo.tree().is_empty());
    assert_eq!(done.counts(), "skipped 5, up_to_date 12");
    assert_eq!(zoo.build_well().counts(), "restored 5, up_to_date 12");
    assert_eq!(zoo.tree(), expected);
}
