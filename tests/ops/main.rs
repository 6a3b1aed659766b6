//! Integer operators against ONNX Runtime's kernels, as the int8 contract demands. `tools/make_operator_references.py` wrote
//! the files; a new case is a new file or a new line in one.

#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "reference data is read where the test stands")]

mod case;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use case::Case;
use case::File;

/// Operators that ONNX Runtime implements by the standard's own formula: not one bit may differ.
const IDENTICAL: [&str; 5] = ["QLinearConv", "QLinearMatMul", "QuantizeLinear", "DequantizeLinear", "MaxPool"];

/// Of the other operators, the share of elements that may be one step apart.
const SHARE: f64 = 0.001;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn operators_agree_with_onnx_runtime() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ops");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for path in files(&folder) {
        let text = fs::read_to_string(&path).expect("a reference file is readable");
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut elements, mut apart) = (0, 0);
        for case in &file.cases {
            cases += 1;
            match differences(&file.operator, case) {
                Ok((count, different, largest)) => {
                    elements += count;
                    apart += different;
                    let identical = IDENTICAL.contains(&file.operator.as_str());
                    if largest > u32::from(!identical) {
                        wrong.push(format!(
                            "{}, case {}: {different} of {count} elements differ, by up to {largest}",
                            path.display(),
                            case.name
                        ));
                    }
                }
                Err(message) => wrong.push(format!("{}, case {}: {message}", path.display(), case.name)),
            }
        }
        if f64::from(apart) > SHARE * f64::from(elements) {
            wrong.push(format!("{}: {apart} of {elements} elements are a step apart", path.display()));
        }
    }
    assert!(cases > 0, "there are no reference files in {}", folder.display());
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

/// Elements compared, elements that differ, and the largest difference in steps (in bits of the float for
/// `DequantizeLinear`).
fn differences(operator: &str, case: &Case) -> Result<(u32, u32, u32), String> {
    let (expected, found) = case.run(operator)?;
    if expected.len() != found.len() {
        return Err(format!("{} elements expected, {} found", expected.len(), found.len()));
    }
    let steps = expected.iter().zip(&found).map(|(expected, found)| expected.abs_diff(*found));
    let steps: Vec<u32> = steps.collect();
    let different = steps.iter().filter(|&&step| step > 0).count() as u32;
    Ok((steps.len() as u32, different, steps.into_iter().max().unwrap_or(0)))
}
