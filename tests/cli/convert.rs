//! `convert` over cards as people write them: the card and the TOML that come of it, byte for byte.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::space::Space;

/// A card of one model, `net`, up to the line `extra_kwargs:`, which the tail completes.
const HEAD: &str = "axelera-model-format: 1.0.0\nname: net\ndescription: d\npipeline: null\ndatasets: {}\nmodels:\n  net:\n    \
     class: X\n    class_path: m.py\n    weight_path: w.onnx\n    task_category: Classification\n    \
     input_tensor_layout: NCHW\n    input_tensor_shape: [1, 3, 2, 2]\n    input_color_format: RGB\n    extra_kwargs:";

/// The entry of another model.
const OTHER: &str = "  other:\n    class: X\n    class_path: m.py\n    weight_path: w.onnx\n    task_category: Classification\n    \
     input_tensor_layout: NCHW\n    input_tensor_shape: [1, 3, 2, 2]\n    input_color_format: RGB\n    extra_kwargs:";

struct Case {
    name: &'static str,
    /// Files besides the card; `configs/` is there when one lies in it.
    files: &'static [(&'static str, &'static str)],
    /// What stands behind `extra_kwargs:` before and after; `OTHER` is put in for `@`.
    before: &'static str,
    after: &'static str,
    /// More flags.
    flags: &'static str,
    /// Every new file.
    written: &'static [(&'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        name: "comments inside go into the file, those outside stay",
        files: &[],
        before: "\n      # before\n      compilation_config: # why\n        # about tiling\n        tiling_depth: 6\t# six\n\n        \
                 # tail\n\n      # after\n      num_cal_images: 7 # seven\n",
        after: "\n      # before\n      compiler_config_file: net.toml\n\n      # after\n      num_cal_images: 7 # seven\n",
        flags: "",
        written: &[("model_cards/net.toml", "# why\n# about tiling\ntiling_depth = 6  # six\n# tail\n")],
    },
    Case {
        name: "carriage returns, tabs in comments, and no line end at the end",
        files: &[],
        before: "\r\n      a: 1\t# \tx\r\n      compilation_config:\r\n        tiling_depth: 6 #\ty",
        after: "\r\n      a: 1\t# \tx\r\n      compiler_config_file: net.toml",
        flags: "",
        written: &[("model_cards/net.toml", "tiling_depth = 6  #\ty\n")],
    },
    Case {
        name: "flow style and quoted keys",
        files: &[("configs/other.toml", "")],
        before: " {a: 1, \"compilation_config\": {'tiling_depth': 6, enable_icr: false}, 'b': [x,  y]}\n",
        after: " {a: 1, compiler_config_file: ../configs/net.toml, 'b': [x,  y]}\n",
        flags: "",
        written: &[("configs/net.toml", "tiling_depth = 6\nenable_icr = false\n")],
    },
    Case {
        name: "floats, shares, quotes, backslashes, lists and nulls",
        files: &[],
        before: "\n      compilation_config:\n        aipu_cores_used: 1\n        resources_used: 1\n        mvm_utilization_limit: 0.5\n        \
                 output_dir: \"a\\\"b\\\\c\"\n        profiling_levels: [B, # first\n          T]\n        dfs_search_constraint: null\n        \
                 new_text: 'it''s \"x\"'\n        new_list: [1, 2.0, x]\n        new_null: ~ # nothing\n",
        after: "\n      compiler_config_file: net.toml\n",
        flags: "",
        written: &[(
            "model_cards/net.toml",
            "aipu_cores_used = 1\nresources_used = 1.0\nmvm_utilization_limit = 0.5\noutput_dir = \"a\\\"b\\\\c\"\n# first\n\
             profiling_levels = [\"B\", \"T\"]\nnew_text = \"it's \\\"x\\\"\"\nnew_list = [1, 2.0, \"x\"]\n# new_null = null  # nothing\n",
        )],
    },
    Case {
        name: "sections and old names come out in today's form, what has no successor where it was",
        files: &[],
        before: "\n      compilation_config:\n        quantization_config:\n          ptq_scheme: per_tensor_min_max\n        backend_config: # back\n          \
                 in_core_replication: False\n          io_pool: ddr # pool\n          target: qemu # target\n        subdevices: 2\n        \
                 some_new: {deep: {er: on}, list: [{a: 1}]}\n",
        after: "\n      compiler_config_file: net.toml\n",
        flags: "--no-exclude-defaults",
        written: &[(
            "model_cards/net.toml",
            "quantization_scheme = \"per_tensor_min_max\"\n# back\nenable_icr = false\nio_memory_pool = \"global.ddr\"  # pool\n\
             subdevices = 2\n\n[backend_config]\ntarget = \"qemu\"  # target\n\n[some_new.deep]\ner = true\n\n[some_new]\nlist = [{ a = 1 }]\n",
        )],
    },
    Case {
        name: "a default is dropped unless it has something to say",
        files: &[],
        before: "\n      max_compiler_cores: 4\n      compilation_config:\n        multicore_mode: multiprocess\n        resources_used: 1.0\n        \
                 quantization_scheme: per_tensor_histogram\n        tiling_depth: 1 # on purpose\n",
        after: "\n      max_compiler_cores: 4\n      compiler_config_file: net.toml\n",
        flags: "",
        written: &[(
            "model_cards/net.toml",
            "multicore_mode = \"multiprocess\"\nresources_used = 1.0\n# tiling_depth = 1  # on purpose\n",
        )],
    },
    Case {
        name: "nothing but defaults",
        files: &[],
        before: "\n      compilation_config:\n        tiling_depth: 1\n",
        after: "\n      compiler_config_file: net.toml\n",
        flags: "",
        written: &[("model_cards/net.toml", "# Every property has its documented default.\n")],
    },
    Case {
        name: "a base is merged and stays, null drops its key, a default hides its value",
        files: &[(
            "configs/net.toml",
            "# base\ntiling_depth = 3\ndfs_search_constraint = 2\nenable_icr = false\nnew = 1\n",
        )],
        before: "\n      compiler_config_file: net.toml # base\n      compilation_config:\n        tiling_depth: 1\n        \
                 dfs_search_constraint: null\n      last: 1\n",
        after: "\n      compiler_config_file: ../configs/net-merged.toml # base\n      last: 1\n",
        flags: "",
        written: &[("configs/net-merged.toml", "enable_icr = false\nnew = 1\n")],
    },
    Case {
        name: "boards: a block, a file under the general block, an empty block, and none",
        files: &[("configs/b.toml", "tiling_depth = 3\nenable_icr = false\n")],
        before: "\n      compilation_config: {tiling_depth: 6}\n      m2:\n        mvm_limitation: 57\n        compilation_config:\n          \
                 # small\n          tiling_depth: 2\n      pcie:\n        compiler_config_file: b.toml\n      europa: {compilation_config: {}}\n",
        after: "\n      compiler_config_file: ../configs/net.toml\n      m2:\n        mvm_limitation: 57\n        \
                compiler_config_file: ../configs/net-m2.toml\n      pcie:\n        compiler_config_file: ../configs/net-pcie.toml\n      \
                europa: {compiler_config_file: ../configs/net-europa.toml}\n",
        flags: "",
        written: &[
            ("configs/net.toml", "tiling_depth = 6\n"),
            ("configs/net-m2.toml", "# small\ntiling_depth = 2\n"),
            ("configs/net-pcie.toml", "tiling_depth = 6\nenable_icr = false\n"),
            ("configs/net-europa.toml", "# Every property has its documented default.\n"),
        ],
    },
    Case {
        name: "aliases and anchors that go together, a merge inside the block",
        files: &[],
        before: "\n      base: &base {enable_icr: false}\n      compilation_config: &cfg\n        <<: *base\n        tiling_depth: 6 # six\n@\n      \
                 compilation_config: *cfg # again\n",
        after: "\n      base: &base {enable_icr: false}\n      compiler_config_file: net.toml\n@\n      compiler_config_file: net-other.toml\n",
        flags: "",
        written: &[
            ("model_cards/net.toml", "enable_icr = false\ntiling_depth = 6  # six\n"),
            ("model_cards/net-other.toml", "enable_icr = false\ntiling_depth = 6  # six\n# again\n"),
        ],
    },
    Case {
        name: "models that share all their settings by an alias",
        files: &[],
        before: " &all\n      compilation_config: {tiling_depth: 6}\n@ *all\n",
        after: " &all\n      compiler_config_file: net.toml\n@ *all\n",
        flags: "",
        written: &[("model_cards/net.toml", "tiling_depth = 6\n")],
    },
    Case {
        name: "one file for equal settings, with the comments of all",
        files: &[("configs/x.toml", "")],
        before: "\n      compilation_config: {tiling_depth: 6, enable_icr: false}\n@\n      compilation_config:\n        enable_icr: false # slow\n        \
                 tiling_depth: 6\n",
        after: "\n      compiler_config_file: ../configs/net.toml\n@\n      compiler_config_file: ../configs/net.toml\n",
        flags: "--share",
        written: &[("configs/net.toml", "tiling_depth = 6\nenable_icr = false  # slow\n")],
    },
    Case {
        name: "a folder of one's own",
        files: &[],
        before: "\n      compilation_config: {tiling_depth: 6}\n",
        after: "\n      compiler_config_file: ../a/b/net.toml\n",
        flags: "--output-dir a/b",
        written: &[("a/b/net.toml", "tiling_depth = 6\n")],
    },
    Case {
        name: "a file of one's own",
        files: &[],
        before: "\n      compilation_config: {tiling_depth: 6}\n",
        after: "\n      compiler_config_file: '../my file.toml'\n",
        flags: "-o my|file.toml",
        written: &[("my file.toml", "tiling_depth = 6\n")],
    },
];

