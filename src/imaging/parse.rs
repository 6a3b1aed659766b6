//! From an operator's name and arguments in a card to the operator as data.

use super::ColorFormat;
use super::arguments::Arguments;
use super::arguments::OperatorProblem;
use super::operator::{Conversion, Interpolation, PreprocessOperator, ResizeTarget, SIDE_LIMIT};
use crate::base::did_you_mean;
use crate::base::nearest;
use crate::yaml::Node;

/// Operators that the SDK has and the embedded toolchain does not run.
const ELSEWHERE: &[&str] = &[
    "camera-undistort",
    "convert-color-input",
    "crop",
    "face-align",
    "perspective",
    "permute-channels",
    "polar",
    "to-tensor",
    "type-cast",
];

impl PreprocessOperator {
    /// Reads one operator. `name` is compared with `-` and `_` removed, as the SDK does; `arguments` is the value beside
    /// it, null for none. All problems are reported.
    pub fn parse(name: &str, arguments: &Node) -> Result<Self, Vec<OperatorProblem>> {
        let Some(known) = Self::NAMES.iter().find(|known| plain(known) == plain(name)) else {
            return Err(vec![unknown_operator(name, arguments)]);
        };
        if !arguments.is_mapping() && !arguments.is_null() {
            let message = format!("`{known}` expects a mapping of arguments, found {}", arguments.describe());
            return Err(vec![OperatorProblem { span: arguments.span, message, hint: None }]);
        }
        let mut arguments = Arguments::new(known, arguments);
        let operator = match *known {
            "resize" => resize(&mut arguments),
            "centercrop" => Self::CenterCrop {
                width: arguments.required_integer("width", 1, SIDE_LIMIT),
                height: arguments.required_integer("height", 1, SIDE_LIMIT),
            },
            "letterbox" => Self::Letterbox {
                width: arguments.required_integer("width", 1, SIDE_LIMIT),
                height: arguments.required_integer("height", 1, SIDE_LIMIT),
                scaleup: arguments.boolean("scaleup", true),
                half_pixel_centers: arguments.boolean("half_pixel_centers", false),
                pad_val: arguments.integer("pad_val", 0, 255).map_or(114, |value| value as u8),
            },
            "torch-totensor" => to_tensor(&mut arguments),
            "normalize" => {
                let operator = Self::Normalize {
                    mean: arguments.values("mean", 0.0, false),
                    std: arguments.values("std", 1.0, true),
                };
                arguments.only("tensor_layout", "NCHW", None);
                arguments.only("format", "RGB", None);
                operator
            }
            "linear-scaling" => {
                let operator = Self::LinearScaling {
                    mean: arguments.values("mean", 1.0, true),
                    shift: arguments.values("shift", 0.0, false),
                };
                arguments.only("tensor_layout", "NCHW", None);
                operator
            }
            _ => convert_color(&mut arguments),
        };
        let problems = arguments.finish();
        if problems.is_empty() { Ok(operator) } else { Err(problems) }
    }
}

/// A name without what the SDK does not compare.
fn plain(name: &str) -> String {
    name.replace(['-', '_'], "")
}

fn unknown_operator(name: &str, arguments: &Node) -> OperatorProblem {
    let ticked: Vec<String> = PreprocessOperator::NAMES.iter().map(|name| format!("`{name}`")).collect();
    let known = format!("the embedded toolchain has {}", ticked.join(", "));
    let (message, hint) = if ELSEWHERE.iter().any(|other| plain(other) == plain(name)) {
        (format!("the preprocess operator `{name}` is not supported by the embedded toolchain"), known)
    } else {
        let hint = did_you_mean(&nearest(name, PreprocessOperator::NAMES.iter().copied()));
        (format!("unknown preprocess operator `{name}`"), hint.unwrap_or(known))
    };
    OperatorProblem { span: arguments.span, message, hint: Some(hint) }
}

