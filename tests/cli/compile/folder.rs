//! The folder of results: one run's and no other's, whatever happens.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use axzoo::compiler::onnx::proto::{GraphProto, TensorProto, ValueInfoProto};

use super::made::{ended, json, model, names, node, planar, report, space, with_photos};
use crate::space::{Run, Space};

#[test]
fn foreign_files_stay_and_stale_ones_of_ours_go() {
    let space = space();
    space.write("out/mine.txt", "mine");
    space.write("out/compiled_model/labels.txt", "mine too");
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    let first = names(&space, "out");
    space.axzoo("compile -i net.onnx --quantize-only -o out").expect_code(0);
    let second = names(&space, "out");
    assert!(first.contains(&"compiled_model/manifest.json".to_owned()));
    let compiled: Vec<&String> = second.iter().filter(|name| name.starts_with("compiled_model/")).collect();
    assert_eq!(compiled, ["compiled_model/labels.txt"]);
    assert_eq!(space.read("out/mine.txt"), "mine");
    assert_eq!(report(&space, "out")["message"].as_str().map(|text| text.starts_with("quantized;")), Some(true));
}

#[test]
fn a_failed_run_leaves_what_its_stages_made_and_wrong_arguments_leave_everything() {
    let space = space();
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    let before = space.tree("out/compiled_model");
    space.axzoo("compile -i net.onnx --input-shape 0 -o out").expect_code(1);
    assert_eq!(space.tree("out/compiled_model"), before);
    assert_eq!(report(&space, "out")["status"], "INITIALIZE_CLI_ERROR");
    space.write("bad.onnx", "no model");
    space.axzoo("compile -i bad.onnx -o out").expect_code(1);
    assert_eq!(names(&space, "out"), ["cli_args.json", "compilation_log.txt", "compilation_report.json", "conf.json"]);
    assert_eq!(report(&space, "out")["status"], "ONNX_GRAPH_CLEANER_ERROR");
}

#[test]
fn what_is_given_is_never_removed_also_where_results_go() {
    let space = space();
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    let model = space.tree("out")["input_model/fp32_model.onnx"].clone();
    let typed = "compile -i out/input_model/fp32_model.onnx --conf out/conf.json --cli-args out/cli_args.json -o out";
    ended(&space, "out", space.axzoo(typed), "SUCCEEDED");
    assert_eq!(space.tree("out")["input_model/fp32_model.onnx"], model);
    // The model that fails is still there afterwards.
    space.write("out/input_model/fp32_model.onnx", "no model");
    ended(&space, "out", space.axzoo(typed), "ONNX_GRAPH_CLEANER_ERROR");
    assert_eq!(space.read("out/input_model/fp32_model.onnx"), "no model");
    // A folder that is a file, and the model itself as the folder.
    space.axzoo("compile -i net.onnx -o net.onnx").expect_code(1).says("is a file");
}

#[test]
fn a_folder_of_somebody_else_keeps_its_files() {
    let space = space();
    let files = ["conf.json", "compilation_report.json", "compilation_log.txt", "quantized_model/report.json"];
    for (place, file) in files.into_iter().enumerate() {
        let folder = format!("mine{place}");
        space.write(&format!("{folder}/{file}"), "{\"mine\": true}");
        let before = space.tree(&folder);
        space.axzoo(&format!("compile -i net.onnx -o {folder}")).expect_code(1).says(file).says("move it away");
        assert_eq!(space.tree(&folder), before, "{file}");
    }
    // A report of any run is the mark of a folder of results, also of the vendor's compiler.
    space.write("vendor/conf.json", "{}");
    space.write("vendor/compilation_report.json", "{\"status\": \"QTOOLS_ERROR\"}");
    space.axzoo("compile -i net.onnx -o vendor").expect_code(0);
    // Where there was no room for a report, the arguments are.
    fs::remove_file(space.path("vendor/compilation_report.json")).expect("removed");
    space.axzoo("compile -i net.onnx -o vendor").expect_code(0);
}

#[test]
fn a_folder_of_results_that_is_not_there_or_not_taken_is_told() {
    let space = space();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", space.path("link")).expect("linked");
        let run = space.axzoo("compile -i net.onnx -o link").expect_code(1);
        run.says("`link` is a link to what does not exist").says("make the folder that it leads to");
    }
    space.write("c.toml", "output_dir = \"elsewhere\"\n");
    space.axzoo("compile -i net.onnx --conf c.toml -o out").expect_code(0);
    let log = space.read("out/compilation_log.txt");
    assert!(log.contains("`output_dir` has no effect: `--output` names"), "{log}");
    assert!(!space.path("elsewhere").exists());
}

