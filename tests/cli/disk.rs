//! A disk that is really full: a small file system in memory for the store, for the build root, for both. What a build could not
//! write it says, and with space again the next build is right.

use std::process::Command;

use serde_json::Value;

use crate::scripted::zoo;
use crate::space::Space;

/// Builds twice, on a small file system and on the same one grown, in a namespace where an ordinary user may mount. The first
/// argument is its size, the others are the folders that it is mounted on.
const SCRIPT: &str = r#"
program=$1; size=$2; shift 2
for folder in "$@"; do
    mkdir -p "$folder"
    mount -t tmpfs -o "size=$size" small "$folder" 2> mount.txt || exit 77
done
"$program" build -j 2 > first.txt 2>&1; echo "first $?"
"$program" build -j 2 --format json > again.jsonl 2> again.txt; echo "again $?"
for folder in "$@"; do mount -o "remount,size=50m" "$folder" || exit 77; done
"$program" build -j 2 > second.txt 2>&1; echo "second $?"
"$program" build > third.txt 2>&1; echo "third $?"
"$program" cache verify > verify.txt 2>&1; echo "verify $?"
cp -r build whole
"#;

/// Fills a build root that has nothing yet, beside a cache that has all results; the first argument is its size.
const NEW_BUILD_ROOT: &str = r#"
program=$1; size=$2
mkdir disk
mount -t tmpfs -o "size=$size" small disk 2> mount.txt || exit 77
"$program" build --build-root disk/out --format json > first.txt 2> first.err; echo "first $?"
"$program" build --build-root disk/out > again.txt 2>&1; echo "again $?"
cp -r disk/out part
mount -o remount,size=50m disk || exit 77
"$program" build --build-root disk/out > second.txt 2>&1; echo "second $?"
"$program" build --build-root disk/out > third.txt 2>&1; echo "third $?"
cp -r disk/out whole
"#;

/// Fills the disk of a cache, fails to build there, and runs a command that is to help.
const HELP: &str = r#"
program=$1; help=$2
mkdir disk
mount -t tmpfs -o size=20m small disk 2> mount.txt || exit 77
export AXZOO_CACHE=disk/cache
"$program" build > first.txt 2>&1; echo "first $?"
mv model_cards/b.yaml model_cards/c.yaml .
head -c 50000 first.txt /dev/urandom > weights/a.onnx
cat /dev/zero > disk/fill 2> fill.txt
"$program" build > full.txt 2>&1; echo "full $?"
cat /dev/zero >> disk/fill 2> fill.txt
"$program" cache $help > help.txt 2>&1; echo "help $?"
"$program" build > second.txt 2>&1; echo "second $?"
mv b.yaml c.yaml model_cards
rm disk/fill
"$program" build > third.txt 2>&1; echo "third $?"
"$program" build > fourth.txt 2>&1; echo "fourth $?"
"$program" cache verify > verify.txt 2>&1; echo "verify $?"
"#;

/// Leaves no byte on the disk of the cache, where there is nothing to do but to read a file again.
const NOTHING_TO_DO: &str = r#"
program=$1
mkdir disk
mount -t tmpfs -o size=20m small disk 2> mount.txt || exit 77
export AXZOO_CACHE=disk/cache
"$program" build > first.txt 2>&1; echo "first $?"
cat /dev/zero > disk/fill 2> fill.txt
cat /dev/zero >> disk/fill 2> fill.txt
sleep 0.1; touch weights/a.onnx
"$program" build > again.txt 2>&1; echo "again $?"
"$program" cache gc > gc.txt 2>&1; echo "gc $?"
"#;

