//! Agreement with Pillow, torchvision and OpenCV on the cases of `tools/make_preprocess_references.py`, and what
//! hostile or unfitting input does.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::base::fs;
use crate::diag::Source;
use crate::yaml;

#[derive(Deserialize)]
struct References {
    cases: Vec<Case>,
}

/// See the script for what the fields mean.
#[derive(Deserialize)]
struct Case {
    picture: String,
    color: ColorFormat,
    operators: Vec<(String, serde_json::Value)>,
    shape: [usize; 3],
    offset: usize,
    values: String,
    step: f32,
}

impl Case {
    fn expected(&self, tensors: &[u8]) -> Vec<f32> {
        let count = self.shape.iter().product::<usize>();
        let values = &tensors[self.offset..];
        match self.values.as_str() {
            "bytes" => values[..count].iter().copied().map(f32::from).collect(),
            _ => values[..count * 4].as_chunks().0.iter().copied().map(f32::from_le_bytes).collect(),
        }
    }

    fn preprocess(&self, layout: Layout) -> Preprocess {
        let [c, h, w] = self.shape;
        let operators = self.operators.iter().map(|(name, arguments)| operator(name, &arguments.to_string()));
        let shape = layout.from_nchw([1, c, h, w]);
        Preprocess { operators: operators.collect(), input_color: self.color, layout, shape }
    }

    /// How many steps may lie between a value and the reference. Decoders of lossy formats are free in how they round
    /// and how they enlarge colours stored at half the size.
    fn steps_allowed(&self) -> f32 {
        match self.picture.as_str() {
            "subsampled.jpg" | "progressive.jpg" | "lossy.webp" => 4.0,
            name if name.contains(".jpg") => 2.0,
            _ => 1.0,
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/preprocess")
}

fn picture_bytes(name: &str) -> Vec<u8> {
    fs::read(&folder().join(name)).expect("a fixture")
}

fn operator(name: &str, arguments: &str) -> PreprocessOperator {
    let node = yaml::parse(&Source::new("card.yaml", arguments)).expect("YAML");
    PreprocessOperator::parse(name, &node).expect("an operator")
}

#[test]
fn tensors_are_those_of_the_libraries_that_the_sdk_calls() {
    let references: References = serde_json::from_slice(&picture_bytes("cases.json")).expect("cases");
    let tensors = picture_bytes("tensors.bin");
    assert!(references.cases.len() > 50, "the references are there");
    let mut wrong = Vec::new();
    for case in &references.cases {
        let operators: Vec<String> = case.operators.iter().map(|(name, with)| format!("{name} {with}")).collect();
        let title = format!("{} {} {}", case.picture, case.color, operators.join(", "));
        let preprocess = case.preprocess(Layout::Nchw);
        if let Err(error) = preprocess.check() {
            wrong.push(format!("{title}: check: {error}"));
        }
        let found = match preprocess.run_bytes(&picture_bytes(&case.picture)) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{title}: {error}"));
                continue;
            }
        };
        let expected = case.expected(&tensors);
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / case.step).fold(0.0_f32, f32::max);
        if found.len() != expected.len() || largest > case.steps_allowed() + 1e-3 {
            wrong.push(format!("{title}: {largest} steps apart"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), references.cases.len(), wrong.join("\n"));
}

#[test]
fn the_result_is_in_the_layout_of_the_model() {
    let pixels = (0..12).collect();
    let picture = Picture::new(2, 2, ColorFormat::Rgb, pixels).expect("a picture");
    let run = |layout: Layout| {
        let operators = vec![PreprocessOperator::TorchToTensor { scale: false }];
        let shape = layout.from_nchw([1, 3, 2, 2]);
        let preprocess = Preprocess { operators, input_color: ColorFormat::Rgb, layout, shape };
        preprocess.run(&picture).expect("a tensor").into_iter().map(|value| value as u8).collect::<Vec<_>>()
    };
    assert_eq!(run(Layout::Nhwc), (0..12).collect::<Vec<_>>());
    let planes = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11];
    assert_eq!(run(Layout::Nchw), planes);
    assert_eq!(run(Layout::Chwn), planes);
}

