//! Places that cannot be written: a disk without a byte, one without a place for a further file, a folder of results that may not
//! be written. What earlier runs made stays, or what cannot be kept is named.

use super::made::{ended, names, report, space};
use crate::disk::run_where_one_may_mount;

/// Compiles on a small disk, and again once it has only so many bytes left.
const FULL: &str = r#"
program=$1; left=$2
mkdir disk
mount -t tmpfs -o size=2m small disk 2> mount.txt || exit 77
"$program" compile -i net.onnx -o disk/out > first.txt 2>&1; echo "first $?"
cp -r disk/out before
head -c "$left" /dev/zero > disk/left
cat /dev/zero > disk/fill 2> fill.txt
rm disk/left
"$program" compile -i net.onnx --aipu-cores 2 -o disk/out > full.txt 2>&1; echo "full $?"
cp -r disk/out out
rm disk/fill
"$program" compile -i net.onnx -o disk/out > again.txt 2>&1; echo "again $?"
cp -r disk/out again
"#;

#[test]
fn a_full_disk_before_anything_is_made_costs_no_earlier_result() {
    let mut stages = std::collections::BTreeSet::new();
    for left in ["0", "4096", "8192", "16384", "24576"] {
        let space = space();
        let Some(codes) = run_where_one_may_mount(&space, FULL, &[left]) else { return };
        let full = space.read("full.txt");
        assert_eq!(codes, "first 0\nfull 1\nagain 0\n", "{left}: {full}{}", space.read("again.txt"));
        assert!(full.contains("no space left on device"), "{left}: {full}");
        let [mut before, mut after] = ["before", "out"].map(|name| space.tree(name));
        for own in ["compilation_report.json", "compilation_log.txt"] {
            before.remove(own);
            after.remove(own);
        }
        assert!(before == after, "{left}: {:?}\n{full}", names(&space, "out"));
        if space.path("out/compilation_report.json").exists() {
            stages.insert(report(&space, "out")["stage"].as_str().unwrap_or_default().to_owned());
        }
        let log = space.read("out/compilation_log.txt");
        assert!(log.contains("results of an earlier run, if there are any, are as they were"), "{left}: {log}");
    }
    // With a little room it is the copy of the model that cannot be written, and with more the quantized one.
    for stage in ["arguments", "quantize", "write the quantized model"] {
        assert!(stages.contains(stage), "{stages:?}");
    }
}

/// Compiles on a disk that has room for so many files.
const FEW_FILES: &str = r#"
program=$1; files=$2
mkdir disk
mount -t tmpfs -o "size=20m,nr_inodes=$files" small disk 2> mount.txt || exit 77
"$program" compile -i net.onnx -o disk/out > said.txt 2>&1; echo "first $?"
mkdir -p out
[ ! -d disk/out ] || cp -r disk/out .
mount -o remount,nr_inodes=200 disk || exit 77
"$program" compile -i net.onnx -o disk/out > again.txt 2>&1; echo "again $?"
"#;

#[test]
fn results_of_stages_that_are_done_are_kept_or_told_to_be_lost_where_no_more_files_can_be_made() {
    let mut kept = Vec::new();
    for files in 3..44 {
        let space = space();
        let Some(codes) = run_where_one_may_mount(&space, FEW_FILES, &[&files.to_string()]) else { return };
        let said = space.read("said.txt");
        let is_there = space.path("out/quantized_model/quantized_model_manifest.json").exists();
        assert!(codes.ends_with("again 0\n"), "{files}: {codes}{}", space.read("again.txt"));
        if codes.starts_with("first 0") {
            break;
        }
        assert!(files < 43, "there is no end of it: {said}");
        let is_told = said.contains("are lost: ");
        if space.path("out/compilation_log.txt").exists() {
            let log = space.read("out/compilation_log.txt");
            assert_eq!(log.contains("quantize: done"), is_there || is_told, "{files}: {said}{log}");
        }
        if is_there {
            kept.push(files);
        }
    }
    assert!(!kept.is_empty(), "nothing is ever kept");
}

/// Compiles into a folder of results of which a part was made read-only.
const READ_ONLY: &str = r#"
program=$1; name=$2
"$program" compile -i net.onnx -o out > first.txt 2>&1; echo "first $?"
mv "out/$name" held; mkdir "out/$name"
mount -t tmpfs -o size=2m small "out/$name" 2> mount.txt || exit 77
cp -r held/. "out/$name"
mount -o remount,ro "out/$name" || exit 77
cp -r out before
"$program" compile -i net.onnx --aipu-cores 2 -o out > said.txt 2>&1; echo "second $?"
cp -r out after
"#;

#[test]
fn a_folder_of_results_that_may_not_be_written_is_found_before_anything_is_moved() {
    for name in ["input_model", "quantized_model", "compiled_model"] {
        let space = space();
        let Some(codes) = run_where_one_may_mount(&space, READ_ONLY, &[name]) else { return };
        let said = space.read("said.txt");
        assert_eq!(codes, "first 0\nsecond 1\n", "{name}: {said}");
        assert!(said.contains(&format!("`{name}` is a folder of the run, and nothing in it may be")), "{said}");
        let [mut before, mut after] = ["before", "after"].map(|name| space.tree(name));
        for own in ["compilation_report.json", "compilation_log.txt"] {
            assert!(before.remove(own).is_some() && after.remove(own).is_some());
        }
        assert!(before == after, "{name}: {:?}\n{said}", names(&space, "after"));
        assert_eq!(report(&space, "after")["status"], "INITIALIZE_CLI_ERROR");
        ended(&space, "other", space.axzoo("compile -i net.onnx -o other"), "SUCCEEDED");
    }
}
