//! Windows that move over H and W: what convolution and pooling share (ONNX Conv, `MaxPool`, `AveragePool`: `strides`,
//! `pads`, `dilations`, `auto_pad`).

use crate::compiler::graph::ELEMENT_LIMIT;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;

/// Elements that the windows over one plane may read in all: those of an 11×11 kernel at every place of a picture of 8K
/// (7680×4320 pixels), rounded to a power of two.
const READ_LIMIT: usize = 1 << 32;

/// How a window moves: strides and dilations of H and W, padding before H, before W, after H, after W.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) strides: [usize; 2],
    pub(crate) pads: [usize; 4],
    pub(crate) dilations: [usize; 2],
}

/// The extent of a dilated kernel: (kernel − 1)·dilation + 1; `None` when it does not fit.
pub(crate) fn extent(kernel: usize, dilation: usize) -> Option<usize> {
    kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)
}

/// Positions of a window along one axis, rounded down: (in + before + after − extent)/stride + 1.
pub(crate) fn positions(
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pads: [usize; 2],
) -> Result<usize, String> {
    let [before, after] = pads;
    let padded = input.checked_add(before).and_then(|sum| sum.checked_add(after));
    let (Some(padded), Some(extent)) = (padded, extent(kernel, dilation)) else {
        return Err(format!("a kernel of {kernel} with dilation {dilation} over {input} elements is out of range"));
    };
    if stride == 0 {
        return Err("a stride is 0".to_owned());
    }
    match padded.checked_sub(extent) {
        Some(rest) => Ok(rest / stride + 1),
        None => Err(format!("a kernel of {extent} elements does not fit the {padded} of its padded input")),
    }
}

/// Refuses windows over more than real networks have. Large pads and strides make much work of small tensors: the input
/// `[N,C,H,W]` may have at most [`ELEMENT_LIMIT`] elements with its padding, and the windows over one plane may read at
/// most [`READ_LIMIT`]. `output` and `kernel` are H and W.
pub(crate) fn check_extent(
    input: &[usize],
    pads: [usize; 4],
    output: [usize; 2],
    kernel: [usize; 2],
) -> Result<(), String> {
    let [height, width] = spatial(input)?;
    let padded = |size: usize, axis: usize| size.saturating_add(pads[axis]).saturating_add(pads[axis + 2]);
    let shape = [&input[..2], &[padded(height, 0), padded(width, 1)]].concat();
    if element_count(&shape).is_none_or(|count| count > ELEMENT_LIMIT) {
        return Err(format!(
            "its input with the padding {pads:?} has the shape {shape:?}; at most {ELEMENT_LIMIT} elements are supported"
        ));
    }
    if element_count(&[output, kernel].concat()).is_none_or(|count| count > READ_LIMIT) {
        return Err(format!(
            "a kernel of {kernel:?} at {output:?} positions reads more than the {READ_LIMIT} elements that are supported"
        ));
    }
    Ok(())
}

/// H and W of a `[N,C,H,W]` shape, or why not.
pub(crate) fn spatial(shape: &[usize]) -> Result<[usize; 2], String> {
    match shape {
        &[_, _, height, width] => Ok([height, width]),
        _ => Err(format!("its input has the shape {shape:?}; only [N, C, H, W] (two spatial axes) is supported")),
    }
}

/// Two positive attribute values, `default` where the attribute is absent.
pub(crate) fn pair(values: Option<Vec<i64>>, name: &str, default: usize) -> Result<[usize; 2], Refusal> {
    let Some(values) = values else { return Ok([default; 2]) };
    let positive = |value: i64| usize::try_from(value).ok().filter(|&value| value > 0);
    match values.as_slice() {
        &[a, b] => match (positive(a), positive(b)) {
            (Some(a), Some(b)) => Ok([a, b]),
            _ => Err(Refusal::new(format!("`{name}` is {values:?}; both must be at least 1"))),
        },
        _ => Err(Refusal::new(format!("`{name}` is {values:?}; expected two values, for H and W"))),
    }
}

