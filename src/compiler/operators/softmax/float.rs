//! Shape rule and export of softmax.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;

/// The input's shape; the axis must be one of it.
pub fn output_shape(input: &[usize], axis: usize) -> Result<Vec<usize>, String> {
    if axis < input.len() { Ok(input.to_vec()) } else { Err(format!("the axis {axis} is outside {input:?}")) }
}

pub(crate) fn export(axis: usize, node: &ExportedNode<'_>, writer: &mut Writer) {
    writer.node("Softmax", node, &[], vec![AttributeProto::int("axis", axis as i64)]);
}
