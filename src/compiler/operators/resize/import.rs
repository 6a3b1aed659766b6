//! Reading ONNX Resize (opsets 10, 11, 13, 18) and Upsample (7, 9).

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Coordinates;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::movement::axes;

type Imported = Result<Vec<ValueId>, Refusal>;

/// What the output's size is given by: one entry an axis of the input.
enum Target {
    Scales(Vec<f32>),
    Sizes(Vec<i64>),
}

/// Upsample: scales are an attribute at opset 7 and an input at 9; coordinates are x/scale, nearest rounds down.
pub(crate) fn upsample(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let mode = old_mode(node)?;
    let scales = match node.floats("scales")? {
        Some(scales) => scales,
        None => builder.floats(node.input(1)?, "scales")?.to_vec(),
    };
    push(node.input(0)?, mode, Coordinates::Asymmetric, Target::Scales(scales), builder)
}

/// The `mode` of Upsample and of Resize at opset 10.
fn old_mode(node: &mut OnnxNode<'_>) -> Result<ResizeMode, Refusal> {
    match node.text("mode")?.as_deref() {
        None | Some("nearest") => Ok(ResizeMode::NearestFloor),
        Some("linear" | "bilinear") => Ok(ResizeMode::Linear),
        Some(other) => Err(Refusal::new(format!("`mode` is `{other}`; nearest and linear are supported"))),
    }
}

/// Resize.
pub(crate) fn resize(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    if node.opset() < 11 {
        let scales = builder.floats(node.input(1)?, "scales")?.to_vec();
        return push(x, old_mode(node)?, Coordinates::Asymmetric, Target::Scales(scales), builder);
    }
    let coordinates = match node.text("coordinate_transformation_mode")?.as_deref() {
        None | Some("half_pixel") => Coordinates::HalfPixel,
        Some("pytorch_half_pixel") => Coordinates::PytorchHalfPixel,
        Some("asymmetric") => Coordinates::Asymmetric,
        Some("align_corners") => Coordinates::AlignCorners,
        Some(other) => {
            let message = format!("`coordinate_transformation_mode` is `{other}`, which is not supported");
            return Err(Refusal::new(message));
        }
    };
    let nearest = match node.text("nearest_mode")?.as_deref() {
        None | Some("round_prefer_floor") => ResizeMode::NearestPreferFloor,
        Some("round_prefer_ceil") => ResizeMode::NearestPreferCeil,
        Some("floor") => ResizeMode::NearestFloor,
        Some("ceil") => ResizeMode::NearestCeil,
        Some(other) => return Err(Refusal::new(format!("`nearest_mode` is `{other}`, which is not supported"))),
    };
    let mode = match node.text("mode")?.as_deref() {
        None | Some("nearest") => nearest,
        Some("linear") => ResizeMode::Linear,
        Some(other) => {
            return Err(Refusal::new(format!("`mode` is `{other}`; nearest and linear are supported")));
        }
    };
    // These say something only of cubic resampling and of crops, which are refused above.
    node.ignore(&["cubic_coeff_a", "extrapolation_value"]);
    if node.integer("exclude_outside")?.unwrap_or(0) != 0 || node.integer("antialias")?.unwrap_or(0) != 0 {
        return Err(Refusal::new("`exclude_outside` or `antialias` is set; neither is supported"));
    }
    if let Some(policy) = node.text("keep_aspect_ratio_policy")?
        && policy != "stretch"
    {
        let message = format!("`keep_aspect_ratio_policy` is `{policy}`; only `stretch` is supported");
        return Err(Refusal::new(message));
    }
    let rank = builder.shape(x).len();
    let places = match node.integers("axes")? {
        Some(values) => axes(&values, rank)?,
        None => (0..rank).collect(),
    };
    let target = target(node, builder, x, &places)?;
    push(x, mode, coordinates, target, builder)
}

/// Scales or sizes, spread from the axes they are for to all axes.
fn target(node: &OnnxNode<'_>, builder: &Builder, x: ValueId, places: &[usize]) -> Result<Target, Refusal> {
    let shape = builder.shape(x);
    let wrong = |count: usize| Refusal::new(format!("{count} scales or sizes for {} axes", places.len()));
    let present = |place: usize| node.optional(place).filter(|&id| !builder.shape(id).contains(&0));
    if let Some(id) = present(3) {
        let values = builder.integers(id, "sizes")?;
        if values.len() != places.len() {
            return Err(wrong(values.len()));
        }
        let mut sizes: Vec<i64> = shape.iter().map(|&dimension| dimension as i64).collect();
        for (&place, &size) in places.iter().zip(values) {
            sizes[place] = size;
        }
        return Ok(Target::Sizes(sizes));
    }
    let id = present(2).ok_or_else(|| Refusal::new("neither `scales` nor `sizes` is given"))?;
    let values = builder.floats(id, "scales")?;
    if values.len() != places.len() {
        return Err(wrong(values.len()));
    }
    let mut scales = vec![1.0; shape.len()];
    for (&place, &scale) in places.iter().zip(values) {
        scales[place] = scale;
    }
    Ok(Target::Scales(scales))
}