#[test]
fn a_configuration_among_the_results_is_not_replaced_by_another() {
    let space = space();
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    let before = space.tree("out/compiled_model");
    let own = "{ \"tiling_depth\": 6 }  ";
    space.write("out/conf.json", own);
    let run = space.axzoo("compile -i net.onnx --conf out/conf.json -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR")
        .says("keep it under another name")
        .says("this one does not have ");
    assert_eq!(space.read("out/conf.json"), own);
    assert_eq!(space.tree("out/compiled_model"), before);
    space.axzoo("compile -i net.onnx --conf out/conf.json -o other").expect_code(0);
    let whole = space.read("other/conf.json");
    let typed = "compile -i net.onnx --conf other/conf.json -o other";
    space.write("other/conf.json", whole.replace("  ", " "));
    ended(&space, "other", space.axzoo(typed), "INITIALIZE_CLI_ERROR").says("the same values in another order");
    space.write("other/conf.json", &whole);
    let run = space.axzoo(&format!("{typed} --aipu-cores 2"));
    ended(&space, "other", run, "INITIALIZE_CLI_ERROR").says("this one has other values of `aipu_cores_used`");
    // One that was edited as it stands says what the run would write.
    let edited = space.read("other/conf.json").replace("\"tiling_depth\": 6", "\"tiling_depth\": 3");
    space.write("out/conf.json", &edited);
    space.axzoo("compile -i net.onnx --conf out/conf.json -o out").expect_code(0);
    assert_eq!(space.read("out/conf.json"), edited);
}

#[test]
fn a_model_with_tensors_beside_it_is_copied_whole() {
    let space = space();
    let mut model =
        <axzoo::compiler::onnx::proto::ModelProto as prost::Message>::decode(planar(&[1, 3, 8, 8]).as_slice())
            .expect("our own model");
    let weights = &mut model.graph.as_mut().expect("a graph").initializer[0];
    space.write("big/w.bin", &weights.raw_data);
    weights.raw_data.clear();
    weights.data_location = 1;
    let entry = axzoo::compiler::onnx::proto::StringStringEntryProto { key: "location".into(), value: "w.bin".into() };
    weights.external_data = vec![entry];
    space.write("big/net.onnx", prost::Message::encode_to_vec(&model));
    space.axzoo("compile -i big/net.onnx -o out").expect_code(0);
    assert_eq!(names(&space, "out/input_model"), ["fp32_model.onnx", "w.bin"]);
    space.axzoo("compile -i out/input_model/fp32_model.onnx -o again").expect_code(0);
    assert_eq!(space.tree("out/compiled_model"), space.tree("again/compiled_model"));
    // What lay beside the copy goes with it.
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    assert_eq!(names(&space, "out/input_model"), ["fp32_model.onnx"]);
}

/// A small file system on `full`, for as long as it lives; `None` where this user may not mount one.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(space: &Space, size: &str) -> Option<Self> {
        let folder = space.path("full");
        fs::create_dir_all(&folder).expect("created");
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&folder).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: a small file system cannot be mounted here");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_no_good_report() {
    let space = space();
    for size in ["8k", "16k", "24k", "40k"] {
        let Some(small) = Small::mount(&space, size) else { return };
        let run = space.axzoo("compile -i net.onnx -o full");
        let text = fs::read_to_string(small.0.join("compilation_report.json")).unwrap_or_default();
        assert_eq!(run.code, 1, "{size}: {} {}", run.stdout, run.stderr);
        assert!(!text.contains("SUCCEEDED"), "{size}: {text}");
        assert!(run.stderr.contains("o space left"), "{size}: {}", run.stderr);
        // There is no cache of a zoo that could be emptied.
        assert!(run.stderr.contains("`-o`") && !run.stderr.contains("cache"), "{size}: {}", run.stderr);
        assert!(names(&space, "full").iter().all(|name| !name.contains(".tmp")), "{size}");
    }
}

#[test]
fn a_disk_that_is_full_before_lowering_is_no_fault_of_a_stage() {
    let space = space();
    let weights: Vec<f32> = (0..49_152).map(|place| (place as f32).sin()).collect();
    space.write(
        "large.onnx",
        model(GraphProto {
            node: vec![node("Conv", &["x", "w"], "y")],
            initializer: vec![TensorProto::from_f32("w", &[16_384, 3, 1, 1], &weights)],
            input: vec![ValueInfoProto::tensor("x", 1, &[1, 3, 4, 4])],
            output: vec![ValueInfoProto::tensor("y", 1, &[])],
            ..GraphProto::default()
        }),
    );
    space.axzoo("compile -i large.onnx --quantize-only -o q").expect_code(0);
    let Some(_small) = Small::mount(&space, "48k") else { return };
    let run = space.axzoo("compile -i q/quantized_model/quantized_model_manifest.json -o full");
    ended(&space, "full", run, "TOP_LEVEL_LOWER_ERROR").says("o space left");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let space = space();
    space.write("file", "a file");
    space.axzoo("compile -i net.onnx -o file/out").expect_code(1).says("compile/output");
    space.axzoo("compile -i net.onnx -o /proc/axzoo").expect_code(1).says("compile/output");
}

