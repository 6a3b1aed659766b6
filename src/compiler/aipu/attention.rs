//! Where attention blocks are: two products of computed tensors with a softmax between them, as in YOLO11.

use crate::compiler::onnx::Survey;

/// Operators that an attention block has around its products and its softmax.
fn only_moves(operator: &str) -> bool {
    matches!(operator, "Reshape" | "Transpose" | "Split")
}

/// For each node whether it stands in an attention block: a softmax that gets a product of two computed tensors of four
/// axes (scaled, maybe) and goes into another such product (transposed, maybe), and what moves their operands.
pub(super) fn attention(survey: &Survey<'_>) -> Vec<bool> {
    let mut inside = vec![false; survey.nodes.len()];
    let mut waiting = Vec::new();
    for (place, _) in survey.nodes.iter().enumerate().filter(|(_, node)| node.operator == "Softmax") {
        let Some(before) = product_before(survey, place) else { continue };
        let Some(after) = product_after(survey, place) else { continue };
        waiting.extend([place, before, after]);
    }
    for &place in &waiting {
        inside[place] = true;
    }
    while let Some(place) = waiting.pop() {
        let node = &survey.nodes[place];
        let producers = node.inputs.iter().flatten().filter_map(|operand| operand.producer);
        for next in producers.chain(node.readers.iter().copied()) {
            if !inside[next] && only_moves(&survey.nodes[next].operator) {
                inside[next] = true;
                waiting.push(next);
            }
        }
    }
    inside
}

fn is_product(survey: &Survey<'_>, place: usize) -> bool {
    let node = &survey.nodes[place];
    let computed = |operand: &crate::compiler::onnx::Operand| {
        !operand.is_constant && operand.shape.as_ref().is_none_or(|shape| shape.len() == 4)
    };
    node.operator == "MatMul" && node.inputs.iter().flatten().all(computed)
}

/// The product that a softmax gets, through at most one scaling.
fn product_before(survey: &Survey<'_>, softmax: usize) -> Option<usize> {
    let producer = |place: usize| {
        survey.nodes[place].inputs.iter().flatten().find(|operand| !operand.is_constant).and_then(|x| x.producer)
    };
    let before = producer(softmax)?;
    let scaled = matches!(survey.nodes[before].operator.as_str(), "Mul" | "Div");
    let product = if scaled { producer(before)? } else { before };
    is_product(survey, product).then_some(product)
}

/// The product that a softmax goes into, through at most one transposition.
fn product_after(survey: &Survey<'_>, softmax: usize) -> Option<usize> {
    let reader = *survey.nodes[softmax].readers.first()?;
    let product = match survey.nodes[reader].operator.as_str() {
        "Transpose" => *survey.nodes[reader].readers.first()?,
        _ => reader,
    };
    is_product(survey, product).then_some(product)
}
