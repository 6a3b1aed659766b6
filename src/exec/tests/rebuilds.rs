//! What runs again after which change: the table of SPEC 6.

use std::fmt::Write;

use super::zoo::{Actor, STEPS, Zoo, name_of};
use crate::base::CancelToken;
use crate::base::fs;
use crate::exec::Event;
use crate::exec::Options;
use crate::exec::run;
use crate::plan::StepKind;

/// Sets mtime back to what it was, as `touch -d` or `rsync -t` do.
fn put_mtime_back(path: &std::path::Path, stat: fs::Stat) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(stat.mtime as u64);
    #[expect(clippy::disallowed_methods, reason = "tests play the user")]
    let file = std::fs::File::open(path).expect("opened");
    file.set_modified(time).expect("set");
}

fn touch_everything(zoo: &Zoo) {
    for name in ["a.onnx", "b.onnx", "c.onnx", "image.png"] {
        let text = zoo.read(name);
        zoo.write(name, &text);
    }
    for (file, bytes) in zoo.tree() {
        fs::write(&zoo.build.join(file), &bytes).expect("written");
    }
}

/// One change to a zoo that was built, and the steps that have to run because of it.
struct Case {
    name: &'static str,
    change: fn(&mut Zoo),
    ran: &'static [&'static str],
}

const CHANGES: &[Case] = &[
    Case { name: "nothing", change: |_| (), ran: &[] },
    Case { name: "touch on every file", change: |zoo| touch_everything(zoo), ran: &[] },
    Case {
        name: "a setting of lower",
        change: |zoo| zoo.set("two/b lower", "resources_used", "0.25"),
        ran: &["two bundle", "two/b lower", "two/b pack"],
    },
    Case {
        name: "a setting of quantize",
        change: |zoo| zoo.set("one/a quantize", "quantization_scheme", "hybrid"),
        ran: &["one bundle", "one/a lower", "one/a pack", "one/a quantize"],
    },
    Case {
        name: "weights",
        change: |zoo| zoo.write("a.onnx", "weights of A"),
        ran: &["one bundle", "one/a clean", "one/a fetch", "one/a lower", "one/a pack", "one/a quantize"],
    },
    Case {
        name: "weights of the same size, mtime put back",
        change: |zoo| {
            let path = zoo.path("a.onnx");
            let stat = fs::stat(&path).expect("there");
            zoo.write("a.onnx", "weights of Z");
            put_mtime_back(&path, stat);
            assert_eq!(fs::stat(&path).map(|now| (now.size, now.mtime)), Some((stat.size, stat.mtime)));
        },
        ran: &["one bundle", "one/a clean", "one/a fetch", "one/a lower", "one/a pack", "one/a quantize"],
    },
    Case {
        name: "a calibration image",
        change: |zoo| zoo.write("image.png", "another"),
        ran: &[
            "one bundle",
            "one/a lower",
            "one/a pack",
            "one/a quantize",
            "two bundle",
            "two/b lower",
            "two/b pack",
            "two/b quantize",
            "two/c lower",
            "two/c pack",
            "two/c quantize",
        ],
    },
    Case {
        name: "a new version of the packer",
        change: |zoo| zoo.set_tool(StepKind::Pack, "host/pack/2"),
        ran: &["one/a pack", "two/b pack", "two/c pack"],
    },
    Case {
        name: "a step that writes the same bytes under another setting",
        change: |zoo| {
            zoo.set("one/a clean", "constant", "yes");
            zoo.build_well();
            zoo.set("one/a clean", "constant", "still");
        },
        ran: &["one/a clean"],
    },
    Case {
        name: "an output in build/ removed",
        change: |zoo| fs::remove_file(&zoo.build.join("one/a/main.txt")).expect("removed"),
        ran: &[],
    },
    Case {
        name: "an output in build/ damaged, same size",
        change: |zoo| {
            let path = zoo.build.join("one/a/more/length.txt");
            let size = fs::read(&path).expect("read").len();
            fs::write(&path, &vec![b'x'; size]).expect("written");
        },
        ran: &[],
    },
    Case {
        name: "stat index deleted",
        change: |zoo| fs::remove_file(&zoo.home().join("stats-1")).expect("removed"),
        ran: &[],
    },
    Case {
        name: "state deleted",
        change: |zoo| fs::remove_file(&zoo.home().join("state-1")).expect("removed"),
        ran: &[],
    },
    Case {
        name: "stat index and state damaged",
        change: |zoo| {
            for file in ["stats-1", "state-1"] {
                let path = zoo.home().join(file);
                let mut bytes = fs::read(&path).expect("read");
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, &bytes).expect("written");
            }
        },
        ran: &[],
    },
    Case {
        name: "the whole build root deleted",
        change: |zoo| fs::remove_folder(&zoo.build).expect("removed"),
        ran: &[],
    },
    Case { name: "another build root", change: |zoo| zoo.build = zoo.path("elsewhere/build"), ran: &[] },
];

