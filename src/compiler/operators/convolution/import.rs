//! Reading ONNX Conv.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::operators::window;

/// Conv: the kernel is the weights'; `kernel_shape` must agree where it is given.
pub(crate) fn conv(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    Ok(vec![read(node, builder)?])
}

/// `FusedConv` of ONNX Runtime's optimizer: a Conv, the sum with the fourth input where there is one, and an activation.
pub(crate) fn fused_conv(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let name = node.text("activation")?.unwrap_or_default();
    let parameters = node.floats("activation_params")?.unwrap_or_default();
    let mut output = read(node, builder)?;
    let shape = builder.shape(output).to_vec();
    if let Some(addend) = node.optional(3) {
        if builder.shape(addend) != shape {
            let found = builder.shape(addend);
            return Err(Refusal::new(format!("what it adds has the shape {found:?}; expected {shape:?}")));
        }
        output = builder.push(Operator::Arithmetic(Arithmetic::Add), vec![output, addend], shape.clone())?;
    }
    if name.is_empty() {
        return Ok(vec![output]);
    }
    let activation = activation(&name, &parameters)?;
    Ok(vec![builder.push(Operator::Function(activation), vec![output], shape)?])
}

/// The activation of a fused node by its name and parameters.
fn activation(name: &str, parameters: &[f32]) -> Result<Function, Refusal> {
    let wrong = |expected: usize| {
        let found = parameters.len();
        Refusal::new(format!("`activation_params` has {found} values; `{name}` needs {expected}"))
    };
    if let Some(bad) = parameters.iter().find(|value| !value.is_finite()) {
        return Err(Refusal::new(format!("`activation_params` has the value {bad}; expected finite numbers")));
    }
    match (name, parameters) {
        ("Relu", _) => Ok(Function::Relu),
        ("Sigmoid", _) => Ok(Function::Sigmoid),
        ("Tanh", _) => Ok(Function::Tanh),
        ("LeakyRelu", &[alpha]) => Ok(Function::LeakyRelu { alpha }),
        ("LeakyRelu", _) => Err(wrong(1)),
        ("HardSigmoid", &[alpha, beta]) => Ok(Function::HardSigmoid { alpha, beta }),
        ("Clip", &[low, high]) if low <= high => Ok(Function::Clip { low, high }),
        ("Clip", &[low, high]) => Err(Refusal::new(format!("its bounds are {low} and {high}"))),
        ("HardSigmoid" | "Clip", _) => Err(wrong(2)),
        _ => Err(Refusal::new(format!(
            "`activation` is `{name}`; expected Relu, Sigmoid, Tanh, LeakyRelu, HardSigmoid or Clip"
        ))),
    }
}

