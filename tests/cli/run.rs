//! `run`: compiled models executed from their files.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use axzoo::base::npy::Array;
use axzoo::base::npy::Elements;
use axzoo::imaging::Preprocess;

use crate::space::Space;

/// The compiled model of a sample, and its input's shape.
const MODEL: &str = "build/digits/digits/1";
const SHAPE: [usize; 4] = [1, 1, 16, 16];

fn built() -> Space {
    let space = Space::only("digits");
    space.build("digits");
    space
}

fn ramp() -> Vec<f32> {
    (0..256).map(|at| (at % 17) as f32 / 16.0).collect()
}

fn save(space: &Space, name: &str, shape: &[usize], elements: Elements) {
    space.write(name, Array { shape: shape.to_vec(), elements }.to_bytes());
}

fn load(path: &Path) -> Array {
    Array::parse(&fs::read(path).expect("the output is there")).expect("an array")
}

fn json(space: &Space, arguments: &str) -> serde_json::Value {
    let run = space.axzoo(arguments).expect_code(0);
    serde_json::from_str(&run.stdout).expect("JSON")
}

#[test]
fn arrays_and_images_go_in_and_arrays_come_out() {
    let space = built();
    save(&space, "x.npy", &SHAPE, Elements::F32(ramp()));
    let run = space.axzoo(&format!("run {MODEL} --input x.npy --output out")).expect_code(0);
    assert!(run.stdout.contains("  1. ["), "{}", run.stdout);
    let first = json(&space, &format!("run {MODEL}/manifest.json -i x.npy --output out --format json"));
    let output = &first["outputs"][0];
    assert_eq!(output["top"].as_array().map(Vec::len), Some(5));
    let file = output["file"].as_str().expect("a file");
    let array = load(&space.path(file));
    assert_eq!(output["shape"], serde_json::json!(array.shape));
    let Elements::F32(scores) = array.elements else { panic!("float32 was expected") };
    let largest = scores.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(output["max"].as_f64().map(|most| most as f32), Some(largest));
    // Without its batch of one, from the archive, and as the int8 that the program takes: the same.
    save(&space, "flat.npy", &SHAPE[1..], Elements::F32(ramp()));
    let manifest: serde_json::Value =
        serde_json::from_str(&space.read(&format!("{MODEL}/manifest.json"))).expect("JSON");
    let scale = manifest["quantize_params"][0][0].as_f64().expect("a scale") as f32;
    let zero = manifest["quantize_params"][0][1].as_f64().expect("a zero point") as f32;
    let int8 = ramp().iter().map(|x| ((x / scale).round_ties_even() + zero).clamp(-128.0, 127.0) as i8).collect();
    save(&space, "int8.npy", &SHAPE, Elements::I8(int8));
    for (model, input) in [(MODEL, "flat.npy"), ("build/digits/digits/digits.axm", "x.npy"), (MODEL, "int8.npy")] {
        let other = json(&space, &format!("run {model} -i {input} --format json"));
        assert_eq!(other["outputs"][0]["top"], output["top"], "{model} {input}");
    }
}

#[test]
fn an_image_is_prepared_as_those_of_the_calibration_were() {
    let space = built();
    let image = space.images("data", "").into_iter().next().expect("the sample has images");
    let model: serde_json::Value = serde_json::from_str(&space.read(&format!("{MODEL}/model.json"))).expect("JSON");
    let preprocess: Preprocess = serde_json::from_value(model["preprocess"].clone()).expect("it is known");
    let tensor = preprocess.run_bytes(&fs::read(&image).expect("read")).expect("prepared");
    save(&space, "x.npy", &SHAPE, Elements::F32(tensor));
    for folder in [MODEL, "build/digits/digits/digits.axm"] {
        let prepared = json(&space, &format!("run {folder} -i {} --format json", image.display()));
        assert_eq!(prepared, json(&space, &format!("run {folder} -i x.npy --format json")));
        let run = space.axzoo(&format!("run {folder} -i {}", image.display())).expect_code(0);
        assert!(!run.stderr.contains("run/image"), "{}", run.stderr);
    }
    // A model that does not say how, as it was calibrated on random numbers, is told of.
    space.axzoo("compile -i weights/digits.onnx -o plain").expect_code(0);
    let run = space.axzoo(&format!("run plain/compiled_model -i {}", image.display())).expect_code(0);
    assert!(run.stderr.contains("run/image"), "{}", run.stderr);
}

/// A file of a compiled model, what becomes of it, and what is said.
type Edit = (&'static str, fn(String) -> String, &'static str);