/// A model whose quantization takes a while: many images, each decoded anew.
fn slow() -> Space {
    let space = with_photos(24);
    space.write("slow.onnx", planar(&[1, 3, 160, 160]));
    space
}

fn wait_until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_mins(1), "it does not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_working(folder: &Path, part: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut work = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"));
    work.any(|entry| entry.path().join(part).exists())
}

fn interrupt(id: u32) {
    let id = rustix::process::Pid::from_raw(i32::try_from(id).expect("a small number")).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is running");
}

#[test]
fn an_interrupted_run_ends_with_130_and_no_good_report() {
    for part in ["", "clean", "quantized"] {
        let space = slow();
        space.axzoo("compile -i net.onnx -o out").expect_code(0);
        let mut command = space.command("compile -i slow.onnx --imageset photos -o out");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        wait_until(|| is_working(&space.path("out"), part));
        interrupt(child.id());
        let run = Run::from(child.wait_with_output().expect("it ends")).expect_code(130);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        let found = report(&space, "out");
        assert_eq!(found["status"], "TOP_LEVEL_QUANTIZE_ERROR", "{part}: {found:#}");
        assert!(!space.path("out/compiled_model").exists(), "{part}");
        assert!(names(&space, "out").iter().all(|name| !name.contains(".tmp")), "{part}");
    }
}

#[test]
fn a_killed_run_leaves_the_folder_as_it_was_and_the_next_one_cleans_up() {
    let space = slow();
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    let before = space.tree("out");
    let mut child = space
        .command("compile -i slow.onnx --imageset photos -o out")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    wait_until(|| is_working(&space.path("out"), "quantized"));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let mut after = space.tree("out");
    after.retain(|name, _| !name.contains(".tmp"));
    assert_eq!(after, before);
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    assert!(names(&space, "out").iter().all(|name| !name.contains(".tmp")));
}

#[test]
fn two_runs_never_share_a_folder() {
    let space = slow();
    let mut first = space
        .command("compile -i slow.onnx --imageset photos -o out")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    wait_until(|| is_working(&space.path("out"), ""));
    space.axzoo("compile -i net.onnx -o out").expect_code(1).says("another `axzoo compile` writes to `out`");
    assert!(first.wait().expect("it ends").success());
    assert_eq!(report(&space, "out")["status"], "SUCCEEDED");
    assert_eq!(json(&space, "out/compiled_model/model.json")["inputs"][0]["shape"][2], 160);
}