fn space(case: &Case) -> Space {
    let space = Space::empty();
    for (name, text) in case.files {
        space.write(name, text);
    }
    space.write("model_cards/net.yaml", whole(case.before));
    space
}

fn whole(tail: &str) -> String {
    let text = format!("{HEAD}{}", tail.replace('@', OTHER));
    if tail.contains('\r') { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
}

/// Runs the program with arguments, a `|` standing for a blank in one.
fn run(space: &Space, arguments: &str) -> crate::space::Run {
    let mut command = space.command("");
    command.args(arguments.split_whitespace().map(|argument| argument.replace('|', " ")));
    crate::space::Run::from(command.output().expect("the program runs"))
}

#[test]
fn cards_and_files_come_out_byte_for_byte() {
    for case in CASES {
        let space = space(case);
        let before = space.tree(".");
        let shown = run(&space, &format!("convert net --dry-run --in-place {}", case.flags)).expect_code(0);
        assert_eq!(space.tree("."), before, "{}: a dry run wrote", case.name);
        let run_again = |flags: &str| run(&space, &format!("convert all {flags} {}", case.flags)).expect_code(0);
        run_again("");
        assert_eq!(space.read("model_cards/net.yaml"), whole(case.before), "{}: the card was edited", case.name);
        run_again("--in-place");
        let mut expected = before.clone();
        expected.insert("model_cards/net.yaml".to_owned(), whole(case.after).into_bytes());
        for (name, text) in case.written {
            expected.insert((*name).to_owned(), text.as_bytes().to_vec());
        }
        let text = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
            let one = |(name, bytes): (&String, &Vec<u8>)| format!("{name}:\n{}", String::from_utf8_lossy(bytes));
            files.iter().map(one).collect::<Vec<_>>()
        };
        let after = space.tree(".");
        assert_eq!(text(&after), text(&expected), "{}", case.name);
        run_again("--in-place").says("nothing to convert");
        assert_eq!(space.tree("."), after, "{}: a second run wrote", case.name);
        patch_makes_the_same(case, &shown.stdout, &after);
        python_reads(&space, case.written.iter().map(|(name, _)| *name));
    }
}

