//! The card's input against the model's: how many, shape, layout, channels.

use crate::cards::Card;
use crate::cards::Model;
use crate::compiler::onnx::DeclaredInput;
use crate::compiler::onnx::ImportOptions;
use crate::compiler::onnx::OnnxFile;
use crate::compiler::onnx::shape_text;
use crate::diag::Diagnostic;
use crate::imaging::Layout;

/// What is wrong with the input, and how the model can be read all the same; `None` where it cannot.
pub(super) fn check(
    file: &OnnxFile,
    card: &Card,
    model: &Model,
    problems: &mut Vec<Diagnostic>,
) -> Option<ImportOptions> {
    let inputs = file.inputs();
    let [input] = inputs.as_slice() else {
        let names: Vec<String> = inputs.iter().take(10).map(|input| format!("`{}`", input.name)).collect();
        let message = match names.as_slice() {
            [] => "the model has no input; a card describes one".to_owned(),
            names => format!("the model has {} inputs ({}); a card describes one", inputs.len(), names.join(", ")),
        };
        let hint = "export the model with one input, the image, and with constants in place of others";
        problems.push(Diagnostic::error("onnx/inputs", message).hint(hint));
        return closed(&inputs).then(ImportOptions::default);
    };
    let given = model.input_shape?;
    let at_shape = |problem: Diagnostic| problem.at(&card.source, model.input_shape_span);
    let shape = input.shape.as_deref();
    if shape.is_some_and(|shape| !fits(shape, &given)) {
        problems.push(at_shape(mismatch(input, model, given)));
        return closed(&inputs).then(ImportOptions::default);
    }
    let channels = model.layout.to_nchw(given)[1];
    if channels != model.color.channels() {
        let other = usual_layout_with(given, model.color.channels(), model.layout);
        let color = format!("the color format `{}` has {}", model.color, count(model.color.channels(), "channel"));
        let message = format!("{given:?} in the layout {} has {}; {color}", model.layout, count(channels, "channel"));
        let problem = match other {
            Some(other) => Diagnostic::error("onnx/layout", format!("{message}, as the shape has in {other}"))
                .hint(format!("write `input_tensor_layout: {other}`")),
            None => Diagnostic::warning("onnx/channels", message).hint(channels_hint(channels)),
        };
        problems.push(at_shape(problem));
    }
    if let Some(shape) = shape.filter(|shape| shape.iter().skip(1).any(Option::is_none)) {
        let (name, text) = (&input.name, shape_text(shape));
        let message = format!("the input `{name}` is {text} in the model; it is compiled with the card's {given:?}");
        problems.push(at_shape(Diagnostic::note("onnx/dynamic-shape", message)));
    }
    Some(ImportOptions { input_shapes: vec![given.to_vec()] })
}

/// What to do where no usual layout makes the channels those of the color format.
fn channels_hint(channels: usize) -> String {
    let format = match channels {
        1 => "write `input_color_format: GRAY`",
        3 => "write `input_color_format: RGB` or `BGR`",
        4 => "write `input_color_format: RGBA` or `BGRA`",
        _ => "no color format has so many channels: correct `input_tensor_shape`",
    };
    format!("{format}, or take the weights that belong to the card")
}

/// Whether every dimension but the batch is known without the card.
fn closed(inputs: &[DeclaredInput]) -> bool {
    inputs.iter().all(|input| input.shape.as_ref().is_some_and(|shape| shape.iter().skip(1).all(Option::is_some)))
}

fn fits(declared: &[Option<usize>], given: &[usize]) -> bool {
    declared.len() == given.len()
        && declared.iter().zip(given).all(|(declared, given)| declared.is_none_or(|declared| declared == *given))
}

/// A card that says another shape than the model: maybe only the order of the axes.
fn mismatch(input: &DeclaredInput, model: &Model, given: [usize; 4]) -> Diagnostic {
    let declared = input.shape.as_deref().unwrap_or_default();
    let (name, text) = (&input.name, shape_text(declared));
    if let Some((layout, shape)) = reordered(declared, given, model.layout) {
        let message = format!(
            "the input `{name}` is {text} in the model; the card's {given:?} in {} has its axes in another order",
            model.layout
        );
        let hint = format!("write `input_tensor_layout: {layout}` and `input_tensor_shape: {shape:?}`");
        return Diagnostic::error("onnx/layout", message).hint(hint);
    }
    let message = format!("the input `{name}` is {text} in the model; `input_tensor_shape` is {given:?}");
    let hint = if declared.len() == 4 {
        // Where the model leaves a dimension open, the card's stays.
        let right = declared.iter().zip(given).map(|(declared, given)| declared.unwrap_or(given));
        format!(
            "write `input_tensor_shape: {:?}`, or take the weights that belong to the card",
            right.collect::<Vec<_>>()
        )
    } else {
        "only images of four axes can be given; export the model with such an input".to_owned()
    };
    Diagnostic::error("onnx/input-shape", message).hint(hint)
}

/// The layout and the shape that the model has, where the card's shape is the same image in another order of axes: it is
/// written as the card's layout says and the model has another, or it is written as another says.
fn reordered(declared: &[Option<usize>], given: [usize; 4], layout: Layout) -> Option<(Layout, [usize; 4])> {
    let written = [layout, Layout::Nchw, Layout::Nhwc];
    let mut pairs = written.into_iter().flat_map(|written| {
        [layout, Layout::Nchw, Layout::Nhwc, Layout::Chwn].map(|meant| (meant, meant.from_nchw(written.to_nchw(given))))
    });
    pairs.find(|(_, shape)| fits(declared, shape))
}

/// The other of the two usual layouts, where a shape has so many channels in it.
fn usual_layout_with(shape: [usize; 4], channels: usize, but: Layout) -> Option<Layout> {
    [Layout::Nchw, Layout::Nhwc].into_iter().find(|&layout| layout != but && layout.to_nchw(shape)[1] == channels)
}

/// "1 channel", "3 channels".
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