#[test]
fn operators_that_do_not_fit_are_refused_with_and_without_a_picture() {
    struct Unfit {
        color: ColorFormat,
        shape: [usize; 4],
        operators: &'static [(&'static str, &'static str)],
        error: &'static str,
    }
    let cases = [
        Unfit {
            color: ColorFormat::Rgb,
            shape: [1, 3, 8, 8],
            operators: &[("resize", "{width: 8, height: 8}")],
            error: "the preprocess ends with a picture, not a tensor; expected a `torch-totensor`",
        },
        Unfit {
            color: ColorFormat::Rgb,
            shape: [1, 3, 8, 8],
            operators: &[("normalize", ""), ("torch-totensor", "")],
            error: "`normalize` works on a tensor, so it must stand after `torch-totensor`",
        },
        Unfit {
            color: ColorFormat::Rgb,
            shape: [1, 3, 8, 8],
            operators: &[("torch-totensor", ""), ("letterbox", "{width: 8, height: 8}")],
            error: "`letterbox` works on pixels, so it must stand before `torch-totensor`",
        },
        Unfit {
            color: ColorFormat::Bgr,
            shape: [1, 1, 8, 8],
            operators: &[("convert-color", "format: RGB2GRAY"), ("torch-totensor", "")],
            error: "`convert-color` expects RGB colors, found BGR",
        },
        Unfit {
            color: ColorFormat::Gray,
            shape: [1, 1, 8, 8],
            operators: &[
                ("centercrop", "{width: 8, height: 8}"),
                ("torch-totensor", ""),
                ("normalize", "mean: 1, 2, 3"),
            ],
            error: "`normalize` has 3 values for 1 channels",
        },
        Unfit {
            color: ColorFormat::Rgb,
            shape: [1, 3, 8, 9],
            operators: &[("centercrop", "{width: 8, height: 9}"), ("torch-totensor", "")],
            error: "the preprocess makes a tensor of shape [1, 3, 9, 8], but the model's input has shape [1, 3, 8, 9]",
        },
        Unfit {
            color: ColorFormat::Gray,
            shape: [1, 3, 8, 8],
            operators: &[("centercrop", "{width: 8, height: 8}"), ("torch-totensor", "")],
            error: "the preprocess makes a tensor of shape [1, 1, 8, 8], but the model's input has shape [1, 3, 8, 8]",
        },
    ];
    let picture = decode(&picture_bytes("photo.png")).expect("a picture");
    for Unfit { color, shape, operators, error } in cases {
        let operators = operators.iter().map(|(name, arguments)| operator(name, arguments)).collect();
        let preprocess = Preprocess { operators, input_color: color, layout: Layout::Nchw, shape };
        assert_eq!(preprocess.check().expect_err("unfit").to_string(), error);
        assert_eq!(preprocess.run(&picture).expect_err("unfit").to_string(), error);
    }
}

#[test]
fn a_picture_of_another_size_is_refused_where_no_operator_fixes_the_size() {
    let operators = vec![operator("torch-totensor", "")];
    let shape = [1, 3, 37, 54];
    let preprocess = Preprocess { operators, input_color: ColorFormat::Rgb, layout: Layout::Nchw, shape };
    assert_eq!(preprocess.check(), Ok(()));
    let found = [1, 3, 37, 53];
    let error = preprocess.run_bytes(&picture_bytes("photo.png"));
    assert_eq!(error, Err(ImagingError::WrongShape { expected: shape, found }));
}

/// Every file cut off at several places, and one byte changed at several places: an error or a picture, never a panic; cut
/// off in the middle, an error.
#[test]
fn damaged_files_are_errors() {
    let mut read = Vec::new();
    for path in fs::list(&folder()).expect("the fixtures") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "cases.json" || name == "tensors.bin" {
            continue;
        }
        let whole = picture_bytes(&name);
        for part in [0, 1, 4, 20, whole.len() / 2, whole.len() * 9 / 10] {
            if decode(&whole[..part]).is_ok() {
                read.push(format!("{name}: {part} of {} bytes", whole.len()));
            }
        }
        for place in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            let _ = decode(&bytes);
        }
    }
    assert!(read.is_empty(), "read as if whole:\n{}", read.join("\n"));
    assert_eq!(decode(b"no picture at all"), Err(ImagingError::UnknownFormat));
}

/// A JPEG may hold a whole one as its thumbnail, and anything may follow it.
#[test]
fn only_the_end_of_the_picture_itself_counts() {
    let whole = picture_bytes("photo.jpg");
    let thumbnail = [&[0xff, 0xe1, 0x00, 0x0a][..], &[0xff, 0xda, 0, 2, 1, 2, 0xff, 0xd9]].concat();
    let with_thumbnail = [&whole[..2], &thumbnail, &whole[2..]].concat();
    assert!(decode(&with_thumbnail).is_ok());
    let cut = &with_thumbnail[..with_thumbnail.len() - 2];
    assert!(matches!(decode(cut), Err(ImagingError::Undecodable(why)) if why.contains("cut short")));
    let with_more = [&whole[..], b"\xff\xda and a film"].concat();
    assert_eq!(decode(&with_more), decode(&whole));
}

#[test]
fn huge_pictures_are_refused_before_they_are_decoded() {
    // The size fields of a BMP: a file of some hundred bytes that claims 30,000 x 30,000 pixels.
    let mut bytes = picture_bytes("rgb.bmp");
    bytes[18..22].copy_from_slice(&30_000_i32.to_le_bytes());
    bytes[22..26].copy_from_slice(&30_000_i32.to_le_bytes());
    let error = decode(&bytes).expect_err("too large").to_string();
    assert_eq!(error, "the image would be 30000x30000 pixels; at most 16384x16384 and 512 MB are handled");
}