fn push(x: ValueId, mode: ResizeMode, coordinates: Coordinates, target: Target, builder: &mut Builder) -> Imported {
    let input = builder.shape(x).to_vec();
    let (output, scales) = match target {
        Target::Scales(scales) if scales.len() == input.len() => {
            let output: Option<Vec<usize>> =
                input.iter().zip(&scales).map(|(&size, &scale)| Resize::scaled(size, scale)).collect();
            (
                output.ok_or_else(|| Refusal::new(format!("the scales {scales:?} of {input:?} are out of range")))?,
                scales,
            )
        }
        Target::Sizes(sizes) if sizes.len() == input.len() => {
            let output: Option<Vec<usize>> =
                sizes.iter().map(|&size| usize::try_from(size).ok().filter(|&size| size > 0)).collect();
            let output = output.ok_or_else(|| Refusal::new(format!("the sizes {sizes:?} are out of range")))?;
            let scales = output.iter().zip(&input).map(|(&output, &input)| output as f32 / input as f32).collect();
            (output, scales)
        }
        Target::Scales(_) | Target::Sizes(_) => {
            return Err(Refusal::new(format!("it needs one scale or size for each axis of {input:?}")));
        }
    };
    Resize::check_shapes(&input, &output)?;
    let resize = Resize { mode, coordinates, scales: [scales[2], scales[3]] };
    Ok(vec![builder.push(Operator::Resize(resize), vec![x], output)?])
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn resampling_is_read_at_every_opset() {
        check(&[
            Case(
                "Upsample-7",
                "x[1,3,2,2]",
                "scales=[1.0,1.0,2.0,3.0]",
                Ok("[1, 3, 4, 6] = resize mode=NearestFloor coordinates=Asymmetric scales=[2.0, 3.0]"),
            ),
            Case(
                "Upsample-9",
                "x[1,3,2,2] f[1.0,1.0,2.0,2.0]",
                "mode=linear",
                Ok("mode=Linear coordinates=Asymmetric"),
            ),
            Case(
                "Resize-10",
                "x[1,3,2,2] f[1.0,1.0,1.5,2.0]",
                "",
                Ok("[1, 3, 3, 4] = resize mode=NearestFloor coordinates=Asymmetric"),
            ),
            Case(
                "Resize-11",
                "x[1,3,2,2] f[] f[1.0,1.0,2.0,2.0]",
                "",
                Ok("mode=NearestPreferFloor coordinates=HalfPixel"),
            ),
            Case(
                "Resize-13",
                "x[1,3,2,2] - - i[1,3,5,7]",
                "mode=linear coordinate_transformation_mode=align_corners",
                Ok("[1, 3, 5, 7] = resize mode=Linear coordinates=AlignCorners scales=[2.5, 3.5]"),
            ),
            Case("Resize-18", "x[1,3,2,2] - f[2.0,4.0]", "axes=[3,2]", Ok("[1, 3, 8, 4]")),
        ]);
    }

    #[test]
    fn other_resampling_is_refused() {
        check(&[
            Case("Resize-13", "x[1,3,2,2] - f[1.0,1.0,2.0,2.0]", "mode=cubic", Err("`mode` is `cubic`")),
            Case("Resize-13", "x[1,3,2,2] - f[1.0,2.0,2.0,2.0]", "", Err("only H and W can be resized")),
            Case("Resize-13", "x[1,3,2,2] - f[1.0,1.0,1e30,2.0]", "", Err("out of range")),
            Case("Resize-13", "x[1,3,2,2] - f[2.0,2.0]", "", Err("2 scales or sizes for 4 axes")),
            Case("Resize-13", "x[1,3,2,2]", "", Err("neither `scales` nor `sizes` is given")),
            Case(
                "Resize-18",
                "x[1,3,2,2] - f[1.0,1.0,2.0,2.0]",
                "antialias=1",
                Err("`exclude_outside` or `antialias` is set"),
            ),
            Case(
                "Resize-13",
                "x[1,3,2,2] - f[1.0,1.0,2.0,2.0]",
                "coordinate_transformation_mode=tf_crop_and_resize",
                Err("tf_crop_and_resize"),
            ),
        ]);
    }
}