/// Reads `strides`, `dilations`, `pads` and `auto_pad` of a node over an input of `size` (H and W).
pub(crate) fn read_window(node: &mut OnnxNode<'_>, size: [usize; 2], kernel: [usize; 2]) -> Result<Window, Refusal> {
    let strides = pair(node.integers("strides")?, "strides", 1)?;
    let dilations = pair(node.integers("dilations")?, "dilations", 1)?;
    let explicit = node.integers("pads")?;
    let auto_pad = node.text("auto_pad")?.unwrap_or_else(|| "NOTSET".to_owned());
    let pads = match auto_pad.as_str() {
        "NOTSET" | "" => explicit_pads(explicit)?,
        "VALID" => [0; 4],
        "SAME_UPPER" | "SAME_LOWER" => {
            let mut pads = [0; 4];
            for axis in 0..2 {
                let total = same_padding(size[axis], kernel[axis], strides[axis], dilations[axis])
                    .ok_or_else(|| Refusal::new("its padding is out of range"))?;
                let smaller = total / 2;
                let before = if auto_pad == "SAME_UPPER" { smaller } else { total - smaller };
                pads[axis] = before;
                pads[axis + 2] = total - before;
            }
            pads
        }
        other => {
            let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
            return Err(Refusal::new(format!("`auto_pad` is `{other}`; expected {expected}")));
        }
    };
    Ok(Window { strides, pads, dilations })
}

/// `group` of a convolution of either kind, whose `kernel_shape`, where it is given, must be that of its weights.
pub(crate) fn read_group(node: &mut OnnxNode<'_>, kernel: [usize; 2]) -> Result<usize, Refusal> {
    if let Some(declared) = node.integers("kernel_shape")?
        && declared != kernel.map(|k| k as i64)
    {
        return Err(Refusal::new(format!("`kernel_shape` is {declared:?} and its weights have {kernel:?}")));
    }
    let group = node.integer("group")?.unwrap_or(1);
    usize::try_from(group).map_err(|_| Refusal::new(format!("`group` is {group}")))
}

/// Whether a convolution's bias is a constant with one number for each of its outputs.
pub(crate) fn check_bias(builder: &Builder, bias: ValueId, outputs: usize) -> Result<(), Refusal> {
    if builder.floats(bias, "bias")?.len() == outputs && builder.shape(bias).len() == 1 {
        return Ok(());
    }
    let found = builder.shape(bias);
    Err(Refusal::new(format!("its bias has the shape {found:?}; expected [{outputs}]")))
}

/// Padding so that there are ceil(in/stride) positions.
fn same_padding(input: usize, kernel: usize, stride: usize, dilation: usize) -> Option<usize> {
    let positions = input.div_ceil(stride);
    let needed = positions.checked_sub(1)?.checked_mul(stride)?.checked_add(extent(kernel, dilation)?)?;
    Some(needed.saturating_sub(input))
}

/// `pads` as four amounts; all 0 where it is absent.
pub(crate) fn explicit_pads(values: Option<Vec<i64>>) -> Result<[usize; 4], Refusal> {
    let Some(values) = values else { return Ok([0; 4]) };
    let mut pads = [0; 4];
    if values.len() != 4 {
        return Err(Refusal::new(format!("`pads` is {values:?}; expected four values, before H, W, after H, W")));
    }
    for (pad, &value) in pads.iter_mut().zip(&values) {
        *pad = usize::try_from(value).map_err(|_| {
            let refusal = Refusal::new(format!("`pads` is {values:?}; negative padding is not supported"));
            refusal.hint("cut off what is too much with a `Slice` before it, and pad by 0 there")
        })?;
    }
    Ok(pads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_formula_of_the_standard() {
        struct Case(usize, usize, usize, usize, [usize; 2], Option<usize>);
        let cases = [
            Case(224, 3, 2, 1, [0, 0], Some(111)),
            Case(224, 3, 2, 1, [1, 1], Some(112)),
            Case(5, 3, 1, 2, [0, 0], Some(1)),
            Case(4, 3, 1, 2, [0, 0], None),
            Case(4, 1, 0, 1, [0, 0], None),
            Case(usize::MAX, 3, 1, 1, [1, 0], None),
            Case(4, usize::MAX, 1, usize::MAX, [0, 0], None),
        ];
        for Case(input, kernel, stride, dilation, pads, expected) in cases {
            let found = positions(input, kernel, stride, dilation, pads).ok();
            assert_eq!(found, expected, "{input} {kernel} {stride} {dilation} {pads:?}");
        }
    }

    #[test]
    fn same_padding_keeps_the_rounded_up_size() {
        assert_eq!(same_padding(224, 3, 2, 1), Some(1));
        assert_eq!(same_padding(5, 3, 1, 1), Some(2));
        assert_eq!(same_padding(4, 1, 2, 1), Some(0));
        assert_eq!(same_padding(2, usize::MAX, 1, 2), None);
    }
}