#[test]
fn a_quantized_model_among_the_results_keeps_what_it_was_made_from() {
    let space = space();
    space.axzoo("compile -i net.onnx --quantize-only -o out").expect_code(0);
    let before = space.tree("out");
    let typed = "compile -i out/quantized_model/quantized_model_manifest.json -o out";
    ended(&space, "out", space.axzoo(typed), "SUCCEEDED");
    let after = space.tree("out");
    for (name, bytes) in before.iter().filter(|(name, _)| name.contains("_model/")) {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
    assert!(after.contains_key("compiled_model/manifest.json"));
    // As a failure does.
    let conf = "l1_constraint = 524600\n";
    space.write("c.toml", conf);
    ended(&space, "out", space.axzoo(&format!("{typed} --conf c.toml")), "FRONTEND_TO_MIDEND_ERROR");
    assert_eq!(space.tree("out").get("input_model/fp32_model.onnx"), before.get("input_model/fp32_model.onnx"));
}

/// A key of the configuration that names a file to write, what it is given, and what is said of it.
const PLACES: &[(&str, &str, &str)] = &[
    ("graph_cleaner_dump_core_onnx", "../net.onnx", "found `../net.onnx`"),
    ("graph_cleaner_dump_full_opt_onnx", "a/../../net.onnx", "expected a plain path of a file"),
    ("model_debug_save_dir", "..", "expected a plain path of a folder"),
    ("graph_cleaner_dump_core_onnx", "", "found ``"),
    ("model_debug_save_dir", "", "found ``"),
    ("graph_cleaner_dump_core_onnx", "/tmp/axzoo/net.onnx", "found `/tmp/"),
    ("graph_cleaner_dump_core_onnx", "a\\\\b.onnx", "expected a plain path"),
    ("graph_cleaner_dump_core_onnx", "conf.json", "`conf.json` is the run's own"),
    ("graph_cleaner_dump_core_onnx", "Compilation_Log.txt", "is the run's own"),
    ("graph_cleaner_dump_core_onnx", "debug_files.json", "is the run's own"),
    ("graph_cleaner_dump_core_onnx", "compiled_model/mine.onnx", "`compiled_model` is the run's own"),
    ("model_debug_save_dir", "quantized_model", "`quantized_model` is the run's own"),
    ("graph_cleaner_dump_core_onnx", "mine.txt", "`mine.txt` is there, and is not what a run"),
    ("graph_cleaner_dump_core_onnx", "mine.txt/core.onnx", "`mine.txt` is a file"),
    ("graph_cleaner_dump_core_onnx", "mine", "`mine` is a folder"),
    ("graph_cleaner_dump_core_onnx", "photos/00.png", "`photos/00.png` is there and was given"),
    ("model_debug_save_dir", "mine", "`mine/quantized_model.onnx` is there"),
];

#[test]
fn a_file_that_is_asked_for_replaces_nothing_that_a_run_did_not_write() {
    let space = with_photos(2);
    space.write("out/mine.txt", "mine");
    space.write("out/mine/quantized_model.onnx", "mine");
    fs::rename(space.path("photos"), space.path("out/photos")).expect("moved");
    let before = space.tree(".");
    for (key, value, says) in PLACES {
        space.write("asks.json", format!("{{\"{key}\": \"{value}\"}}"));
        let run = space.axzoo("compile -i net.onnx --imageset out/photos --conf asks.json -o out");
        ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says(says).says(&format!("`{key}`")).says("asks.json:1:");
        let mut after = space.tree(".");
        for own in ["asks.json", "out/compilation_log.txt", "out/compilation_report.json"] {
            after.remove(own);
        }
        assert_eq!(after, before, "{key} = {value}");
    }
}

#[test]
fn files_that_are_asked_for_are_of_the_last_run() {
    let space = space();
    let both = "{\"graph_cleaner_dump_core_onnx\": \"d/a.onnx\", \"model_debug_save_dir\": \"d/m\"}";
    space.write("both.json", both);
    space.write("twice.json", both.replace("d/m", "d/a.onnx"));
    let run = space.axzoo("compile -i net.onnx --conf twice.json -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("where `graph_cleaner_dump_core_onnx` writes too");
    for _ in 0..2 {
        ended(&space, "out", space.axzoo("compile -i net.onnx --conf both.json -o out"), "SUCCEEDED");
        assert_eq!(names(&space, "out/d"), ["a.onnx", "m/clean_model.onnx", "m/quantized_model.onnx"]);
    }
    // One that was changed since is no longer ours.
    space.write("out/d/a.onnx", "mine");
    let run = space.axzoo("compile -i net.onnx --conf both.json -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("`d/a.onnx` is there");
    ended(&space, "out", space.axzoo("compile -i net.onnx -o out"), "SUCCEEDED");
    assert_eq!(names(&space, "out/d"), ["a.onnx"]);
    assert_eq!(space.read("out/d/a.onnx"), "mine");
    // A quantized model is not cleaned any more.
    let run = space.axzoo("compile -i out/quantized_model/quantized_model_manifest.json --conf both.json -o again");
    ended(&space, "again", run, "SUCCEEDED");
    assert!(!space.path("again/d").exists());
    let ignored = json(&space, "again/compiled_model/report.json")["ignored_properties"].clone();
    for key in ["graph_cleaner_dump_core_onnx", "model_debug_save_dir"] {
        assert!(ignored.as_array().is_some_and(|list| list.iter().any(|it| it["property"] == key)), "{ignored}");
        assert!(space.read("again/compilation_log.txt").contains(&format!("`{key}` has no effect")));
    }
}

#[test]
fn what_is_in_the_way_of_report_log_and_folders_is_found_before_any_work() {
    for name in ["compilation_log.txt", "compilation_report.json", "error_artifact.zip"] {
        let space = space();
        space.write(&format!("out/{name}/mine.txt"), "mine");
        let run = space.axzoo("compile -i net.onnx -o out").expect_code(1);
        run.says(&format!("`{name}` is the name of a file of the run, and there is a folder"));
        assert_eq!(space.read(&format!("out/{name}/mine.txt")), "mine");
        assert!(!space.path("out/conf.json").exists());
        if name != "compilation_report.json" {
            assert_eq!(report(&space, "out")["status"], "INITIALIZE_CLI_ERROR");
        }
    }
    #[cfg(unix)]
    for name in ["compiled_model", "quantized_model", "input_model"] {
        let space = space();
        space.write("elsewhere/mine.txt", "mine");
        fs::create_dir(space.path("out")).expect("made");
        std::os::unix::fs::symlink("../elsewhere", space.path("out").join(name)).expect("linked");
        let run = space.axzoo("compile -i net.onnx -o out");
        ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says(&format!("`{name}` is the name of a folder of the run"));
        assert_eq!(names(&space, "elsewhere"), ["mine.txt"]);
        assert!(!space.path("out/conf.json").exists());
    }
}