/// `git apply` of the dry run's output does what the run did.
fn patch_makes_the_same(case: &Case, diff: &str, after: &std::collections::BTreeMap<String, Vec<u8>>) {
    let fresh = space(case);
    fresh.write("the.diff", diff);
    let Ok(output) = Command::new("git").args(["apply", "the.diff"]).current_dir(fresh.path(".")).output() else {
        println!("skipped: there is no git");
        return;
    };
    assert!(output.status.success(), "{}: {}\n{diff}", case.name, String::from_utf8_lossy(&output.stderr));
    fs::remove_file(fresh.path("the.diff")).expect("removed");
    assert_eq!(&fresh.tree("."), after, "{}", case.name);
}

/// Python's own TOML reader takes every file.
fn python_reads<'a>(space: &Space, names: impl Iterator<Item = &'a str>) {
    let script = "import sys\ntry:\n    import tomllib\nexcept ImportError:\n    print('none'); sys.exit()\n\
                  for name in sys.argv[1:]:\n    tomllib.load(open(name, 'rb'))\n";
    let output = Command::new("python3").args(["-c", script]).args(names.map(|name| space.path(name))).output();
    match output {
        Ok(output) if output.stdout.is_empty() => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        _ => println!("skipped: there is no tomllib"),
    }
}

