//! Reading ONNX operators that only change the shape.

use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::RANK_LIMIT;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Operator;
use crate::compiler::operators::movement::axes;
use crate::compiler::operators::movement::axis;

type Imported = Result<Vec<ValueId>, Refusal>;

/// Reshape; 0 keeps a dimension (unless `allowzero`), −1 takes what is left.
pub(crate) fn reshape(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let allow_zero = node.integer("allowzero")?.unwrap_or(0) != 0;
    let wanted = builder.integers(node.input(1)?, "shape")?.to_vec();
    let shape = resolve(builder.shape(x), &wanted, allow_zero)?;
    Ok(vec![builder.push(Operator::Reshape, vec![x], shape)?])
}

fn resolve(input: &[usize], wanted: &[i64], allow_zero: bool) -> Result<Vec<usize>, String> {
    let refuse = |why: &str| Err(format!("{input:?} cannot be reshaped to {wanted:?}: {why}"));
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (place, &dimension) in wanted.iter().enumerate() {
        shape.push(match dimension {
            -1 if open.is_none() => {
                open = Some(place);
                1
            }
            -1 => return refuse("two dimensions are −1"),
            0 if !allow_zero => match input.get(place) {
                Some(&kept) => kept,
                None => return refuse("a 0 stands for a dimension that is not there"),
            },
            dimension => match usize::try_from(dimension) {
                Ok(dimension) => dimension,
                Err(_) => return refuse("a dimension is negative"),
            },
        });
    }
    let (Some(total), Some(fixed)) = (element_count(input), element_count(&shape)) else {
        return refuse("the number of elements is out of range");
    };
    if let Some(place) = open {
        if fixed == 0 || total % fixed != 0 {
            return refuse("the rest of the elements is not a whole dimension");
        }
        shape[place] = total / fixed;
    } else if fixed != total {
        return refuse("the number of elements differs");
    }
    Ok(shape)
}

/// Flatten: everything before the axis, everything from it on.
pub(crate) fn flatten(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let wanted = node.integer("axis")?.unwrap_or(1);
    let input = builder.shape(x);
    let rank = input.len();
    let at = if wanted == rank as i64 { rank } else { axis(wanted, rank)? };
    let (Some(outer), Some(inner)) = (element_count(&input[..at]), element_count(&input[at..])) else {
        return Err(Refusal::new("the number of elements is out of range"));
    };
    Ok(vec![builder.push(Operator::Reshape, vec![x], vec![outer, inner])?])
}

/// Axes from the attribute `axes` (before opset 13) or the second input.
fn wanted_axes(node: &mut OnnxNode<'_>, builder: &Builder) -> Result<Option<Vec<i64>>, Refusal> {
    match (node.integers("axes")?, node.optional(1)) {
        (Some(values), _) => Ok(Some(values)),
        (None, Some(id)) => Ok(Some(builder.integers(id, "axes")?.to_vec())),
        (None, None) => Ok(None),
    }
}

/// Squeeze: dimensions of 1 dropped.
pub(crate) fn squeeze(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let input = builder.shape(x).to_vec();
    let dropped = match wanted_axes(node, builder)? {
        Some(values) => axes(&values, input.len())?,
        None => (0..input.len()).filter(|&axis| input[axis] == 1).collect(),
    };
    if let Some(&wrong) = dropped.iter().find(|&&axis| input[axis] != 1) {
        return Err(Refusal::new(format!("the axis {wrong} of {input:?} is not 1 and cannot be dropped")));
    }
    let kept = (0..input.len()).filter(|axis| !dropped.contains(axis));
    let shape = kept.map(|axis| input[axis]).collect();
    Ok(vec![builder.push(Operator::Reshape, vec![x], shape)?])
}

/// Unsqueeze: dimensions of 1 added; axes are places in the output.
pub(crate) fn unsqueeze(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let wanted = wanted_axes(node, builder)?.ok_or_else(|| Refusal::new("`axes` is missing"))?;
    let input = builder.shape(x).to_vec();
    if wanted.len() > RANK_LIMIT {
        return Err(Refusal::new(format!("{} axes are added; at most {RANK_LIMIT} are supported", wanted.len())));
    }
    let added = axes(&wanted, input.len() + wanted.len())?;
    let mut rest = input.iter();
    let mut shape = Vec::with_capacity(input.len() + added.len());
    for place in 0..input.len() + added.len() {
        shape.push(if added.contains(&place) { 1 } else { rest.next().copied().unwrap_or(1) });
    }
    Ok(vec![builder.push(Operator::Reshape, vec![x], shape)?])
}

/// Expand: of a constant, a constant; of anything else only where it changes nothing.
pub(crate) fn expand(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let wanted = builder.integers(node.input(1)?, "shape")?;
    let wanted: Option<Vec<usize>> = wanted.iter().map(|&dimension| usize::try_from(dimension).ok()).collect();
    let wanted = wanted.ok_or_else(|| Refusal::new("a dimension of `shape` is negative"))?;
    let shape = Arithmetic::output_shape(builder.shape(x), &wanted)?;
    if shape == builder.shape(x) {
        return Ok(vec![x]);
    }
    match builder.expanded(x, &shape)? {
        Some(id) => Ok(vec![id]),
        None => Err(Refusal::new(format!(
            "it repeats {:?} to {shape:?}; repeating a computed tensor is not supported",
            builder.shape(x)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_keep_and_minus_one_takes_the_rest() {
        struct Case(&'static [usize], &'static [i64], bool, Option<&'static [usize]>);
        let cases = [
            Case(&[2, 3, 4], &[0, -1], false, Some(&[2, 12])),
            Case(&[2, 3, 4], &[6, 4], false, Some(&[6, 4])),
            Case(&[2, 3, 4], &[-1, -1], false, None),
            Case(&[2, 3, 4], &[5, -1], false, None),
            Case(&[2, 3, 4], &[2, 3, 4, 0], false, None),
            Case(&[2, 3, 4], &[2, -3, 4], false, None),
            Case(&[2, 3, 4], &[0, -1], true, None),
            Case(&[0, 4], &[0, 2], true, Some(&[0, 2])),
            Case(&[1], &[], false, Some(&[])),
            Case(&[4], &[i64::MAX, i64::MAX, -1], false, None),
        ];
        for Case(input, wanted, allow_zero, expected) in cases {
            let found = resolve(input, wanted, allow_zero).ok();
            assert_eq!(found.as_deref(), expected, "{input:?} to {wanted:?}");
        }
    }
}
