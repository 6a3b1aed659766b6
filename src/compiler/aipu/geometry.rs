//! Constraints on windows, padding and slices.

use crate::compiler::aipu::constraint::Constraint;
use crate::compiler::aipu::constraint::Side;
use crate::compiler::aipu::constraint::Verdict;
use crate::compiler::aipu::constraint::attribute_or_input;
use crate::compiler::aipu::constraint::integers;
use crate::compiler::aipu::constraint::scalar;
use crate::compiler::onnx::SurveyedNode;

/// Two numbers of a window, for H and W.
fn side(node: &SurveyedNode<'_>, side: Side) -> Option<Vec<i64>> {
    let attribute = match side {
        // A convolution's kernel is that of its weights, whatever `kernel_shape` says.
        Side::Kernel if node.operator.starts_with("Conv") => {
            return Some(node.input_shape(1)?.get(2..)?.iter().map(|&size| size as i64).collect());
        }
        Side::Kernel => return node.integers("kernel_shape").map(<[i64]>::to_vec),
        Side::Stride => "strides",
        Side::Dilation => "dilations",
    };
    Some(node.integers(attribute).map_or_else(|| vec![1, 1], <[i64]>::to_vec))
}

fn kernel(node: &SurveyedNode<'_>) -> Option<Vec<i64>> {
    side(node, Side::Kernel)
}

/// Padding before and after, for each axis of the window; none where it is not given.
fn pads(node: &SurveyedNode<'_>) -> Vec<(i64, i64)> {
    let pads = node.integers("pads").unwrap_or_default();
    let (before, after) = pads.split_at(pads.len() / 2);
    before.iter().copied().zip(after.iter().copied()).collect()
}

fn pads_text(node: &SurveyedNode<'_>) -> String {
    format!("`pads` is {:?}", node.integers("pads").unwrap_or_default())
}

pub(super) fn judge_window(constraint: Constraint, node: &SurveyedNode<'_>) -> Verdict {
    match constraint {
        Constraint::Square(which) => {
            let name = match which {
                Side::Kernel => "the kernel",
                Side::Stride => "`strides`",
                Side::Dilation => "`dilations`",
            };
            let found = side(node, which);
            let is_square = found.as_ref().map(|sides| sides.windows(2).all(|pair| pair.first() == pair.last()));
            Verdict::of(is_square, || format!("{name} is {:?}", found.unwrap_or_default()))
        }
        Constraint::AreaBelow(limit) => {
            let area = kernel(node).zip(side(node, Side::Dilation)).map(|(kernel, dilations)| {
                let extents = kernel.iter().zip(&dilations);
                let extent = |(size, dilation): (&i64, &i64)| (size - 1).saturating_mul(*dilation).saturating_add(1);
                extents.map(extent).fold(1_i64, i64::saturating_mul)
            });
            Verdict::of(area.map(|area| area < limit as i64), || {
                format!("the dilated kernel has {} elements", area.unwrap_or(0))
            })
        }
        Constraint::FourPads => {
            let count = node.integers("pads").map_or(4, <[i64]>::len);
            Verdict::of(Some(count == 4), || pads_text(node))
        }
        Constraint::Symmetric => {
            Verdict::of(Some(pads(node).iter().all(|(before, after)| before == after)), || pads_text(node))
        }
        Constraint::AtMostHalfKernel => {
            let pads = pads(node);
            let fits = kernel(node)
                .map(|kernel| pads.iter().zip(&kernel).all(|((before, after), size)| *before.max(after) <= size / 2));
            Verdict::of(fits, || format!("{} with a kernel of {:?}", pads_text(node), kernel(node).unwrap_or_default()))
        }
        // `Counted`, the only one left.
        _ => {
            let padded = pads(node).iter().any(|&pad| pad != (0, 0));
            let counted = node.integer("count_include_pad").unwrap_or(0) == 1;
            Verdict::of(Some(!padded || counted), || format!("{} and `count_include_pad` is not 1", pads_text(node)))
        }
    }
}

