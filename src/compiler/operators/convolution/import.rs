//! Reading ONNX Conv.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Operator;
use crate::compiler::operators::window;

/// Conv: the kernel is the weights'; `kernel_shape` must agree where it is given.
pub(crate) fn conv(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let (x, weights) = (node.input(0)?, node.input(1)?);
    let size = window::spatial(builder.shape(x))?;
    let weight_shape = builder.shape(weights).to_vec();
    let &[outputs, _, kernel_height, kernel_width] = weight_shape.as_slice() else {
        return Err(Refusal::new(format!(
            "its weights have the shape {weight_shape:?}; expected [O, C/group, kh, kw]"
        )));
    };
    let kernel = [kernel_height, kernel_width];
    if let Some(declared) = node.integers("kernel_shape")?
        && declared != kernel.map(|k| k as i64)
    {
        return Err(Refusal::new(format!("`kernel_shape` is {declared:?} and its weights have {kernel:?}")));
    }
    let group = node.integer("group")?.unwrap_or(1);
    let group = usize::try_from(group).map_err(|_| Refusal::new(format!("`group` is {group}")))?;
    let window = window::read_window(node, size, kernel)?;
    let convolution = Convolution { strides: window.strides, pads: window.pads, dilations: window.dilations, group };
    builder.floats(weights, "weights")?;
    let mut inputs = vec![x, weights];
    if let Some(bias) = node.optional(2) {
        if builder.floats(bias, "bias")?.len() != outputs || builder.shape(bias).len() != 1 {
            let found = builder.shape(bias);
            return Err(Refusal::new(format!("its bias has the shape {found:?}; expected [{outputs}]")));
        }
        inputs.push(bias);
    }
    let shape = convolution.output_shape(builder.shape(x), &weight_shape)?;
    Ok(vec![builder.push(Operator::Convolution(convolution), inputs, shape)?])
}
