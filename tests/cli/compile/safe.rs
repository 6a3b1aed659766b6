//! What a run must not destroy: what it was given, what others wrote, and earlier results where it cannot write its own.

use std::fs;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;

use axzoo::compiler::onnx::proto::{AttributeProto, ModelProto, StringStringEntryProto};
use prost::Message;

use super::made::{ended, names, planar, report, space};
use crate::space::Space;

/// `ext/net.onnx` with its first weights in `ext/weights.bin`.
fn with_tensors_beside() -> Space {
    let space = space();
    let mut model = ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model");
    let weights = &mut model.graph.as_mut().expect("a graph").initializer[0];
    space.write("ext/weights.bin", &weights.raw_data);
    weights.raw_data.clear();
    weights.data_location = 1;
    weights.external_data = vec![StringStringEntryProto { key: "location".into(), value: "weights.bin".into() }];
    space.write("ext/net.onnx", model.encode_to_vec());
    space
}

#[test]
fn tensors_beside_a_given_model_stay_where_results_go() {
    let space = with_tensors_beside();
    space.write("r.json", "{\"remove_output_dir\": true}");
    space.axzoo("compile -i ext/net.onnx -o out").expect_code(0);
    let before = space.tree("out/input_model");
    assert_eq!(before.len(), 2);
    let typed = "compile -i out/input_model/fp32_model.onnx -o out";
    for more in ["", " --conf r.json", " --conf r.json"] {
        ended(&space, "out", space.axzoo(&format!("{typed}{more}")), "SUCCEEDED");
        assert_eq!(space.tree("out/input_model"), before, "{more}");
    }
    // Cleaning fails: nothing of the model is among the results.
    let run = space.axzoo(&format!("{typed} --conf r.json --input-shape 1,5,8,8"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(report(&space, "out")["stage"], "clean");
    assert_eq!(space.tree("out/input_model"), before);
    // Nobody can tell what belongs to a model that cannot be read.
    space.write("out/input_model/fp32_model.onnx", "no model");
    ended(&space, "out", space.axzoo(&format!("{typed} --conf r.json")), "ONNX_GRAPH_CLEANER_ERROR");
    assert_eq!(names(&space, "out/input_model"), ["fp32_model.onnx", "weights.bin"]);
}

#[test]
fn tensors_of_a_model_replace_no_file_of_somebody_else() {
    let space = with_tensors_beside();
    let said = "`input_model/weights.bin` is the name of a file of the run, and no run made the one that is there";
    space.write("out/input_model/weights.bin", "mine");
    for _ in 0..2 {
        ended(&space, "out", space.axzoo("compile -i ext/net.onnx -o out"), "INITIALIZE_CLI_ERROR").says(said);
        assert_eq!(space.read("out/input_model/weights.bin"), "mine");
    }
    // Nor beside the results of a run of another model.
    space.axzoo("compile -i net.onnx -o other").expect_code(0);
    space.write("other/input_model/weights.bin", "mine");
    let results = space.tree("other/compiled_model");
    ended(&space, "other", space.axzoo("compile -i ext/net.onnx -o other"), "INITIALIZE_CLI_ERROR").says(said);
    assert_eq!(space.read("other/input_model/weights.bin"), "mine");
    assert_eq!(space.tree("other/compiled_model"), results);
    // What an earlier run wrote is replaced.
    for _ in 0..2 {
        ended(&space, "new", space.axzoo("compile -i ext/net.onnx -o new"), "SUCCEEDED");
    }
}

#[test]
fn what_is_in_the_way_of_any_result_is_found_before_anything_is_removed() {
    let folders = [
        "conf.json",
        "cli_args.json",
        "debug_files.json",
        "input_model/fp32_model.onnx",
        "input_model/weights.bin",
        "quantized_model/report.json",
        "compiled_model/report.json",
    ];
    let space = with_tensors_beside();
    space.write("d.json", "{\"graph_cleaner_dump_core_onnx\": \"d/core.onnx\"}");
    for name in folders {
        let _ = fs::remove_dir_all(space.path("out"));
        space.axzoo("compile -i ext/net.onnx --conf d.json -o out").expect_code(0);
        let _ = fs::remove_file(space.path("out").join(name));
        space.write(&format!("out/{name}/mine.txt"), "mine");
        let mut before = space.tree("out");
        let run = space.axzoo("compile -i ext/net.onnx -o out");
        ended(&space, "out", run, "INITIALIZE_CLI_ERROR")
            .says(&format!("`{name}` is the name of a file of the run, and there is a folder of that name"));
        let mut after = space.tree("out");
        for own in ["compilation_report.json", "compilation_log.txt"] {
            assert!(before.remove(own).is_some() && after.remove(own).is_some());
        }
        assert_eq!(after, before, "{name}");
    }
    space.axzoo("compile -i net.onnx --quantize-only -o file").expect_code(0);
    space.write("file/compiled_model", "mine");
    let before = space.tree("file/quantized_model");
    ended(&space, "file", space.axzoo("compile -i net.onnx -o file"), "INITIALIZE_CLI_ERROR")
        .says("`compiled_model` is the name of a folder of the run, and there is a file of that name");
    assert_eq!(space.tree("file/quantized_model"), before);
}

#[test]
fn a_file_that_was_asked_for_and_is_given_stays_recorded() {
    let space = space();
    space.write("d.json", "{\"graph_cleaner_dump_core_onnx\": \"d/core.onnx\"}");
    space.axzoo("compile -i net.onnx --conf d.json -o out").expect_code(0);
    let core = space.tree("out")["d/core.onnx"].clone();
    ended(&space, "out", space.axzoo("compile -i out/d/core.onnx -o out"), "SUCCEEDED");
    assert_eq!(space.tree("out").get("d/core.onnx"), Some(&core));
    ended(&space, "out", space.axzoo("compile -i net.onnx --conf d.json -o out"), "SUCCEEDED");
    // The next run that neither asks for it nor gets it removes it.
    ended(&space, "out", space.axzoo("compile -i out/d/core.onnx -o out"), "SUCCEEDED");
    ended(&space, "out", space.axzoo("compile -i net.onnx -o out"), "SUCCEEDED");
    assert!(!space.path("out/d").exists() && !space.path("out/debug_files.json").exists());
}

#[test]
#[cfg(unix)]
fn a_path_that_is_no_text_is_refused_before_anything_is_made() {
    let space = space();
    let name = std::ffi::OsStr::from_bytes(b"nu\xff");
    for flag in ["-o", "-i", "--conf", "--imageset", "--transform", "--cli-args", "--generate-config"] {
        let typed = if flag.ends_with("config") { "compile" } else { "compile -i net.onnx -o out" };
        let typed = if flag == "-i" { "compile -o out" } else { typed };
        let typed = if flag == "-o" { "compile -i net.onnx" } else { typed };
        let run = crate::space::Run::from(space.command(typed).arg(flag).arg(name).output().expect("it runs"));
        let run = run.expect_code(2);
        assert!(run.stderr.contains("is not UTF-8"), "{flag}: {}", run.stderr);
        assert_eq!(names(&space, ""), ["net.onnx"], "{flag}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_is_refused_and_not_waited_for() {
    let space = space();
    for name in ["pipe", "pipe.json", "pipe.toml", "pipe.onnx"] {
        let made = std::process::Command::new("mkfifo").arg(space.path(name)).status();
        assert!(made.is_ok_and(|status| status.success()), "a pipe");
    }
    let cases = [
        ("-i pipe", "which is no regular file"),
        ("-i pipe.onnx", "which is no regular file"),
        ("-i pipe.json", "which is no regular file"),
        ("-i net.onnx --conf pipe", "expected a JSON or TOML file, found `pipe`, which is no regular file"),
        ("-i net.onnx --conf pipe.json", "expected a JSON or TOML file, found `pipe.json`, which is no regular file"),
        ("-i net.onnx --conf pipe.toml", "expected a JSON or TOML file, found `pipe.toml`, which is no regular file"),
        ("-i net.onnx --cli-args pipe", "it is no regular file"),
        ("-i net.onnx --transform pipe", "which is no regular file"),
    ];
    for (typed, said) in cases {
        let run = space.axzoo(&format!("compile {typed} -o out"));
        let run = ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says(said);
        assert!(run.stderr.contains("pipe to a file first"), "{typed}: {}", run.stderr);
    }
}

#[test]
fn an_archive_of_a_failure_says_what_it_leaves_out_and_keeps_all_that_it_may() {
    let space = with_tensors_beside();
    let mut model = ModelProto::decode(planar(&[1, 3, 8, 8]).as_slice()).expect("our own model");
    let graph = model.graph.as_mut().expect("a graph");
    let mut branch = super::made::node("If", &["x"], "y");
    branch.attribute.push(AttributeProto { name: "then_branch".into(), g: Some(vec![]), ..AttributeProto::default() });
    graph.node = vec![branch];
    space.write("if.onnx", model.encode_to_vec());
    space.write("secret.json", "{\"save_error_artifact\": true}");
    space.write("open.json", "{\"save_error_artifact\": true, \"randomize_onnx_model\": false}");
    let held = |folder: &str| -> Vec<String> {
        let file = fs::File::open(space.path(folder).join("error_artifact.zip")).expect("an archive");
        let archive = zip::ZipArchive::new(file).expect("a ZIP");
        archive.file_names().filter_map(|name| name.ok().map(Into::into)).collect()
    };
    ended(&space, "out", space.axzoo("compile -i if.onnx --conf secret.json -o out"), "ONNX_GRAPH_CLEANER_ERROR");
    assert!(!held("out").iter().any(|name| name.contains("input_model")), "{:?}", held("out"));
    let said = "`error_artifact.zip`: the model is left out: node `make_y` has a graph in it";
    assert!(space.read("out/compilation_log.txt").contains(said), "{}", space.read("out/compilation_log.txt"));
    // Cleaning fails for a shape, so nothing of the model is a result, and the archive has all of it.
    let run = space.axzoo("compile -i ext/net.onnx --input-shape 1,5,8,8 --conf open.json -o open");
    assert_eq!((run.code, &report(&space, "open")["stage"]), (1, &"clean".into()), "{}", run.stderr);
    for name in ["input_model/fp32_model.onnx", "input_model/weights.bin"] {
        assert!(held("open").contains(&name.to_owned()), "{name}: {:?}", held("open"));
    }
}

/// Every change of the file system fails once, and the program ends at every one: what is left is never taken for a good run, and
/// the next run finds nothing in its way.
#[cfg(debug_assertions)]
#[test]
fn whatever_fails_on_the_disk_the_next_run_goes_through() {
    let space = with_tensors_beside();
    space.write("d.json", "{\"graph_cleaner_dump_core_onnx\": \"d/core.onnx\"}");
    let typed = "compile -i ext/net.onnx --conf d.json -o out";
    let mut found = std::collections::BTreeSet::new();
    for (kind, step) in [("broken", 1), ("kill", 5)] {
        space.axzoo(typed).expect_code(0);
        let whole = names(&space, "out");
        for place in (20..).step_by(step) {
            assert!(place < 1000, "faults do not end");
            let run = space.command(typed).env("AXZOO_FAULT", format!("{kind}:{place}")).output().expect("it runs");
            let report = fs::read_to_string(space.path("out/compilation_report.json")).unwrap_or_default();
            if run.status.success() {
                assert!(report.contains("SUCCEEDED"), "{kind}:{place}: {report}");
                // The last ones are about removing what nobody reads.
                if place > 60 {
                    break;
                }
                continue;
            }
            let mut left = names(&space, "out");
            left.retain(|name| !name.contains(".tmp"));
            // Where nothing was begun, the results are those of the run before.
            assert!(left == whole || !report.contains("SUCCEEDED"), "{kind}:{place}: {left:?}");
            if kind == "broken" {
                found.extend(report.split('"').find(|word| word.ends_with("_ERROR")).map(ToOwned::to_owned));
            }
            let next = space.axzoo(typed);
            assert_eq!(next.code, 0, "{kind}:{place}: {}", next.stderr);
        }
    }
    for status in ["INITIALIZE_CLI_ERROR", "GRAPH_EXPORTER_ERROR", "TIR_TO_RUNTIME_ERROR"] {
        assert!(found.contains(status), "{found:?}");
    }
}

#[test]
fn a_given_model_is_no_place_for_a_result() {
    let space = with_tensors_beside();
    space.axzoo("compile -i ext/net.onnx -o out --quantize-only").expect_code(0);
    let before = space.tree("out/quantized_model");
    let run = space.axzoo("compile -i out/quantized_model/quantized_model.onnx -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("the input is `quantized_model/quantized_model.onnx`");
    assert_eq!(space.tree("out/quantized_model"), before);

    // Nor are its tensors.
    let mut model =
        ModelProto::decode(fs::read(space.path("ext/net.onnx")).expect("read").as_slice()).expect("a model");
    model.graph.as_mut().expect("a graph").initializer[0].external_data[0].value = "conf.json".to_owned();
    space.write("out/own.onnx", model.encode_to_vec());
    fs::copy(space.path("ext/weights.bin"), space.path("out/conf.json")).expect("copied");
    let run = space.axzoo("compile -i out/own.onnx -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("a file of the input's tensors is `conf.json`");
    assert_eq!(space.tree("out")["conf.json"], space.tree("ext")["weights.bin"]);

    // What a refusal itself writes replaces nothing that was given either.
    space.axzoo("compile -i net.onnx -o two").expect_code(0);
    for name in ["compilation_report.json", "compilation_log.txt"] {
        space.write(&format!("two/{name}.conf"), "{}");
        fs::rename(space.path(&format!("two/{name}.conf")), space.path("two").join(name)).expect("renamed");
        let run = space.axzoo(&format!("compile -i net.onnx --conf two/{name} -o two"));
        run.expect_code(1).says("was given to the run, and would be replaced");
        assert_eq!(space.read(&format!("two/{name}")), "{}");
        space.axzoo("compile -i net.onnx -o two");
    }
}

#[test]
fn tensors_of_a_model_that_is_given_by_a_link_stay() {
    let space = with_tensors_beside();
    space.axzoo("compile -i ext/net.onnx -o out").expect_code(0);
    let before = space.tree("out/input_model");
    fs::create_dir(space.path("links")).expect("created");
    std::os::unix::fs::symlink("../out/input_model/fp32_model.onnx", space.path("links/net.onnx")).expect("linked");
    space.axzoo("compile -i links/net.onnx -o out").expect_code(1);
    assert_eq!(space.tree("out/input_model").len(), before.len());
}

#[test]
fn a_model_of_the_user_among_the_copies_keeps_its_tensors() {
    let space = with_tensors_beside();
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    for name in ["net.onnx", "weights.bin"] {
        fs::copy(space.path("ext").join(name), space.path("out/input_model").join(name)).expect("copied");
    }
    let run = space.axzoo("compile -i out/input_model/net.onnx -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR")
        .says("`input_model/weights.bin` is the name of a file of the run");
    space.axzoo("compile -i net.onnx -o out").expect_code(0);
    assert!(space.path("out/input_model/weights.bin").exists());
}
