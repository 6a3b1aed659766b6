//! A disk that is really full: a small file system in memory for the store, for the build root, for both. What a build could not
//! write it says, and with space again the next build is right.

use std::process::Command;

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
for folder in "$@"; do mount -o "remount,size=50m" "$folder" || exit 77; done
"$program" build -j 2 > second.txt 2>&1; echo "second $?"
"$program" build > third.txt 2>&1; echo "third $?"
"$program" cache verify > verify.txt 2>&1; echo "verify $?"
cp -r build whole
"#;

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
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"]);
            command.arg(env!("CARGO_BIN_EXE_axzoo")).arg(size).args(folders).current_dir(space.path(""));
            let Ok(run) = command.output() else {
                println!("skipped: there is no `unshare` here");
                return;
            };
            if run.status.code() != Some(0) {
                println!("skipped: nothing can be mounted here: {}", String::from_utf8_lossy(&run.stderr));
                return;
            }
            let codes = String::from_utf8_lossy(&run.stdout).into_owned();
            let about = format!("{folders:?} of {size}");
            let first = space.read("first.txt");
            if codes.starts_with("first 1") {
                assert!(first.to_lowercase().contains("no space left on device"), "{about}: {first}");
            }
            assert!(codes.starts_with("first 1") || size != "40k", "{about}: {first}");
            assert!(codes.ends_with("second 0\nthird 0\nverify 0\n"), "{about}: {codes}{}", space.read("second.txt"));
            assert!(space.read("third.txt").contains("up to date"), "{about}: {}", space.read("third.txt"));
            assert!(space.tree("whole") == expected, "{about}: the results are others");
        }
    }
}