#[test]
fn a_change_runs_what_it_concerns_and_nothing_else() {
    let mut wrong = Vec::new();
    for case in CHANGES {
        let mut zoo = Zoo::new();
        zoo.build_well();
        (case.change)(&mut zoo);
        let done = zoo.build_well();
        let first = zoo.tree();
        let clean = zoo.with_nothing_built();
        clean.build_well();
        if done.ran != case.ran {
            wrong.push(format!("{}: ran {:?}", case.name, done.ran));
        }
        if first != clean.tree() {
            wrong.push(format!("{}: the build tree is not that of a clean build", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_second_build_is_up_to_date_and_writes_nothing() {
    let zoo = Zoo::new();
    assert_eq!(zoo.build_well().counts(), format!("ran {STEPS}"));
    // The first run may have read some files too soon after they were written to trust their times.
    zoo.build_well();
    let state = |zoo: &Zoo| {
        fs::files_below(&zoo.cache)
            .expect("listed")
            .into_iter()
            .map(|file| {
                let stat = fs::stat(&zoo.cache.join(&file));
                (file, stat)
            })
            .filter(|(file, _)| file != "lock")
            .collect::<Vec<_>>()
    };
    std::thread::sleep(std::time::Duration::from_millis(30));
    zoo.build_well();
    let before = state(&zoo);
    let done = zoo.build_well();
    assert_eq!(done.counts(), format!("up_to_date {STEPS}"));
    assert_eq!(state(&zoo), before, "a build with nothing to do wrote into the cache");
}

#[test]
fn verdicts_do_not_depend_on_the_stat_index() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    fs::remove_file(&zoo.build.join("two/b/main.txt")).expect("removed");
    zoo.set("one/a lower", "cores", "4");
    zoo.options.dry_run = true;
    let with = zoo.build().summary;
    fs::remove_file(&zoo.home().join("stats-1")).expect("removed");
    let without = zoo.build().summary;
    assert_eq!(with.steps, without.steps);
}

#[test]
fn an_output_that_was_removed_is_restored_and_only_that_step_says_so() {
    let zoo = Zoo::new();
    zoo.build_well();
    fs::remove_file(&zoo.build.join("two/b/main.txt")).expect("removed");
    let done = zoo.build_well();
    assert_eq!(done.word("two/b pack"), "restored");
    assert_eq!(done.counts(), format!("restored 1, up_to_date {}", STEPS - 1));
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
}

#[test]
fn going_back_restores_and_runs_nothing() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let old = zoo.tree();
    zoo.set("one/a lower", "cores", "4");
    zoo.build_well();
    assert_ne!(zoo.tree(), old);
    zoo.unset("one/a lower", "cores");
    let done = zoo.build_well();
    assert!(done.ran.is_empty(), "{:?}", done.ran);
    assert_eq!(done.counts(), format!("restored 3, up_to_date {}", STEPS - 3));
    assert_eq!(zoo.tree(), old);
}

#[test]
fn early_cut_off_leaves_later_steps_up_to_date() {
    let mut zoo = Zoo::new();
    zoo.set("one/a clean", "constant", "yes");
    zoo.build_well();
    zoo.write("a.onnx", "weights of another");
    let done = zoo.build_well();
    assert_eq!(done.ran, ["one/a clean", "one/a fetch"]);
    assert_eq!(done.word("one/a quantize"), "up_to_date");
    assert_eq!(done.word("one bundle"), "up_to_date");
}

#[test]
fn two_steps_with_one_key_are_compiled_once() {
    for parallel in [1, 4] {
        let mut zoo = Zoo::new();
        zoo.options.parallel = parallel;
        for model in ["b", "c"] {
            zoo.write(&format!("{model}.onnx"), "the same weights");
            zoo.set(&format!("two/{model} clean"), ".sleep", "20");
        }
        let done = zoo.build_well();
        // Packages hold the model's name, so there are two.
        let of_both =
            |kind: &str| done.ran.iter().filter(|name| name.starts_with("two/") && name.ends_with(kind)).count();
        assert_eq!(["fetch", "clean", "quantize", "lower", "pack"].map(of_both), [1, 1, 1, 1, 2], "-j{parallel}");
        assert_eq!(done.counts(), format!("ran {}, restored 4", STEPS - 4), "-j{parallel}");
        assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"));
    }
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let trees = [1, 2, 8].map(|parallel| {
        let mut zoo = Zoo::new();
        zoo.options.parallel = parallel;
        zoo.build_well();
        zoo.tree()
    });
    assert!(!trees[0].is_empty());
    assert!(trees.iter().all(|tree| *tree == trees[0]));
}

#[test]
fn another_build_root_with_the_same_store_restores_everything() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let tree = zoo.tree();
    zoo.build = zoo.path("elsewhere/build");
    let done = zoo.build_well();
    assert_eq!(done.counts(), format!("restored {STEPS}"));
    assert_eq!(zoo.tree(), tree);
}

#[test]
fn editing_a_file_in_the_build_root_cannot_damage_the_store() {
    let zoo = Zoo::new();
    zoo.build_well();
    let tree = zoo.tree();
    for file in tree.keys() {
        let mut opened = std::fs::OpenOptions::new().append(true).open(zoo.build.join(file)).expect("writable");
        std::io::Write::write_all(&mut opened, b"an edit").expect("written");
    }
    assert!(zoo.build_well().ran.is_empty());
    assert_eq!(zoo.tree(), tree);
}

#[test]
fn files_that_the_plan_no_longer_names_go_and_foreign_files_stay() {
    let mut zoo = Zoo::new();
    zoo.set("one bundle", "extra", "extra.txt");
    zoo.build_well();
    fs::write_atomic(&zoo.build.join("two/c/notes.txt"), b"mine").expect("written");
    fs::write_atomic(&zoo.build.join("mine.txt"), b"mine").expect("written");
    zoo.unset("one bundle", "extra");
    zoo.drop_model("b");
    let done = zoo.build_well();
    assert_eq!(done.removed, ["one/extra.txt", "two/b/main.txt", "two/b/more/length.txt"]);
    let files: Vec<String> = zoo.tree().into_keys().collect();
    assert!(!fs::exists(&zoo.build.join("two/b")), "an emptied folder stayed");
    assert!(files.contains(&"two/c/notes.txt".to_owned()) && files.contains(&"mine.txt".to_owned()), "{files:?}");
    assert!(files.contains(&"two/c/main.txt".to_owned()), "{files:?}");
}

#[test]
fn a_part_of_a_network_removes_nothing_of_the_rest() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let files: Vec<String> = zoo.tree().into_keys().collect();
    zoo.options.targets = vec![zoo.id("two/b pack")];
    zoo.set("two/b lower", "cores", "4");
    let done = zoo.build_well();
    assert_eq!(done.ran, ["two/b lower", "two/b pack"]);
    assert!(done.removed.is_empty());
    zoo.options.targets.clear();
    zoo.drop_model("c");
    zoo.partial = Some("two".into());
    assert!(zoo.build_well().removed.is_empty());
    assert_eq!(zoo.tree().into_keys().collect::<Vec<_>>(), files);
}

#[test]
fn force_runs_the_chosen_steps_again() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    zoo.options = Options { force: true, targets: vec![zoo.id("one bundle")], ..zoo.options };
    assert_eq!(zoo.build_well().counts(), "ran 6");
}

