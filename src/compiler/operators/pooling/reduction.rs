//! Reading ONNX `ReduceMean`, `ReduceMax` and `ReduceSum`: global pooling of what is reduced.

use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Operator;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::movement;
use crate::compiler::operators::pooling::import::global;

type Imported = Result<Vec<ValueId>, Refusal>;

/// `ReduceMean`.
pub(crate) fn reduce_mean(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    Ok(vec![reduce(PoolKind::Average, node, builder)?.0])
}

/// `ReduceMax`.
pub(crate) fn reduce_max(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    Ok(vec![reduce(PoolKind::Maximum, node, builder)?.0])
}

/// `ReduceSum`: the mean times the number of elements.
pub(crate) fn reduce_sum(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (mean, count) = reduce(PoolKind::Average, node, builder)?;
    if count == 1 {
        return Ok(vec![mean]);
    }
    let shape = builder.shape(mean).to_vec();
    let count = builder.constant_of(Tensor::from_f32(vec![], vec![count as f32]), "count")?;
    Ok(vec![builder.push(Operator::Arithmetic(Arithmetic::Multiply), vec![mean, count], shape)?])
}

/// What a reduction makes, and the elements that went into each of its. Axes are an attribute, or an input where the
/// operator's opset says so; all where there are none.
fn reduce(kind: PoolKind, node: &mut OnnxNode<'_>, builder: &mut Builder) -> Result<(ValueId, usize), Refusal> {
    let x = node.input(0)?;
    let keep = node.integer("keepdims")?.unwrap_or(1) != 0;
    let is_nothing_without = node.integer("noop_with_empty_axes")?.unwrap_or(0) != 0;
    let axes = match (node.integers("axes")?, node.optional(1)) {
        (Some(axes), _) => axes,
        (None, Some(id)) => builder.integers(id, "axes")?.to_vec(),
        (None, None) => Vec::new(),
    };
    let input = builder.shape(x).to_vec();
    if axes.is_empty() && is_nothing_without {
        return Ok((x, 1));
    }
    let reduced = if axes.is_empty() {
        (0..input.len()).collect()
    } else {
        let mut reduced = movement::axes(&axes, input.len())?;
        reduced.sort_unstable();
        reduced
    };
    let kept: Vec<usize> = (0..input.len()).filter(|axis| !reduced.contains(axis)).collect();
    let sizes = |axes: &[usize]| element_count(&axes.iter().map(|&axis| input[axis]).collect::<Vec<_>>());
    let (Some(outer), Some(inner)) = (sizes(&kept), sizes(&reduced)) else {
        return Err(Refusal::new("the number of elements is out of range"));
    };
    let mut shape = input.clone();
    for &axis in &reduced {
        shape[axis] = 1;
    }
    if !keep {
        shape = kept.iter().map(|&axis| input[axis]).collect();
    }
    let pooled = if input.len() == 4 && reduced == [2, 3] {
        global(kind, x, builder)?
    } else {
        let permutation = [kept, reduced].concat();
        let moved = movement::transposed_shape(&input, &permutation)?;
        let last = if permutation.is_sorted() {
            x
        } else {
            builder.push(Operator::Transpose { permutation }, vec![x], moved)?
        };
        let planes = builder.push(Operator::Reshape, vec![last], vec![1, outer, 1, inner])?;
        global(kind, planes, builder)?
    };
    if builder.shape(pooled) == shape {
        return Ok((pooled, inner));
    }
    Ok((builder.push(Operator::Reshape, vec![pooled], shape)?, inner))
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn reductions_are_global_pooling_of_what_they_reduce() {
        check(&[
            Case("ReduceMean-13", "x[1,2,7,8]", "axes=[-1,2]", Ok("[1, 2, 1, 1] = global-average-pool (%0)")),
            Case("ReduceMean-13", "x[1,2,7,8]", "axes=[2,3] keepdims=0", Ok("[1, 2] = reshape (%1)")),
            Case("ReduceMax-18", "x[1,2,7,8] i[2,3]", "", Ok("global-max-pool")),
            Case("ReduceMean-13", "x[3,7,8]", "axes=[-1]", Ok("[1, 21, 1, 8] = reshape (%0)")),
            Case("ReduceMean-13", "x[3,7,8]", "axes=[-1]", Ok("[3, 7, 1] = reshape (%2)")),
            Case("ReduceMax-13", "x[3,7,8]", "axes=[1] keepdims=0", Ok("transpose permutation=[0, 2, 1] (%0)")),
            Case("ReduceMax-13", "x[3,7,8]", "axes=[1] keepdims=0", Ok("[3, 8] = reshape (%3)")),
            Case("ReduceMean-13", "x[3,7]", "keepdims=0", Ok("[] = reshape (%2)")),
            Case("ReduceSum-13", "x[1,2,7,8] i[2,3]", "", Ok("[1, 2, 1, 1] = multiply (%1, [][56.0])")),
            Case("ReduceSum-13", "x[1,2,7,8]", "noop_with_empty_axes=1", Ok("%0")),
            Case("ReduceMean-13", "x[3,7]", "axes=[2]", Err("the axis 2 is outside a tensor of 2 axes")),
        ]);
    }
}