/// What cannot be converted: files, `extra_kwargs`, arguments, the exit code, and what is said.
type Refusal = (&'static [(&'static str, &'static str)], &'static str, &'static str, i32, &'static [&'static str]);

#[test]
fn what_cannot_be_converted_says_why_and_leaves_everything() {
    let block = "\n      compilation_config: {tiling_depth: 6}\n";
    let cases: &[Refusal] = &[
        (
            &[("model_cards/net.toml", "tiling_depth = 5\n")],
            block,
            "all --in-place",
            1,
            &["convert/exists", "`model_cards/net.toml`", "--force"],
        ),
        (
            &[],
            "\n      m2: {compilation_config: {}}\n      compilation_config: {}\n",
            "all -o x.toml",
            1,
            &["2 to write"],
        ),
        (&[], "\n      compilation_config: {tiling_depht: 6}\n", "all --in-place", 1, &["did you mean `tiling_depth`"]),
        (
            &[],
            "\n      compiler_config_file: absent.toml\n      compilation_config: {tiling_depth: 6}\n",
            "all --in-place",
            1,
            &["config/missing-file"],
        ),
        (
            &[],
            "\n      compilation_config: &cfg {tiling_depth: 6}\n      elsewhere: *cfg\n",
            "all --in-place",
            1,
            &["convert/place", "`*cfg` in line 17", "write the settings out"],
        ),
        (
            &[],
            "\n      base: &base {compilation_config: {tiling_depth: 6}}\n@\n      <<: *base\n",
            "all --in-place",
            1,
            &["convert/place", "merge key"],
        ),
        (&[], "\n      compilation_config: {x: [1, null]}\n", "all --in-place", 1, &["convert/not-toml", "null"]),
        (&[("a.json", "{}")], block, "a.json --in-place", 2, &["JSON file names no models"]),
        (&[("a.json", "{}")], block, "a.json all", 2, &["separate commands"]),
        (&[("a.json", "{\"tiling_depht\": 1}")], block, "a.json", 1, &["did you mean"]),
        (&[("a.json", "{\"a\": 1,}")], block, "a.json", 1, &["not JSON"]),
        (&[("a.json", "{\"tiling_depth\": 99999999999999999999}")], block, "a.json", 1, &["too large for 64 bits"]),
        (&[("a.json", "{\"new\": [{\"a\": null}]}")], block, "a.json --allow-keys new", 1, &["`new` has null in it"]),
        (&[], block, "nothing", 2, &["there is no network `nothing`"]),
        (&[], block, "", 2, &["TARGET"]),
    ];
    for (files, tail, arguments, code, says) in cases {
        let space = Space::empty();
        space.write("model_cards/net.yaml", whole(tail));
        for (name, text) in *files {
            space.write(name, text);
        }
        let before = space.tree(".");
        let mut found = run(&space, &format!("convert {arguments}")).expect_code(*code);
        for text in *says {
            found = found.says(text);
        }
        assert_eq!(space.tree("."), before, "{tail}: something was written");
    }
}

#[test]
fn a_card_that_is_refused_does_not_hide_the_others() {
    let space = Space::empty();
    space.write("model_cards/net.yaml", whole("\n      compilation_config: &c {tiling_depth: 6}\n      x: *c\n"));
    let good = whole("\n      compilation_config: {tiling_depth: 5}\n").replace("name: net", "name: good");
    space.write("model_cards/good.yaml", good);
    run(&space, "convert all --in-place").expect_code(1).says("convert/place").says("1 card edited");
    assert_eq!(space.read("model_cards/good-net.toml"), "tiling_depth = 5\n");
    assert!(!space.path("model_cards/net.toml").exists());
}

#[test]
fn a_file_is_replaced_only_by_force_and_never_one_that_a_card_names() {
    let space = Space::empty();
    space.write("configs/net.toml", "tiling_depth = 5\n");
    space.write("model_cards/net.yaml", whole("\n      compilation_config: {tiling_depth: 6}\n"));
    run(&space, "convert net --force").expect_code(0);
    assert_eq!(space.read("configs/net.toml"), "tiling_depth = 6\n");
    // Another card names it now: what is written to it would change that card.
    let other = whole("\n      compiler_config_file: net.toml\n").replace("name: net", "name: user");
    space.write("model_cards/user.yaml", other);
    space.write("configs/net.toml", "tiling_depth = 5\n");
    run(&space, "convert net -o configs/net.toml --force").expect_code(1).says("convert/not-equal").says("user");
    assert_eq!(space.read("configs/net.toml"), "tiling_depth = 5\n");
    run(&space, "convert net --in-place --force").expect_code(0);
    assert_eq!(space.read("configs/net.toml"), "tiling_depth = 5\n");
    assert_eq!(space.read("configs/net-merged.toml"), "tiling_depth = 6\n");
}

#[test]
fn one_model_of_a_network_is_converted_alone() {
    let space = Space::empty();
    let tail = "\n      compilation_config: {tiling_depth: 6}\n@\n      compilation_config: {tiling_depth: 5}\n";
    space.write("model_cards/net.yaml", whole(tail));
    run(&space, "convert net/other --in-place").expect_code(0);
    let expected =
        whole(&tail.replace("compilation_config: {tiling_depth: 5}", "compiler_config_file: net-other.toml"));
    assert_eq!(space.read("model_cards/net.yaml"), expected);
    assert!(!space.path("model_cards/net.toml").exists());
}

#[test]
fn a_linked_card_is_edited_where_it_is_and_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let space = Space::empty();
    space.write("elsewhere/real.yaml", whole("\n      compilation_config: {tiling_depth: 6}\n"));
    fs::set_permissions(space.path("elsewhere/real.yaml"), fs::Permissions::from_mode(0o640)).expect("set");
    fs::create_dir_all(space.path("model_cards")).expect("created");
    symlink("../elsewhere/real.yaml", space.path("model_cards/net.yaml")).expect("linked");
    run(&space, "convert net --in-place").expect_code(0);
    assert!(space.path("model_cards/net.yaml").is_symlink());
    assert_eq!(space.read("elsewhere/real.yaml"), whole("\n      compiler_config_file: net.toml\n"));
    assert_eq!(space.read("model_cards/net.toml"), "tiling_depth = 6\n");
    let mode = fs::metadata(space.path("elsewhere/real.yaml")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn json_and_a_card_outside_any_zoo_are_converted() {
    let space = Space::empty();
    let json = "{\n  \"tiling_depth\": 6,\n  \"ptq_scheme\": \"per_tensor_min_max\",\n  \"resources_used\": 1,\n  \
                \"backend_config\": {\"in_core_replication\": false, \"target\": \"a\\\\b\"},\n  \"dfs_search_constraint\": null, \"x\": 1e5}\n";
    space.write("conf.json", json);
    run(&space, "convert conf.json").expect_code(0);
    space.write("marked.json", format!("\u{feff}{json}"));
    run(&space, "convert marked.json").expect_code(0);
    assert_eq!(space.read("marked.toml"), space.read("conf.toml"));
    let expected = "tiling_depth = 6\nquantization_scheme = \"per_tensor_min_max\"\nresources_used = 1.0\nenable_icr = false\n\
                    x = 100000.0\n\n[backend_config]\ntarget = \"a\\\\b\"\n";
    assert_eq!(space.read("conf.toml"), expected);
    run(&space, "convert conf.json -o out/mine.toml").expect_code(0);
    assert_eq!(space.read("out/mine.toml"), expected);
    python_reads(&space, ["conf.toml"].into_iter());
    let card = whole("\n      compilation_config: {tiling_depth: 6}\n");
    space.write("some/card.yaml", &card);
    run(&space, "convert --from-yaml some/card.yaml").expect_code(0);
    assert_eq!(space.read("some/net.toml"), "tiling_depth = 6\n");
    assert_eq!(space.read("some/card.yaml"), card);
    space.write("some/net.toml", "# mine\n");
    run(&space, "convert --from-yaml some/card.yaml").expect_code(1).says("convert/exists");
    run(&space, "convert --from-yaml some/card.yaml -o x.toml --in-place").expect_code(0);
    assert_eq!(space.read("some/card.yaml"), whole("\n      compiler_config_file: ../x.toml\n"));
}

/// The folder of real cards.
fn shared() -> Option<std::path::PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let found = std::env::var_os("AXZOO_SHARED").map_or(beside, std::path::PathBuf::from).join("cards");
    if found.is_dir() {
        return Some(found);
    }
    println!("skipped: there are no real cards at {}", found.display());
    None
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("readable").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).expect("readable")).expect("written");
        }
    }
}

