//! Shape rule and export of a dense layer.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;

/// `[..,K]` times `[K,N]` is `[..,N]`; an error says what does not fit.
pub fn output_shape(input: &[usize], weights: &[usize]) -> Result<Vec<usize>, String> {
    match (input, weights) {
        ([outer @ .., k], [rows, columns]) if k == rows => {
            let mut shape = outer.to_vec();
            shape.push(*columns);
            Ok(shape)
        }
        _ => Err(format!("an input {input:?} cannot be multiplied by weights {weights:?}")),
    }
}

/// Gemm for a matrix, `MatMul` and Add otherwise.
pub(crate) fn export(node: &ExportedNode<'_>, writer: &mut Writer) {
    let is_matrix = node.input_shapes.first().is_some_and(|shape| shape.len() == 2);
    if is_matrix {
        writer.node("Gemm", node, &[], vec![]);
    } else if let &[x, weights, bias] = node.inputs.as_slice() {
        let product = writer.unused_name(&format!("{}/product", node.output));
        writer.raw_node("MatMul", node.name, &[x, weights], &product, vec![]);
        writer.raw_node("Add", node.name, &[&product, bias], node.output, vec![]);
    } else {
        writer.node("MatMul", node, &[], vec![]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_axis_is_multiplied() {
        assert_eq!(output_shape(&[1, 5], &[5, 7]), Ok(vec![1, 7]));
        assert_eq!(output_shape(&[1, 4, 4, 5], &[5, 7]), Ok(vec![1, 4, 4, 7]));
        assert!(output_shape(&[1, 5], &[4, 7]).is_err());
        assert!(output_shape(&[], &[4, 7]).is_err());
        assert!(output_shape(&[4], &[4]).is_err());
    }
}