/// Padding before and after each axis of the input of a Pad.
fn padding(node: &SurveyedNode<'_>) -> Option<Vec<(i64, i64)>> {
    let rank = node.input_shape(0)?.len();
    let values = attribute_or_input(node, "pads", 1)?;
    let axes: Vec<i64> = match node.input(3) {
        Some(_) => attribute_or_input(node, "axes", 3)?.to_vec(),
        None => (0..rank as i64).collect(),
    };
    let (before, after) = values.split_at(values.len() / 2);
    let mut padding = vec![(0, 0); rank];
    for (&axis, pads) in axes.iter().zip(before.iter().copied().zip(after.iter().copied())) {
        let place = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
        *padding.get_mut(usize::try_from(place).ok()?)? = pads;
    }
    Some(padding)
}

pub(super) fn judge_pad(constraint: Constraint, node: &SurveyedNode<'_>) -> Verdict {
    let padding = padding(node);
    let at = |axis: usize| padding.as_ref().and_then(|padding| padding.get(axis)).copied();
    let text = |axis: usize| {
        let (before, after) = at(axis).unwrap_or_default();
        format!("the axis {axis} is padded by {before} and {after}")
    };
    match constraint {
        Constraint::NoBatchPadding => Verdict::of(at(0).map(|pads| pads == (0, 0)), || text(0)),
        Constraint::ChannelPaddingOf(word) => {
            let whole = |pad: i64| pad % word as i64 == 0;
            Verdict::of(at(1).map(|(before, after)| whole(before) && whole(after)), || text(1))
        }
        // `ZeroPadding`, the only one left.
        _ => {
            let mode = node.text("mode").unwrap_or("constant");
            if mode != "constant" {
                return Verdict::Fails(format!("`mode` is {mode}"));
            }
            let value = match node.input(2) {
                Some(operand) => scalar(operand),
                None => Some(node.float("value").unwrap_or(0.0)),
            };
            Verdict::of(value.map(|value| value.abs().to_bits() == 0), || {
                format!("the value is {}", value.unwrap_or_default())
            })
        }
    }
}

/// The axis of a Slice that has exactly one, counted from the front.
fn sliced_axis(node: &SurveyedNode<'_>) -> Option<usize> {
    let rank = node.input_shape(0)?.len() as i64;
    match attribute_or_input(node, "axes", 3)? {
        &[axis] => usize::try_from(if axis < 0 { axis.checked_add(rank)? } else { axis }).ok(),
        _ => None,
    }
}

pub(super) fn judge_slice(constraint: Constraint, node: &SurveyedNode<'_>) -> Verdict {
    let axes = attribute_or_input(node, "axes", 3);
    match constraint {
        Constraint::StepOnChannels => {
            let steps = match node.input(4) {
                Some(operand) => integers(operand),
                None => Some(&[][..]),
            };
            let fits = steps.and_then(|steps| {
                if steps.iter().all(|&step| step == 1) { Some(true) } else { Some(sliced_axis(node)? == 1) }
            });
            Verdict::of(fits, || {
                format!("the steps are {:?} on {:?}", steps.unwrap_or_default(), axes.unwrap_or_default())
            })
        }
        Constraint::WholeWords(word) => {
            let channels = node.input_shape(0).and_then(|shape| shape.get(1).copied());
            let fits = sliced_axis(node).zip(channels).map(|(axis, channels)| axis == 1 || channels % word == 0);
            Verdict::of(fits, || {
                format!("the axis {} of {} channels is cut", sliced_axis(node).unwrap_or(0), channels.unwrap_or(0))
            })
        }
        // `OneAxisGiven`, the only one left.
        _ => match (axes, node.input(3)) {
            (Some(axes), _) => Verdict::of(Some(axes.len() == 1), || format!("the axes are {axes:?}")),
            (None, Some(_)) => Verdict::Unknown,
            (None, None) => Verdict::Fails("no axes are given".to_owned()),
        },
    }
}
