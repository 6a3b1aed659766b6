//! `--transform`: a user's Python file, or a YAML list of operators.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::made::{channels_last, ended, json, planar, python_has, report, space, with_photos};
use crate::space::{Run, Space};

/// A function in Python on a `PIL.Image`, to eight by eight pixels.
const PILLOW: &str = "\
import numpy as np

print('loaded')


def get_preprocess_transform(image):
    array = np.asarray(image.resize((8, 8), 0), dtype=np.float64) / 255.0
    return array.transpose(2, 0, 1)[None]
";

/// The same as operators.
const OPERATORS: &str = "- resize:\n    width: 8\n    height: 8\n    interpolation: nearest\n- torch-totensor:\n";

/// What a runtime opens, but for what `model.json` says of images: nothing where Python prepares them.
fn program(space: &Space, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut tree = space.tree(&format!("{folder}/compiled_model"));
    let model = tree.remove("model.json").expect("a model.json");
    let model: serde_json::Value = serde_json::from_slice(&model).expect("JSON");
    assert_eq!(model["preprocess"].is_null(), folder.starts_with("py"), "{folder}");
    // Which has a digest beside those of the other files.
    let manifest = tree.remove("manifest.json").expect("a manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let digests = manifest["digests"].as_object_mut().expect("digests");
    assert!(digests.remove("model.json").is_some());
    tree.insert("manifest.json".to_owned(), manifest.to_string().into_bytes());
    tree
}

#[test]
fn a_python_function_and_operators_make_the_same_model() {
    if !python_has("numpy, PIL") {
        return;
    }
    let space = with_photos(12);
    space.write("scripts/p.py", PILLOW);
    space.write("p.yaml", OPERATORS);
    let run = space.axzoo("compile -i net.onnx --imageset photos --transform scripts/p.py -o py");
    let run = ended(&space, "py", run, "SUCCEEDED");
    assert!(!run.stderr.contains("no `--transform`"), "{}", run.stderr);
    assert!(!run.stdout.contains("loaded"), "what the file prints is no result: {}", run.stdout);
    assert!(space.read("py/compilation_log.txt").contains("loaded"));
    assert!(!space.path("scripts/__pycache__").exists());
    space.axzoo("compile -i net.onnx --imageset photos --transform p.yaml -o yaml").expect_code(0);
    assert_eq!(program(&space, "py"), program(&space, "yaml"));
    assert_eq!(json(&space, "py/quantized_model/report.json")["calibration_images"], 10);
    // A list under `preprocess:` is as good, and other colours make another model.
    space.write("q.yaml", format!("preprocess:\n{OPERATORS}"));
    space.axzoo("compile -i net.onnx --imageset photos --transform q.yaml -o q").expect_code(0);
    assert_eq!(program(&space, "q"), program(&space, "yaml"));
    let bgr = "compile -i net.onnx --imageset photos --color-format BGR --transform";
    space.axzoo(&format!("{bgr} scripts/p.py -o pybgr")).expect_code(0);
    space.axzoo(&format!("{bgr} p.yaml -o yamlbgr")).expect_code(0);
    assert_eq!(program(&space, "pybgr"), program(&space, "yamlbgr"));
    assert_ne!(program(&space, "pybgr"), program(&space, "py"));
}

#[test]
fn images_are_looked_at_also_where_python_prepares_them() {
    if !python_has("numpy, PIL") {
        return;
    }
    let space = with_photos(12);
    let first = space.tree("photos")["00.png"].clone();
    space.write("photos/a_copy.png", first);
    space.write("p.py", PILLOW);
    let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.py -o out");
    let run = ended(&space, "out", run, "SUCCEEDED");
    assert!(run.stderr.contains("images/duplicate") || run.stderr.contains("images/held-out"), "{}", run.stderr);
    assert!(run.stderr.contains("photos/"), "{}", run.stderr);
    let images = &json(&space, "out/quantized_model/report.json")["images"];
    assert_eq!(images["findings"].as_array().map(Vec::len), Some(1), "{images}");
}

#[test]
fn opencv_reads_arrays() {
    if !python_has("numpy, cv2") {
        return;
    }
    let space = with_photos(4);
    space.write("tf.onnx", channels_last(&[1, 8, 8, 3]));
    space.write(
        "p.py",
        "import cv2\n\ndef get_preprocess_transform(image):\n    return cv2.resize(image, (8, 8)).astype('float32') / 255\n",
    );
    let typed = "compile -i tf.onnx --imageset photos --transform p.py --input-data-layout NHWC --color-format BGR";
    let run = space.axzoo(&format!("{typed} --imreader-backend OPENCV -o out"));
    ended(&space, "out", run, "SUCCEEDED");
}

/// Stands in for PyTorch, which few machines have: a tensor is what gives itself as an array.
const TORCH: &str = "\
class Tensor:
    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array
";

#[test]
fn a_tensor_is_as_good_as_an_array_and_torch_is_needed_only_by_who_imports_it() {
    if !python_has("numpy, PIL") {
        return;
    }
    let space = with_photos(4);
    space.write("array.py", PILLOW);
    space.write("tensor.py", PILLOW.replace("import numpy as np\n", "import numpy as np\nimport torch\n"));
    space.edit(
        &space.path("tensor.py"),
        "return array.transpose(2, 0, 1)[None]",
        "return torch.Tensor(array.transpose(2, 0, 1)[None])",
    );
    let typed = |file: &str| format!("compile -i net.onnx --imageset photos --transform {file} -o {file}.out");
    space.axzoo(&typed("array.py")).expect_code(0);
    space.write("torch.py", "raise ModuleNotFoundError('No module named torch', name='torch')\n");
    let run = space.axzoo(&typed("tensor.py"));
    ended(&space, "tensor.py.out", run, "QTOOLS_ERROR")
        .says("no module `torch`, which the file")
        .says("pip install torch");
    space.write("torch.py", TORCH);
    space.axzoo(&typed("tensor.py")).expect_code(0);
    assert_eq!(space.tree("array.py.out/compiled_model"), space.tree("tensor.py.out/compiled_model"));
}

/// The file, and what is said of it.
const FAILURES: &[(&str, &str)] = &[
    ("def transform(image):\n    return image\n", "defines no function `get_preprocess_transform`; it has `transform`"),
    ("def get_preprocess_transform(image)\n    return 1\n", "SyntaxError"),
    ("import nobody_has_this\n", "Python has no module `nobody_has_this`, which the file of `--transform` imports"),
    ("def get_preprocess_transform(image):\n    import nobody_has_this\n", "no module `nobody_has_this`"),
    ("def get_preprocess_transform(image):\n    raise ValueError('the sky is low')\n", "ValueError: the sky is low"),
    ("def get_preprocess_transform(image):\n    return None\n", "returned NoneType for the image"),
    ("def get_preprocess_transform(image):\n    return 'text'\n", "expected a tensor or an array"),
    (
        "import numpy\n\ndef get_preprocess_transform(image):\n    return numpy.zeros((3, 9, 9))\n",
        "the shape [3, 9, 9]",
    ),
    (
        "import numpy\n\ndef get_preprocess_transform(image):\n    return numpy.full((3, 8, 8), float('nan'))\n",
        "not finite",
    ),
    ("import sys\nprint('first a word', file=sys.stderr)\nimport os\nos._exit(7)\n", "first a word"),
    ("import sys\nsys.exit(1)\n", "SystemExit"),
];

#[test]
fn what_is_wrong_with_a_file_is_told() {
    if !python_has("numpy, PIL") {
        return;
    }
    for (text, says) in FAILURES {
        let space = with_photos(3);
        space.write("p.py", text);
        let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.py -o out");
        let run = ended(&space, "out", run, "QTOOLS_ERROR");
        assert!(run.stderr.contains(says), "`{says}` is not in\n{}", run.stderr);
        let message = report(&space, "out")["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(says), "`{says}` is not in\n{message}");
    }
}

#[test]
fn the_line_of_an_exception_is_shown() {
    if !python_has("numpy, PIL") {
        return;
    }
    let space = with_photos(3);
    space.write("p.py", "def inner(image):\n    return image.no_such_thing\n\n\nget_preprocess_transform = inner\n");
    let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.py -o out");
    let run = ended(&space, "out", run, "QTOOLS_ERROR").says("line 2").says("00.png");
    assert!(!run.stderr.contains("exec_module"), "only the user's own lines: {}", run.stderr);
}

#[test]
fn no_python_and_no_library_are_told() {
    let space = with_photos(3);
    space.write("p.py", PILLOW);
    let typed = "compile -i net.onnx --imageset photos --transform p.py -o out";
    let run = Run::from(space.command(typed).env("PATH", "/nowhere").output().expect("it runs"));
    ended(&space, "out", run, "QTOOLS_ERROR").says("`python3` cannot be started").says("YAML list");
    if python_has("numpy") {
        // A module of this name that cannot be imported stands in for one that is not installed.
        space.write("path/PIL.py", "raise ImportError('no')\n");
        let run = space.command(typed).env("PYTHONPATH", space.path("path")).output().expect("it runs");
        ended(&space, "out", Run::from(run), "QTOOLS_ERROR").says("no module `PIL`").says("pip install pillow");
    }
}

#[test]
fn a_hanging_file_ends_with_the_program() {
    if !python_has("numpy, PIL") {
        return;
    }
    let space = with_photos(3);
    let script = "import os, signal, subprocess, time\n\n\
                  signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
                  child = subprocess.Popen(['sleep', '1000'])\n\
                  with open(os.environ['AWAKE'], 'w') as file:\n    file.write(f'{os.getpid()} {child.pid}')\n\
                  while True:\n    time.sleep(1)\n";
    space.write("p.py", script);
    let mut command = space.command("compile -i net.onnx --imageset photos --transform p.py -o out");
    let child = command.env("AWAKE", space.path("awake")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("started");
    let begin = Instant::now();
    while std::fs::read_to_string(space.path("awake")).map_or(0, |text| text.split(' ').count()) < 2 {
        assert!(begin.elapsed() < Duration::from_mins(1), "Python does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("small")).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("running");
    Run::from(child.wait_with_output().expect("it ends")).expect_code(130);
    assert!(begin.elapsed() < Duration::from_mins(1), "it waits for the file");
    for process in space.read("awake").split(' ') {
        let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "process {process} still runs: {state}");
    }
    assert_eq!(report(&space, "out")["status"], "TOP_LEVEL_QUANTIZE_ERROR");
}

#[test]
fn operators_are_checked_with_their_lines() {
    let cases: &[(&str, &str)] = &[
        ("- resize:\n    widht: 8\n", "p.yaml:2:5"),
        ("- rezise:\n", "unknown preprocess operator `rezise`"),
        ("resize: 1\n", "expected a list of preprocess operators"),
        ("- resize:\n    width: 9\n    height: 9\n- torch-totensor:\n", "the model's input has shape [1, 3, 8, 8]"),
        ("- torch-totensor\n", "expected one operator"),
        ("- [\n", "p.yaml"),
    ];
    for (text, says) in cases {
        let space = with_photos(2);
        space.write("p.yaml", text);
        let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.yaml -o out");
        let run = ended(&space, "out", run, "QTOOLS_ERROR");
        assert!(run.stderr.contains(says), "`{says}` is not in\n{}", run.stderr);
        assert!(!run.stderr.contains("ERROR: error["), "an error in an error:\n{}", run.stderr);
    }
    // Each problem is told by itself, and the report has all of them with their places.
    let space = with_photos(2);
    space.write("p.yaml", "- resize:\n    widht: 8\n- rezise:\n");
    let run = space.axzoo("compile -i net.onnx --imageset photos --transform p.yaml -o out");
    let run = ended(&space, "out", run, "QTOOLS_ERROR").says("QTOOLS_ERROR: ").says("problems, told above");
    assert!(run.stderr.matches("error[compile/transform]").count() >= 2, "{}", run.stderr);
    let message = report(&space, "out")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.lines().count() >= 2 && message.lines().all(|line| line.starts_with("p.yaml:")), "{message}");
}

#[test]
fn a_model_that_takes_no_image_needs_tensors() {
    let space: Space = space();
    space.write("photos/00.png", super::made::picture(0));
    space.write("flat.onnx", planar(&[1, 3, 8, 8]));
    space.write("p.txt", "no transform");
    let run = space.axzoo("compile -i flat.onnx --imageset photos --transform p.txt -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("takes a `.py` or a `.yaml` file");
    let run = space.axzoo("compile -i net.onnx --transform p.txt -o out");
    ended(&space, "out", run, "INITIALIZE_CLI_ERROR").says("takes a `.py`");
}