/// What a script says in a namespace where an ordinary user may mount; its first argument is the program. `None`, told, where
/// that cannot be had.
pub(crate) fn run_where_one_may_mount(space: &Space, script: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_axzoo")).args(arguments).current_dir(space.path(""));
    let Ok(run) = command.output() else {
        println!("skipped: there is no `unshare` here");
        return None;
    };
    if run.status.code() != Some(0) {
        println!("skipped: nothing can be mounted here: {}", String::from_utf8_lossy(&run.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&run.stdout).into_owned())
}

fn full_zoo() -> Space {
    let space = zoo(&["a", "b"]);
    for name in ["a", "b"] {
        space.write(&format!("weights/{name}.onnx"), vec![name.as_bytes()[0]; 100_000]);
    }
    space
}

#[test]
fn a_build_on_a_full_disk_says_so_and_is_right_when_there_is_space_again() {
    let expected = full_zoo();
    expected.axzoo("build").expect_code(0);
    let expected = expected.tree("build");
    for folders in [&["cache"][..], &["build"], &["cache", "build"]] {
        for size in ["40k", "150k", "300k", "450k"] {
            let space = full_zoo();
            let Some(codes) = run_where_one_may_mount(&space, SCRIPT, &[&[size], folders].concat()) else { return };
            let about = format!("{folders:?} of {size}");
            let first = space.read("first.txt");
            if codes.starts_with("first 1") {
                assert!(first.to_lowercase().contains("no space left on device"), "{about}: {first}");
            }
            let last = space.read("again.jsonl").lines().last().unwrap_or_default().to_owned();
            assert!(last.contains("\"event\":\"summary\""), "{about}: {last}{}", space.read("again.txt"));
            assert!(codes.starts_with("first 1") || size != "40k", "{about}: {first}");
            assert!(codes.ends_with("second 0\nthird 0\nverify 0\n"), "{about}: {codes}{}", space.read("second.txt"));
            assert!(space.read("third.txt").contains("up to date"), "{about}: {}", space.read("third.txt"));
            assert!(space.tree("whole") == expected, "{about}: the results are others");
        }
    }
}

#[test]
fn a_new_build_root_on_a_full_disk_is_not_taken_for_whole() {
    for size in ["20k", "48k", "100k"] {
        let space = zoo(&["a", "b", "c", "d", "e", "f"]);
        space.axzoo("build").expect_code(0);
        let expected = space.tree("build");
        let Some(codes) = run_where_one_may_mount(&space, NEW_BUILD_ROOT, &[size]) else { return };
        let first = space.read("first.txt");
        assert!(codes.starts_with("first 1\nagain 1\n"), "{size}: {codes}{first}{}", space.read("again.txt"));
        assert!(space.read("again.txt").contains("--build-root"), "{size}: {}", space.read("again.txt"));
        let summary: Value = serde_json::from_str(first.lines().last().unwrap_or_default()).expect("a summary");
        let part = space.tree("part");
        for network in ["a", "b", "c", "d", "e", "f"] {
            let steps = summary["steps"].as_array().expect("steps").iter().filter(|step| step["network"] == network);
            let is_said = steps.map(|step| &step["outcome"]).all(|outcome| outcome != "skipped" && outcome != "failed");
            let mut files = expected.iter().filter(|(file, _)| file.starts_with(&format!("{network}/")));
            let is_there = files.all(|(file, bytes)| part.get(file) == Some(bytes));
            assert!(is_there || !is_said, "{size}: `{network}` is not there, and nothing says so: {summary:#}");
        }
        assert!(codes.ends_with("second 0\nthird 0\n"), "{size}: {codes}{}", space.read("second.txt"));
        assert!(space.read("third.txt").contains("up to date"), "{size}: {}", space.read("third.txt"));
        assert!(space.tree("whole") == expected, "{size}: files are absent");
    }
}

#[test]
fn what_is_to_free_space_needs_none() {
    for help in ["gc", "clear"] {
        let space = zoo(&["a", "b", "c"]);
        for name in ["a", "b", "c"] {
            space.write(&format!("weights/{name}.onnx"), vec![name.as_bytes()[0]; 200_000]);
        }
        let Some(codes) = run_where_one_may_mount(&space, HELP, &[help]) else { return };
        let told =
            ["first", "full", "help", "second", "third", "fourth"].map(|name| space.read(&format!("{name}.txt")));
        assert_eq!(codes, "first 0\nfull 1\nhelp 0\nsecond 0\nthird 0\nfourth 0\nverify 0\n", "{help}: {told:#?}");
        assert!(space.read("fourth.txt").contains("up to date"), "{help}: {told:#?}");
    }
}

#[test]
fn where_there_is_nothing_to_do_a_full_disk_is_in_nobodys_way() {
    let space = full_zoo();
    let Some(codes) = run_where_one_may_mount(&space, NOTHING_TO_DO, &[]) else { return };
    let told = ["again", "gc"].map(|name| space.read(&format!("{name}.txt")));
    assert_eq!(codes, "first 0\nagain 0\ngc 0\n", "{told:#?}");
    assert!(told[0].contains("up to date") && told[1].contains("removed 0 results"), "{told:#?}");
}