/// What `check` says, without places: `code severity network model`, and messages but for those that name old names, which
/// vanish: today's names are in the files.
fn checked(space: &Space) -> Vec<String> {
    let run = space.axzoo("check --cards ax_models --format json");
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let one =
        |it: &Value| format!("{} {} {} {} {}", it["code"], it["severity"], it["network"], it["model"], it["message"]);
    let mut lines: Vec<String> = found["diagnostics"].as_array().expect("a list").iter().map(one).collect();
    lines.retain(|line| !line.contains("config/old-section") && !line.contains("config/old-name"));
    lines.sort();
    lines
}

#[test]
fn real_cards_change_in_their_blocks_only() {
    let Some(cards) = shared() else { return };
    let git = |space: &Space, arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "core.autocrlf=false"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(space.path(".")).output();
        String::from_utf8_lossy(&output.expect("git runs").stdout).into_owned()
    };
    for version in ["voyager-1.2.5", "voyager-1.6"] {
        if !cards.join(version).is_dir() {
            println!("skipped: there are no cards of {version}");
            continue;
        }
        let space = Space::empty();
        copy(&cards.join(version), &space.path("."));
        git(&space, &["init", "-q"]);
        git(&space, &["add", "-A"]);
        git(&space, &["commit", "-qm", "cards"]);
        let before = checked(&space);
        space.axzoo("convert all --in-place --cards ax_models").expect_code(0);
        assert_eq!(checked(&space), before, "{version}");
        let diff = git(&space, &["diff", "-U0"]);
        let mut removed = 0;
        for hunk in diff.split("\n@@ ").skip(1) {
            let lines: Vec<&str> = hunk.lines().skip(1).take_while(|line| line.starts_with(['-', '+'])).collect();
            let block: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix('-')).collect();
            let added: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix('+')).collect();
            let first = block.first().expect("a hunk removes a block");
            assert!(first.trim_start().starts_with("compilation_config:"), "{hunk}");
            let indentation = |line: &str| line.len() - line.trim_start().len();
            assert!(block.iter().skip(1).all(|line| indentation(line) > indentation(first)), "{hunk}");
            assert!(matches!(added[..], [line] if line.trim_start().starts_with("compiler_config_file: ")), "{hunk}");
            removed += 1;
        }
        let status = git(&space, &["status", "--short", "-uall"]);
        let new: Vec<&str> = status.lines().filter_map(|line| line.strip_prefix("?? ")).collect();
        assert_eq!(new.len(), removed, "{version}: a file for each block\n{status}");
        assert!(version != "voyager-1.2.5" || removed >= 20, "{version}: only {removed} blocks");
        python_reads(&space, new.iter().copied());
        let tree = space.tree("ax_models");
        space.axzoo("convert all --in-place --cards ax_models").expect_code(0).says("nothing to convert");
        assert_eq!(space.tree("ax_models"), tree, "{version}: the second run wrote");
    }
}

#[test]
fn a_card_is_never_what_a_toml_replaces() {
    let space = Space::only("digits-minmax");
    space.write("conf.json", "{\"tiling_depth\": 3}");
    std::os::unix::fs::symlink(space.path("model_cards/digits-minmax.yaml"), space.path("link.toml")).expect("linked");
    let before = space.tree(".");
    for arguments in [
        "convert digits-minmax -o model_cards/digits-minmax.yaml --force",
        "convert --from-yaml model_cards/digits-minmax.yaml -o model_cards/digits-minmax.yaml --force",
        "convert all --in-place -o link.toml --force",
        "convert conf.json -o conf.json --force",
    ] {
        space.axzoo(arguments).expect_code(2).says("usage/arguments").says("`.toml`");
    }
    assert_eq!(space.tree("."), before);
}
