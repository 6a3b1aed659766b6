//! The documents' commands on real models and images.

use std::fs;

use super::made::{ended, json, python_has};
use crate::shared::shared;
use crate::space::Space;

fn real() -> Option<Space> {
    let shared = shared()?;
    let space = Space::empty();
    for (from, to) in [("rw_squeezenet1_1_dyn_op17.onnx", "dynamic.onnx"), ("ultraface_slim_320.onnx", "face.onnx")] {
        let Ok(bytes) = fs::read(shared.join("models").join(from)) else {
            println!("skipped: there is no {from}");
            return None;
        };
        space.write(to, bytes);
    }
    let mut images: Vec<_> = fs::read_dir(shared.join("images")).ok()?.flatten().map(|entry| entry.path()).collect();
    images.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    images.sort();
    for image in images.iter().take(12) {
        let name = image.file_name().expect("a name").to_string_lossy().into_owned();
        space.write(&format!("images/{name}"), fs::read(image).expect("readable"));
    }
    Some(space)
}

#[test]
fn a_real_model_of_open_shape_is_compiled_with_real_images() {
    let Some(space) = real() else { return };
    let run = space.axzoo("compile -i dynamic.onnx -o out");
    ended(&space, "out", run, "ONNX_GRAPH_CLEANER_ERROR");
    let mut typed = "compile -i dynamic.onnx --input-shape 1,3,224,224 --imageset images/ -o out".to_owned();
    if python_has("numpy, PIL") {
        space.write(
            "preprocess.py",
            "import numpy as np\n\n\ndef get_preprocess_transform(image):\n    \
             array = np.asarray(image.resize((224, 224)), dtype=np.float32) / 255\n    \
             array = (array - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]\n    return array.transpose(2, 0, 1)\n",
        );
        typed += " --transform preprocess.py --color-format RGB --imreader-backend PIL";
    }
    let run = ended(&space, "out", space.axzoo(&typed), "SUCCEEDED");
    assert!(run.stdout.contains("10 + 2") && run.stdout.contains(" dB"), "{}", run.stdout);
    let sqnr = json(&space, "out/quantized_model/report.json")["evaluation"]["sqnr_db"].as_f64().unwrap_or_default();
    assert!(sqnr > 15.0, "{sqnr} dB");
}
