//! Reading ONNX `ConvTranspose`.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::transposed::float::natural_size;
use crate::compiler::operators::window;

/// `ConvTranspose`. Where `output_shape` is given, or `auto_pad` is `SAME_UPPER` or `SAME_LOWER` (the output then is stride times
/// the input), the padding follows from it; one element more of an odd padding lies after the output with `SAME_UPPER`, else before.
pub(crate) fn conv_transpose(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Refusal> {
    let (x, weights) = (node.input(0)?, node.input(1)?);
    let size = window::spatial(builder.shape(x))?;
    let weight_shape = builder.shape(weights).to_vec();
    let &[_, outputs, kernel_height, kernel_width] = weight_shape.as_slice() else {
        let message = format!("its weights have the shape {weight_shape:?}; expected [C, O/group, kh, kw]");
        return Err(Refusal::new(message));
    };
    let kernel = [kernel_height, kernel_width];
    let group = window::read_group(node, kernel)?;
    let mut transposed = TransposedConvolution {
        strides: window::pair(node.integers("strides")?, "strides", 1)?,
        pads: [0; 4],
        output_padding: output_padding(node)?,
        dilations: window::pair(node.integers("dilations")?, "dilations", 1)?,
        group,
    };
    pad(node, &mut transposed, size, kernel)?;
    builder.floats(weights, "weights")?;
    let mut inputs = vec![x, weights];
    if let Some(bias) = node.optional(2) {
        window::check_bias(builder, bias, outputs.saturating_mul(group))?;
        inputs.push(bias);
    }
    let shape = transposed.output_shape(builder.shape(x), &weight_shape)?;
    Ok(vec![builder.push(Operator::TransposedConvolution(transposed), inputs, shape)?])
}

fn output_padding(node: &mut OnnxNode<'_>) -> Result<[usize; 2], Refusal> {
    let Some(values) = node.integers("output_padding")? else { return Ok([0; 2]) };
    let amount = |value: i64| usize::try_from(value).ok();
    match values.as_slice() {
        &[a, b] if let (Some(a), Some(b)) = (amount(a), amount(b)) => Ok([a, b]),
        _ => Err(Refusal::new(format!("`output_padding` is {values:?}; expected two values of at least 0"))),
    }
}

/// Resolves `pads`, `auto_pad` and `output_shape`.
fn pad(
    node: &mut OnnxNode<'_>,
    transposed: &mut TransposedConvolution,
    size: [usize; 2],
    kernel: [usize; 2],
) -> Result<(), Refusal> {
    let explicit = window::explicit_pads(node.integers("pads")?)?;
    let auto_pad = node.text("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let wanted = wanted_size(node)?;
    let sizes = match (wanted, auto_pad.as_str()) {
        (Some(wanted), "NOTSET" | "" | "VALID" | "SAME_UPPER" | "SAME_LOWER") => wanted,
        (None, "NOTSET" | "") => {
            transposed.pads = explicit;
            return Ok(());
        }
        (None, "VALID") => return Ok(()),
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            let scaled = [0, 1].map(|axis| size[axis].checked_mul(transposed.strides[axis]));
            let [Some(height), Some(width)] = scaled else { return Err(Refusal::new("its output is out of range")) };
            [height, width]
        }
        (_, other) => {
            let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
            return Err(Refusal::new(format!("`auto_pad` is `{other}`; expected {expected}")));
        }
    };
    for axis in 0..2 {
        let natural = natural_size(size[axis], kernel[axis], transposed.strides[axis], transposed.dilations[axis])
            .and_then(|natural| natural.checked_add(transposed.output_padding[axis]))
            .ok_or_else(|| Refusal::new("its output is out of range"))?;
        let total = natural.saturating_sub(sizes[axis]);
        let before = if auto_pad == "SAME_UPPER" { total / 2 } else { total - total / 2 };
        transposed.pads[axis] = before;
        transposed.pads[axis + 2] = total - before;
        if wanted.is_some() {
            transposed.output_padding[axis] += sizes[axis].saturating_sub(natural);
        }
    }
    Ok(())
}

/// H and W of `output_shape`, which may name all four axes.
fn wanted_size(node: &mut OnnxNode<'_>) -> Result<Option<[usize; 2]>, Refusal> {
    let Some(values) = node.integers("output_shape")? else { return Ok(None) };
    let positive = |value: i64| usize::try_from(value).ok().filter(|&value| value > 0);
    match values.as_slice() {
        &[height, width] | &[_, _, height, width]
            if let (Some(height), Some(width)) = (positive(height), positive(width)) =>
        {
            Ok(Some([height, width]))
        }
        _ => Err(Refusal::new(format!("`output_shape` is {values:?}; expected H and W, each at least 1"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn conv_transpose_is_read_as_onnx_runtime_reads_it() {
        check(&[
            Case(
                "ConvTranspose-7",
                "x[1,2,5,6] w[2,4,3,3]",
                "",
                Ok("[1, 4, 7, 8] = transposed-convolution strides=[1, 1] pads=[0, 0, 0, 0] output_padding=[0, 0] \
                    dilations=[1, 1] group=1"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3] w[4]",
                "pads=[1,0,2,1] strides=[2,1] output_padding=[1,0]",
                Ok("[1, 4, 9, 7] = transposed-convolution strides=[2, 1] pads=[1, 0, 2, 1] output_padding=[1, 0]"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,3,2,2] w[6]",
                "group=2 dilations=[2,1] kernel_shape=[2,2]",
                Ok("[1, 6, 7, 7]"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "auto_pad=SAME_UPPER strides=[2,2]",
                Ok("[1, 4, 10, 12] = transposed-convolution strides=[2, 2] pads=[0, 0, 1, 1]"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "auto_pad=SAME_LOWER strides=[2,2]",
                Ok("pads=[1, 1, 0, 0]"),
            ),
            Case("ConvTranspose-11", "x[1,2,5,6] w[2,4,3,3]", "auto_pad=VALID", Ok("[1, 4, 7, 8]")),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "output_shape=[10,12] strides=[2,2]",
                Ok("[1, 4, 10, 12] = transposed-convolution strides=[2, 2] pads=[1, 1, 0, 0]"),
            ),
            Case(
                "ConvTranspose-7",
                "x[1,2,5,6] w[2,4,3,3]",
                "auto_pad=VALID output_shape=[12,14] strides=[2,2]",
                Ok("[1, 4, 12, 14] = transposed-convolution strides=[2, 2] pads=[0, 0, 0, 0] output_padding=[1, 1]"),
            ),
        ]);
    }

    #[test]
    fn conv_transpose_that_does_not_fit_is_refused() {
        check(&[
            Case("ConvTranspose-11", "x[1,2,5,6] w[3,4,3,3]", "", Err("do not fit an input of 2 channels")),
            Case("ConvTranspose-11", "x[1,2,5,6] w[2,4,3,3] w[3]", "", Err("its bias has the shape [3]; expected [4]")),
            Case("ConvTranspose-11", "x[1,2,5,6] x[2,4,3,3]", "", Err("its `weights` is computed at run time")),
            Case("ConvTranspose-11", "x[1,2,5] w[2,4,3]", "", Err("only [N, C, H, W] (two spatial axes) is supported")),
            Case("ConvTranspose-11", "x[1,2,5,6] w[2,4,3,3]", "pads=[9,0,9,0]", Err("leave nothing")),
            Case("ConvTranspose-11", "x[1,2,5,6] w[2,4,3,3]", "auto_pad=SAME", Err("`auto_pad` is `SAME`")),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "output_padding=[-1,0]",
                Err("`output_padding` is [-1, 0]; expected two values of at least 0"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "output_shape=[9,20] strides=[1,2]",
                Err("its output is padded by [2, 7]; less than the strides [1, 2] is supported"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "output_shape=[0,9]",
                Err("`output_shape` is [0, 9]; expected H and W"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,5,6] w[2,4,3,3]",
                "strides=[9223372036854775807,1]",
                Err("leave nothing, or too much"),
            ),
            Case(
                "ConvTranspose-11",
                "x[1,2,1,1] w[2,1,1,1]",
                "output_padding=[60000,60000] strides=[60001,60001]",
                Err("at most 268435456 elements are supported"),
            ),
        ]);
    }
}