fn resize(arguments: &mut Arguments<'_>) -> PreprocessOperator {
    // The SDK's default is 0 for each, and 0 is "not given" to it.
    let before = arguments.problems.len();
    let sides = ["size", "width", "height"].map(|name| (name, arguments.integer_or_zero(name, SIDE_LIMIT)));
    let [size, width, height] = sides.map(|(_, value)| value.filter(|value| *value > 0));
    let given = (size, width, height);
    let target = match given {
        (Some(size), None, None) => ResizeTarget::SmallerSide(size),
        (None, Some(width), Some(height)) => ResizeTarget::Exactly { width, height },
        _ => {
            if arguments.problems.len() == before {
                let said = sides.iter().filter_map(|(name, value)| match value {
                    Some(0) => Some(format!("`{name}` as 0 (a side is from 1)")),
                    value => value.map(|_| format!("`{name}`")),
                });
                let said: Vec<String> = said.collect();
                let found = if said.is_empty() { "none of them".to_owned() } else { said.join(" and ") };
                arguments
                    .problem_of_all(format!("`resize` needs either `size` or `width` and `height`, found {found}"));
            }
            ResizeTarget::SmallerSide(1)
        }
    };
    let words = Interpolation::ALL.map(|interpolation| (interpolation.word(), interpolation));
    let interpolation = arguments.word("interpolation", &words).unwrap_or(Interpolation::Bilinear);
    let half_pixel_centers = arguments.boolean("half_pixel_centers", false);
    if half_pixel_centers && matches!(interpolation, Interpolation::Bicubic | Interpolation::Lanczos) {
        let word = interpolation.word();
        arguments.problem_of_all(format!(
            "`resize` with `half_pixel_centers` is supported for `bilinear` and `nearest` only, found `{word}`"
        ));
    }
    let words = ColorFormat::ALL.map(|format| (format.word(), format));
    let input_color = arguments.word("input_color_format", &words);
    PreprocessOperator::Resize { target, interpolation, half_pixel_centers, input_color }
}

fn to_tensor(arguments: &mut Arguments<'_>) -> PreprocessOperator {
    let scale = arguments.boolean("scale", true);
    arguments.only("input_layout", "NHWC", None);
    arguments.only("output_layout", "NCHW", Some("the layout is that of the model's `input_tensor_layout`"));
    arguments.only("datatype", "float32", None);
    PreprocessOperator::TorchToTensor { scale }
}