#[test]
fn a_dry_run_says_what_would_run_and_touches_nothing() {
    let mut zoo = Zoo::new();
    zoo.options.dry_run = true;
    let done = zoo.build_well();
    assert_eq!(done.counts(), "may_run 14, will_run 3");
    assert!(!fs::exists(&zoo.cache) && !fs::exists(&zoo.build));
    zoo.options.dry_run = false;
    zoo.build_well();
    zoo.options.dry_run = true;
    zoo.set("one/a lower", "cores", "4");
    let done = zoo.build_well();
    assert_eq!(done.word("one/a lower"), "will_run");
    assert_eq!(done.word("one/a pack"), "may_run");
    assert_eq!(done.counts(), format!("may_run 2, up_to_date {}, will_run 1", STEPS - 3));
    fs::remove_file(&zoo.path("b.onnx")).expect("removed");
    let done = zoo.build();
    assert_eq!(done.word("two/b fetch"), "failed");
    assert_eq!(done.word("two bundle"), "skipped");
}

#[test]
fn lost_artifacts_are_made_again_when_they_are_needed() {
    let mut zoo = Zoo::new();
    zoo.build_well();
    let blobs = fs::files_below(&zoo.cache.join("blobs")).expect("listed");
    fs::remove_folder(&zoo.cache.join("blobs")).expect("removed");
    assert!(!blobs.is_empty());
    assert_eq!(zoo.build_well().counts(), format!("up_to_date {STEPS}"), "nothing needs them");
    zoo.set("one/a lower", "cores", "4");
    let done = zoo.build_well();
    let of_one: Vec<_> = done.ran.iter().filter(|name| name.starts_with("one")).collect();
    assert_eq!(of_one.len(), 6, "{:?}", done.ran);
    assert_eq!(done.ran.len(), 6, "{:?}", done.ran);
}

