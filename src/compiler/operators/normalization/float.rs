//! Shape rules and export of normalizations.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;

/// The first input's shape; the four others have one value a channel (axis 1).
pub fn output_shape(inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    match inputs {
        [x, scale, bias, mean, variance] => {
            let channels = *x.get(1).ok_or_else(|| format!("its input {x:?} has no channels"))?;
            match [scale, bias, mean, variance].into_iter().find(|shape| ***shape != [channels]) {
                Some(wrong) => Err(format!("a statistic has the shape {wrong:?}; expected [{channels}]")),
                None => Ok(x.to_vec()),
            }
        }
        _ => Err(format!("it has {} inputs; expected 5", inputs.len())),
    }
}

/// The first input's shape; scale and bias have one value a channel (axis 1).
pub fn instance_output_shape(inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    match inputs {
        [x, scale, bias] if x.len() >= 3 => match [scale, bias].into_iter().find(|shape| ***shape != [x[1]]) {
            Some(wrong) => Err(format!("its scale or bias has the shape {wrong:?}; expected [{}]", x[1])),
            None => Ok(x.to_vec()),
        },
        [x, _, _] => Err(format!("its input has the shape {x:?}; expected [N, C, …] with at least one axis more")),
        _ => Err(format!("it has {} inputs; expected 3", inputs.len())),
    }
}

pub(crate) fn export_instance(epsilon: f32, node: &ExportedNode<'_>, writer: &mut Writer) {
    writer.node("InstanceNormalization", node, &[], vec![AttributeProto::float("epsilon", epsilon)]);
}

pub(crate) fn export(epsilon: f32, node: &ExportedNode<'_>, writer: &mut Writer) {
    writer.node("BatchNormalization", node, &[], vec![AttributeProto::float("epsilon", epsilon)]);
}