const EDITS: &[Edit] = &[
    ("program.json", |text| text + " ", "`program.json` is not what the manifest says: expected the digest "),
    ("model.json", |text| text.replace("\"preprocess\"", "\"other\""), "`model.json` is not what the manifest says"),
    ("manifest.json", |text| replaced(&text, "quantize_params", "[[0.5, 0]]"), "`quantize_params[0][0]`: expected "),
    ("manifest.json", |text| replaced(&text, "input_shapes", "[[1, 9, 9, 9]]"), "found 9"),
    ("manifest.json", |text| replaced(&text, "postprocess_graph", "\"model.json\""), "model.json"),
    ("manifest.json", |text| replaced(&text, "digests", "{}"), "has no `digests`"),
    (
        "manifest.json",
        |text| replaced(&text, "digests", "{\"program.json\": \"00\"}"),
        "`digests.model.json`: expected the file's digest, found none",
    ),
    ("manifest.json", |text| replaced(&text, "model_params_file", "\"other.bin\""), "`digests.other.bin`"),
];

/// A file of JSON with another value under a key.
fn replaced(text: &str, key: &str, value: &str) -> String {
    let mut file: serde_json::Value = serde_json::from_str(text).expect("JSON");
    file[key] = serde_json::from_str(value).expect("JSON");
    file.to_string()
}

#[test]
fn a_compiled_model_that_was_changed_is_refused() {
    let space = built();
    save(&space, "x.npy", &SHAPE, Elements::F32(ramp()));
    for (file, change, says) in EDITS {
        let path = space.path(MODEL).join(file);
        let whole = fs::read_to_string(&path).expect("read");
        fs::write(&path, change(whole.clone())).expect("written");
        let run = space.axzoo(&format!("run {MODEL} -i x.npy")).expect_code(1);
        assert!(run.stderr.contains(says), "{file}: `{says}` is not in\n{}", run.stderr);
        fs::write(&path, whole).expect("written");
    }
    space.axzoo(&format!("run {MODEL} -i x.npy")).expect_code(0);
}