/// The convolution that a node and its first three inputs say.
fn read(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<ValueId, Refusal> {
    let (x, weights) = (node.input(0)?, node.input(1)?);
    let size = window::spatial(builder.shape(x)).map_err(|cause| {
        Refusal::new(cause).hint(match builder.shape(x).len() {
            3 => {
                "write a convolution of one axis as one of two: `Unsqueeze` the input and the weights to a height of 1"
            }
            _ => "only convolutions over height and width are compiled; cut the model before it",
        })
    })?;
    let weight_shape = builder.shape(weights).to_vec();
    let &[outputs, _, kernel_height, kernel_width] = weight_shape.as_slice() else {
        return Err(Refusal::new(format!(
            "its weights have the shape {weight_shape:?}; expected [O, C/group, kh, kw]"
        )));
    };
    let kernel = [kernel_height, kernel_width];
    let group = window::read_group(node, kernel)?;
    let window = window::read_window(node, size, kernel)?;
    let convolution = Convolution { strides: window.strides, pads: window.pads, dilations: window.dilations, group };
    builder.floats(weights, "weights")?;
    let mut inputs = vec![x, weights];
    if let Some(bias) = node.optional(2) {
        window::check_bias(builder, bias, outputs)?;
        inputs.push(bias);
    }
    let shape = convolution.output_shape(builder.shape(x), &weight_shape)?;
    builder.push(Operator::Convolution(convolution), inputs, shape)
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn conv_is_read_as_the_standard_says() {
        check(&[
            Case(
                "Conv-7",
                "x[1,2,5,6] w[4,2,3,3]",
                "",
                Ok("[1, 4, 3, 4] = convolution strides=[1, 1] pads=[0, 0, 0, 0] dilations=[1, 1] group=1"),
            ),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3] w[4]",
                "pads=[1,0,2,1] strides=[2,1] group=1",
                Ok("[1, 4, 3, 5] = convolution strides=[2, 1] pads=[1, 0, 2, 1]"),
            ),
            Case("Conv-11", "x[1,2,5,6] w[2,1,3,3]", "group=2 kernel_shape=[3,3]", Ok("group=2")),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "auto_pad=SAME_UPPER strides=[2,2]",
                Ok("[1, 4, 3, 3] = convolution strides=[2, 2] pads=[1, 0, 1, 1]"),
            ),
            Case("Conv-11", "x[1,2,5,6] w[4,2,3,3]", "auto_pad=SAME_LOWER strides=[2,2]", Ok("pads=[1, 1, 1, 0]")),
            Case("Conv-11", "x[1,2,5,6] w[4,2,3,3]", "auto_pad=VALID", Ok("pads=[0, 0, 0, 0]")),
        ]);
    }

    #[test]
    fn a_fused_conv_is_its_parts() {
        check(&[
            Case("com.microsoft.FusedConv-11", "x[1,2,5,6] w[4,2,3,3] w[4]", "activation=Relu", Ok("= relu (%1)")),
            Case("com.microsoft.FusedConv-11", "x[1,2,5,6] w[4,2,3,3]", "", Ok("[1, 4, 3, 4] = convolution")),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=LeakyRelu activation_params=[0.25]",
                Ok("= leaky-relu alpha=0.25"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=Clip activation_params=[0.0,6.0]",
                Ok("= clip low=0.0 high=6.0"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=HardSigmoid activation_params=[0.2,0.5]",
                Ok("= hard-sigmoid alpha=0.2 beta=0.5"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[2,2,1,1] w[2] x[1,2,5,6]",
                "activation=Tanh",
                Ok("[1, 2, 5, 6] = add (%2, %1)"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=Mish",
                Err("`activation` is `Mish`"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=Clip activation_params=[1.0]",
                Err("`activation_params` has 1 values; `Clip` needs 2"),
            ),
            Case(
                "com.microsoft.FusedConv-11",
                "x[1,2,5,6] w[2,2,1,1] - x[1,2,1,1]",
                "activation=Relu",
                Err("what it adds has the shape [1, 2, 1, 1]; expected [1, 2, 5, 6]"),
            ),
            Case("com.example.FusedConv-11", "x[1,2,5,6] w[4,2,3,3]", "", Err("`FusedConv` of `com.example`")),
        ]);
    }

    #[test]
    fn conv_that_does_not_fit_is_refused() {
        check(&[
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "auto_pad=SAME",
                Err("node `make_y`: `Conv`: `auto_pad` is `SAME`"),
            ),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "kernel_shape=[3,1]",
                Err("`kernel_shape` is [3, 1] and its weights have [3, 3]"),
            ),
            Case("Conv-11", "x[1,2,5,6] w[4,3,3,3]", "", Err("do not fit an input of 2 channels")),
            Case("Conv-11", "x[1,2,5,6] w[4,2,3,3]", "pads=[0,0,-1,0]", Err("negative padding is not supported")),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "strides=[0,1]",
                Err("`strides` is [0, 1]; both must be at least 1"),
            ),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "dilations=[9223372036854775807,1]",
                Err("does not fit the 5 of its padded input"),
            ),
            Case(
                "Conv-11",
                "x[1,2,1,1] w[2,1,1,1]",
                "group=2 pads=[60000,60000,60000,60000] strides=[60000,60000]",
                Err("node `make_y`: `Conv`: its input with the padding [60000, 60000, 60000, 60000] has the shape \
                     [1, 2, 120001, 120001]; at most 268435456 elements are supported"),
            ),
            Case("Conv-11", "x[1,2,5,6] w[4,2,3,3]", "group=-1", Err("`group` is -1")),
            Case("Conv-11", "x[1,2,5,6] w[4,2,3,3] w[3]", "", Err("its bias has the shape [3]; expected [4]")),
            Case("Conv-11", "x[1,2,6] w[4,2,3]", "", Err("only [N, C, H, W] (two spatial axes) is supported")),
            Case("Conv-11", "x[1,2,5,6] x[4,2,3,3]", "", Err("its `weights` is computed at run time")),
            Case(
                "Conv-11",
                "x[1,2,5,6] w[4,2,3,3]",
                "activation=1",
                Err("its attribute `activation` has no known meaning"),
            ),
            Case("Conv-11", "x[1,2,5,6]", "", Err("its input 1 is missing")),
        ]);
    }
}