#[test]
fn why_names_every_difference_with_its_place() {
    let mut zoo = Zoo::new();
    zoo.set("one/a quantize", "scheme", "a");
    zoo.set("one/a quantize", "images", "200");
    zoo.build_well();
    assert!(zoo.why().iter().all(|step| step.verdict.word() == "up_to_date" && step.differences.is_empty()));
    zoo.set("one/a quantize", "scheme", "b");
    zoo.set("one/a quantize", "images", "100");
    zoo.write("image.png", "another");
    fs::remove_file(&zoo.build.join("two/b/main.txt")).expect("removed");
    let graph = zoo.graph();
    let mut text = String::new();
    for step in zoo.why().into_iter().filter(|step| step.verdict.word() != "up_to_date") {
        let name = super::zoo::name_of(graph.step(step.step));
        if !name.starts_with("one") {
            continue;
        }
        writeln!(text, "{name}: {}", step.verdict.word()).expect("a text takes all");
        for d in step.differences {
            let source = d.source.map(|path| format!(", {}", path.file_name().unwrap_or_default().display()));
            let place = d.origin.map(|(file, line)| format!(", {file}:{line}")).or(source).unwrap_or_default();
            let show = |side: Option<String>| side.unwrap_or_else(|| "none".into());
            writeln!(text, "  {}: {} → {}{place}", d.what, show(d.old), show(d.new)).expect("a text takes all");
        }
    }
    let short = |bytes: &[u8]| crate::base::Digest::of(bytes).short();
    let expected = format!(
        "one/a quantize: will_run\n  images: 200 → 100, model_cards/card.yaml:37\n  scheme: a → b, model_cards/card.yaml:37\n  \
         input image: {} → {}, image.png\none/a lower: may_run\n  input quantized: 2 files → known once `quantize` of `one/a` has run\n",
        short(b"an image"),
        short(b"another")
    );
    assert!(text.starts_with(&expected), "{text}\nexpected\n{expected}");
}

#[test]
fn the_longest_chain_goes_first_once_it_is_known() {
    let mut zoo = Zoo::new();
    zoo.options.parallel = 1;
    zoo.options.force = true;
    zoo.set("two/c quantize", ".sleep", "80");
    let first = || {
        let graph = zoo.graph();
        let mut started = Vec::new();
        let mut events = |event: &Event<'_>| {
            if let Event::Started { step, .. } = event {
                started.push(name_of(graph.step(*step)));
            }
        };
        let cancel = CancelToken::new();
        run(&graph, &mut zoo.store(), &Actor::default(), &zoo.options, &cancel, &mut events).expect("a summary");
        started.swap_remove(0)
    };
    assert_eq!(first(), "one/a fetch", "nothing is known yet");
    // Most steps take less than a millisecond, which is known too.
    assert_eq!(first(), "two/c fetch");
}