#[test]
fn an_output_replaces_no_input() {
    let space = built();
    save(&space, "x.npy", &SHAPE, Elements::F32(ramp()));
    space.axzoo(&format!("run {MODEL} -i x.npy --output out")).expect_code(0);
    let output = space.tree("out").into_keys().next().expect("an output");
    save(&space, &format!("mine/{output}"), &SHAPE, Elements::F32(ramp()));
    let before = space.tree("mine");
    let run = space.axzoo(&format!("run {MODEL} -i mine/{output} --output out/../mine")).expect_code(1);
    run.says("run/output").says("would replace the `--input` of that name");
    assert_eq!(space.tree("mine"), before);
    space.axzoo(&format!("run {MODEL} -i mine/{output} --output out")).expect_code(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_is_no_input_and_not_waited_for() {
    let space = built();
    for name in ["pipe.npy", "pipe.png", "pipe.axm"] {
        let made = Command::new("mkfifo").arg(space.path(name)).status();
        assert!(made.is_ok_and(|status| status.success()), "a pipe");
    }
    for typed in [format!("{MODEL} -i pipe.npy"), format!("{MODEL} -i pipe.png"), "pipe.axm -i x.npy".to_owned()] {
        space.axzoo(&format!("run {typed}")).expect_code(1).says("it is no regular file");
    }
}

#[test]
fn what_does_not_fit_is_told_apart() {
    let space = built();
    save(&space, "x.npy", &SHAPE, Elements::F32(ramp()));
    save(&space, "long.npy", &[1, 256], Elements::F32(ramp()));
    space.write(
        "double.npy",
        b"\x93NUMPY\x01\x00\x36\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }AAAAAAAA",
    );
    let odd = |odd: f32| ramp().into_iter().enumerate().map(|(at, x)| if at == 9 { odd } else { x }).collect();
    save(&space, "nan.npy", &SHAPE, Elements::F32(odd(f32::NAN)));
    save(&space, "infinite.npy", &SHAPE, Elements::F32(odd(f32::NEG_INFINITY)));
    space.write("text.png", "no image");
    fs::create_dir(space.path("empty")).expect("made");
    let tree = space.tree(MODEL);
    let damaged = |name: &str, file: &str, edit: &dyn Fn(&mut Vec<u8>)| {
        for (path, contents) in &tree {
            let mut contents = contents.clone();
            if path == file {
                edit(&mut contents);
            }
            let path = space.path(name).join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, contents).expect("written");
        }
    };
    damaged("flipped", "pool_l2_const.bin", &|bytes| bytes[0] ^= 1);
    damaged("cut", "program.json", &|bytes| bytes.truncate(99));
    let cases = [
        (format!("{MODEL} -i long.npy"), "run/input", "[1, 256], expected [1, 1, 16, 16]"),
        (format!("{MODEL} -i double.npy"), "run/input", "`<f8`"),
        (format!("{MODEL} -i nan.npy"), "run/input", "1 of 256 elements are no numbers"),
        (format!("{MODEL} -i infinite.npy"), "run/input", "found -inf at place 9"),
        (format!("{MODEL} -i none.npy"), "run/input", "none.npy"),
        (format!("{MODEL} -i text.png"), "run/input", "text.png"),
        (format!("{MODEL} -i x.npy -i x.npy"), "run/input", "has 1 inputs"),
        (format!("{MODEL} -i x.npy --output x.npy"), "run/output", "x.npy"),
        ("nowhere -i x.npy".to_owned(), "run/model", "does not exist"),
        ("empty -i x.npy".to_owned(), "run/model", "holds no compiled model"),
        (
            "build/digits/digits/quantized -i x.npy".to_owned(),
            "run/model",
            "is a quantized model, which is not compiled",
        ),
        ("x.npy -i x.npy".to_owned(), "run/model", "is no compiled model"),
        ("flipped -i x.npy".to_owned(), "run/model", "digest"),
        ("cut -i x.npy".to_owned(), "run/model", "program.json"),
    ];
    for (arguments, code, text) in cases {
        let run = space.axzoo(&format!("run {arguments}"));
        assert!(run.code == 1 || run.code == 2, "{arguments}: {}", run.code);
        assert!(run.stderr.contains(code) && run.stderr.contains(text), "{arguments}: {}", run.stderr);
    }
}

/// The main program of the README, with the model's own function called.
#[test]
fn the_example_in_the_readme_compiles_and_agrees() {
    if !Command::new("cc").arg("--version").output().is_ok_and(|done| done.status.success()) {
        println!("skipped: there is no cc");
        return;
    }
    let space = built();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("read");
    let code = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    space.write("main.c", code);
    let numbers: Vec<i8> = (0..256).map(|at| (at % 100) as i8).collect();
    save(&space, "x.npy", &SHAPE, Elements::I8(numbers.clone()));
    space.write("input.bin", numbers.iter().map(|&q| q as u8).collect::<Vec<u8>>());
    let include = space.path(MODEL);
    let made = Command::new("cc")
        .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(&include)
        .args(["main.c", "-o", "main"])
        .current_dir(space.path(""))
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let constants = include.join("pool_l2_const.bin");
    let ran = Command::new(space.path("main")).arg(constants).arg("input.bin").current_dir(space.path("")).output();
    let ran = ran.expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8_lossy(&ran.stdout);
    let found: Vec<i32> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    space.axzoo(&format!("run {MODEL} -i x.npy --output out")).expect_code(0);
    let manifest: serde_json::Value =
        serde_json::from_str(&space.read(&format!("{MODEL}/manifest.json"))).expect("JSON");
    let scale = manifest["dequantize_params"][0][0].as_f64().expect("a scale") as f32;
    let zero = manifest["dequantize_params"][0][1].as_i64().expect("a zero point") as i32;
    let file = fs::read_dir(space.path("out")).expect("listed").flatten().next().expect("an output").path();
    let Elements::F32(scores) = load(&file).elements else { panic!("float32 was expected") };
    let expected: Vec<i32> = scores.iter().map(|score| (score / scale).round() as i32 + zero).collect();
    assert_eq!(found, expected);
}

/// A program that calls the function of `kernel_function.c` once: inputs from `0.bin`, `1.bin` …, all outputs to `outputs.bin`.
fn caller(source: &str) -> String {
    let count = |kind: &str| {
        let is_size = |line: &&str| line.starts_with("#define ") && line.contains(&format!("_{kind}_"));
        source.lines().filter(is_size).count()
    };
    let prototype = source.lines().find_map(|line| line.strip_prefix("int ")).expect("a prototype");
    let name = prototype.split('(').next().expect("a name");
    let macros = name.to_ascii_uppercase();
    let (inputs, outputs) = (count("INPUT"), count("OUTPUT"));
    let mut arguments: Vec<String> =
        (0..inputs).map(|number| format!("get(\"{number}.bin\", {macros}_INPUT_{number}_BYTES)")).collect();
    arguments.extend((0..outputs).map(|number| format!("out[{number}]")));
    let size = |number| format!("{macros}_OUTPUT_{number}_BYTES");
    let made: Vec<String> = (0..outputs).map(|number| format!("out[{number}] = get(0, {});", size(number))).collect();
    let put: Vec<String> =
        (0..outputs).map(|number| format!("fwrite(out[{number}], 1, {}, to);", size(number))).collect();
    format!(
        "#include <stdio.h>\n#include <stdlib.h>\n#include \"kernel_function.c\"\n\
         static void *get(const char *name, size_t size) {{\n\
         unsigned char *all = malloc(size + 64), *p = all + (64 - (uintptr_t)all % 64);\n\
         FILE *f = name ? fopen(name, \"rb\") : 0;\n\
         if (name && (!f || fread(p, 1, size, f) != size)) exit(2);\nreturn p; }}\n\
         int main(void) {{\nvoid *out[{outputs}];\nFILE *to = fopen(\"outputs.bin\", \"wb\");\n{}\n\
         if ({name}({}, get(\"pool_l2_const.bin\", {macros}_CONSTANTS_BYTES), get(0, {macros}_WORKSPACE_BYTES))) return 3;\n\
         {}\nreturn fclose(to) != 0;\n}}\n",
        made.join(" "),
        arguments.join(", "),
        put.join(" "),
    )
}

/// N, C, H, W as N, H, W, C; other shapes as they are.
fn channels_last(shape: &[usize], values: &[i8]) -> Vec<i8> {
    let &[n, c, h, w] = shape else { return values.to_vec() };
    let plane = h * w;
    (0..n * plane * c).map(|at| values[(at / (plane * c) * c + at % c) * plane + at / c % plane]).collect()
}

#[test]
fn the_c_code_of_every_sample_computes_what_run_computes() {
    if !Command::new("cc").arg("--version").output().is_ok_and(|done| done.status.success()) {
        println!("skipped: there is no cc");
        return;
    }
    let space = Space::sample();
    space.build("all");
    let manifests: Vec<String> = space.tree("build").into_keys().filter(|name| name.ends_with("/model.json")).collect();
    assert!(manifests.len() >= 5, "{manifests:?}");
    for manifest in manifests {
        let model = format!("build/{}", manifest.trim_end_matches("/model.json"));
        let pipeline: serde_json::Value =
            serde_json::from_str(&space.read(&format!("build/{manifest}"))).expect("JSON");
        let shape = |port: &serde_json::Value| -> Vec<usize> {
            serde_json::from_value(port["shape"].clone()).expect("a shape")
        };
        let ports = |kind: &str| pipeline[kind].as_array().cloned().expect("ports");
        let mut command = format!("run {model} --output {model}/out --format json");
        for (number, port) in ports("inputs").iter().enumerate() {
            let count = shape(port).iter().product::<usize>();
            let values: Vec<i8> = (0..count).map(|at| (at * 89 + at / 7) as u8 as i8).collect();
            let bytes: Vec<u8> = channels_last(&shape(port), &values).iter().map(|&q| q as u8).collect();
            space.write(&format!("{model}/{number}.bin"), bytes);
            save(&space, &format!("{model}/{number}.npy"), &shape(port), Elements::I8(values));
            write!(command, " -i {model}/{number}.npy").expect("text");
        }
        let summary = json(&space, &command);
        space.write(&format!("{model}/caller.c"), caller(&space.read(&format!("{model}/kernel_function.c"))));
        let folder = space.path(&model);
        let flags = ["-std=c99", "-O2", "-march=native", "-Wall", "-Wextra", "caller.c", "-o", "caller"];
        let made = Command::new("cc").args(flags).current_dir(&folder).output().expect("it runs");
        assert!(made.status.success(), "{model}: {}", String::from_utf8_lossy(&made.stderr));
        let ran = Command::new(folder.join("caller")).current_dir(&folder).status().expect("it runs");
        assert!(ran.success(), "{model}: {ran}");
        let mut expected = Vec::new();
        for (port, output) in ports("outputs").iter().zip(summary["outputs"].as_array().expect("outputs")) {
            let Elements::F32(real) = load(&space.path(output["file"].as_str().expect("a file"))).elements else {
                panic!("float32 was expected")
            };
            let scale = port["scale"].as_f64().expect("a scale") as f32;
            let zero = port["zero_point"].as_f64().expect("a zero point") as f32;
            let steps: Vec<i8> = real.iter().map(|real| ((real / scale).round() + zero) as i8).collect();
            expected.extend(channels_last(&shape(port), &steps));
        }
        let found: Vec<i8> =
            fs::read(folder.join("outputs.bin")).expect("read").iter().map(|&byte| byte as i8).collect();
        assert_eq!(found, expected, "{model}");
    }
}