fn convert_color(arguments: &mut Arguments<'_>) -> PreprocessOperator {
    let before = arguments.problems.len();
    let words = Conversion::ALL.map(|conversion| (conversion.word(), conversion));
    let format = arguments.word("format", &words);
    if format.is_none() && arguments.problems.len() == before {
        arguments.problem_of_all("`convert-color` needs `format`, such as `RGB2BGR`".to_owned());
    }
    PreprocessOperator::ConvertColor { format: format.unwrap_or(Conversion::RgbToBgr) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;
    use crate::yaml;

    /// What a card's `name: arguments` reads as: the operator as JSON, or the problems, one a line.
    fn read(name: &str, arguments: &str) -> String {
        let source = Source::new("card.yaml", arguments);
        let node = yaml::parse(&source).expect("YAML");
        match PreprocessOperator::parse(name, &node) {
            Ok(operator) => {
                let json = serde_json::to_string(&operator).expect("JSON");
                assert_eq!(serde_json::from_str::<PreprocessOperator>(&json).expect("read back"), operator);
                json
            }
            Err(problems) => {
                let line = |problem: OperatorProblem| match problem.hint {
                    Some(hint) => format!("{} ({hint})", problem.message),
                    None => problem.message,
                };
                problems.into_iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn arguments_are_read_and_defaults_filled_in() {
        struct Case(&'static str, &'static str, &'static str);
        let cases = [
            Case(
                "resize",
                "size: 256",
                r#"{"resize":{"target":{"smallerside":256},"interpolation":"bilinear","half_pixel_centers":false,"input_color":null}}"#,
            ),
            Case(
                "resize",
                "{width: 640, height: '480', interpolation: bicubic, input_color_format: bgr}",
                r#"{"resize":{"target":{"exactly":{"width":640,"height":480}},"interpolation":"bicubic","half_pixel_centers":false,"input_color":"BGR"}}"#,
            ),
            Case("center_crop", "{width: 224, height: 200}", r#"{"centercrop":{"width":224,"height":200}}"#),
            Case(
                "letterbox",
                "{width: 640, height: 320, scaleup: no, half_pixel_centers: True}",
                r#"{"letterbox":{"width":640,"height":320,"scaleup":false,"half_pixel_centers":true,"pad_val":114}}"#,
            ),
            Case("torch-totensor", "", r#"{"torch-totensor":{"scale":true}}"#),
            Case("torch_to_tensor", "scale: False", r#"{"torch-totensor":{"scale":false}}"#),
            Case(
                "normalize",
                "{mean: '0.485, 0.456, 0.406', std: [0.229, 0.224, 0.225]}",
                r#"{"normalize":{"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}}"#,
            ),
            Case("normalize", "mean: 0.5, 0.5, 0.5\nstd: 1/2", r#"{"normalize":{"mean":[0.5],"std":[0.5]}}"#),
            Case("linear-scaling", "mean: 127.5\nshift: -1.", r#"{"linear-scaling":{"mean":[127.5],"shift":[-1.0]}}"#),
            Case("convert-color", "format: rgb2gray", r#"{"convert-color":{"format":"RGB2GRAY"}}"#),
        ];
        for Case(name, arguments, expected) in cases {
            assert_eq!(read(name, arguments), expected, "{name}: {arguments}");
        }
    }

    #[test]
    fn every_problem_is_reported() {
        struct Case(&'static str, &'static str, &'static str);
        let cases = [
            Case("resize", "", "`resize` needs either `size` or `width` and `height`, found none of them"),
            Case(
                "resize",
                "{size: 256, width: 20}",
                "`resize` needs either `size` or `width` and `height`, found `size` and `width`",
            ),
            Case(
                "resize",
                "{width: 0, height: 28}",
                "`resize` needs either `size` or `width` and `height`, found `width` as 0 (a side is from 1) and `height`",
            ),
            Case("resize", "size: -1", "`size` expects a whole number from 1 to 16384, found the integer -1"),
            Case(
                "resize",
                "size: 256\ninterpolation: bilinaer\nantialias: true",
                "`interpolation` expects one of `nearest`, `bilinear`, `bicubic`, `lanczos`, found the text `bilinaer` (did you mean \
                 `bilinear`?)\n`resize` has no argument `antialias` (its arguments are `size`, `width`, `height`, \
                 `interpolation`, `half_pixel_centers`, `input_color_format`)",
            ),
            Case(
                "letterbox",
                "{width: 0, heigth: 640, scaleup: perhaps}",
                "`letterbox` needs `height`\n`width` expects a whole number from 1 to 16384, found the integer 0\n`letterbox` has no \
                 argument `heigth` (did you mean `height`?)\n`scaleup` expects `True` or `False`, found the text `perhaps`",
            ),
            Case("normalize", "std: 0", "`std` is divided by, so it cannot be 0"),
            Case("normalize", "mean: [1, 2]", "`mean` expects 1, 3 or 4 numbers, found 2"),
            Case(
                "normalize",
                "mean: inf",
                "`mean` expects numbers such as `0.5` or `0.485, 0.456, 0.406`, found the text `inf`",
            ),
            Case(
                "torch-totensor",
                "datatype: uint8",
                "`datatype` is supported as `float32` only, found the text `uint8`",
            ),
            Case("centercrop", "[224, 224]", "`centercrop` expects a mapping of arguments, found a list"),
            Case("convert-color", "", "`convert-color` needs `format`, such as `RGB2BGR`"),
            Case("resise", "", "unknown preprocess operator `resise` (did you mean `resize`?)"),
            Case(
                "camera-undistort",
                "",
                "the preprocess operator `camera-undistort` is not supported by the embedded toolchain (the embedded \
                 toolchain has `resize`, `centercrop`, `letterbox`, `torch-totensor`, `normalize`, `linear-scaling`, \
                 `convert-color`)",
            ),
        ];
        let mut wrong = Vec::new();
        for Case(name, arguments, expected) in cases {
            let found = read(name, arguments);
            if found != expected {
                wrong.push(format!("{name}: {arguments}\n  expected {expected}\n  found    {found}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
