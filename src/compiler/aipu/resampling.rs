//! Constraints on Resize, and on Upsample, which is a Resize of older opsets.

use crate::compiler::aipu::constraint::Constraint;
use crate::compiler::aipu::constraint::Verdict;
use crate::compiler::onnx::SurveyedNode;

/// Mode, coordinates and rounding in today's words.
struct Form<'a> {
    mode: &'a str,
    coordinates: &'a str,
    rounding: &'a str,
}

fn form<'a>(node: &'a SurveyedNode<'_>) -> Form<'a> {
    let mode = match node.text("mode").unwrap_or("nearest") {
        "bilinear" => "linear",
        other => other,
    };
    // Before opset 11 there was one way: x divided by the scale, rounded down.
    if node.operator == "Upsample" || node.opset < 11 {
        return Form { mode, coordinates: "asymmetric", rounding: "floor" };
    }
    Form {
        mode,
        coordinates: node.text("coordinate_transformation_mode").unwrap_or("half_pixel"),
        rounding: node.text("nearest_mode").unwrap_or("round_prefer_floor"),
    }
}

pub(super) fn judge(constraint: Constraint, node: &SurveyedNode<'_>) -> Verdict {
    let Form { mode, coordinates, rounding } = form(node);
    match constraint {
        Constraint::ResizeMode(modes) => Verdict::of(Some(modes.contains(&mode)), || format!("the mode is {mode}")),
        Constraint::NoRegion => {
            let is_old = node.operator == "Upsample" || node.opset < 11;
            let region = node.input_shape(1).filter(|shape| !is_old && !shape.contains(&0));
            Verdict::of(Some(region.is_none()), || "a region of interest is given".to_owned())
        }
        Constraint::ResizeCoordinates => {
            let is_nearest = mode == "nearest";
            let fits = match coordinates {
                "half_pixel" | "pytorch_half_pixel" => {
                    !is_nearest || matches!(rounding, "round_prefer_floor" | "round_prefer_ceil")
                }
                "asymmetric" => is_nearest && rounding == "floor",
                _ => false,
            };
            Verdict::of(Some(fits), || match mode {
                "nearest" => format!("nearest, {coordinates}, {rounding}"),
                mode => format!("{mode}, {coordinates}"),
            })
        }
        // `ResizeFactor`, the only one left.
        _ => factor(node, mode),
    }
}

fn factor(node: &SurveyedNode<'_>, mode: &str) -> Verdict {
    let (Some(&[_, _, height, width]), Some(&[_, _, rows, columns])) =
        (node.input_shape(0), node.output_shape.as_deref())
    else {
        return match node.input_shape(0).zip(node.output_shape.as_deref()) {
            Some((x, _)) => Verdict::Fails(format!("the input has {} axes", x.len())),
            None => Verdict::Unknown,
        };
    };
    let pairs = [(height, rows), (width, columns)];
    if pairs.iter().any(|(from, _)| *from == 0) {
        return Verdict::Unknown;
    }
    let fits = if mode == "linear" {
        pairs.iter().all(|(from, to)| to % from == 0) && rows / height == columns / width
    } else {
        pairs.iter().all(|(from, to)| to % from <= 1 || to % from == from - 1)
    };
    Verdict::of(Some(fits), || format!("{mode} from {height}×{width} to {rows}×{columns}"))
}
