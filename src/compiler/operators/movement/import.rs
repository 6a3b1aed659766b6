//! Reading ONNX Transpose, Pad, Concat, `DepthToSpace` and `SpaceToDepth`.

use crate::compiler::graph::DataType;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::movement::Continuation;
use crate::compiler::operators::movement::Extension;
use crate::compiler::operators::movement::axes;
use crate::compiler::operators::movement::axis;
use crate::compiler::operators::movement::joined_shape;
use crate::compiler::operators::movement::padded_shape;
use crate::compiler::operators::movement::transposed_shape;
use crate::compiler::operators::window;

type Imported = Result<Vec<ValueId>, Refusal>;

/// Transpose; without `perm` the axes are reversed.
pub(crate) fn transpose(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let rank = builder.shape(x).len();
    let permutation = match node.integers("perm")? {
        Some(values) => axes(&values, rank)?,
        None => (0..rank).rev().collect(),
    };
    let shape = transposed_shape(builder.shape(x), &permutation)?;
    Ok(vec![builder.push(Operator::Transpose { permutation }, vec![x], shape)?])
}

/// Pad with a constant or with the input's own elements: attributes before opset 11, constant inputs since (and since 18 the axes they are for).
pub(crate) fn pad(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let mode = node.text("mode")?.unwrap_or_else(|| "constant".to_owned());
    let continuation = match mode.as_str() {
        "constant" => None,
        "reflect" => Some(Continuation::Reflect),
        "edge" => Some(Continuation::Edge),
        _ => return Err(Refusal::new(format!("`mode` is `{mode}`; expected constant, reflect or edge"))),
    };
    let rank = builder.shape(x).len();
    let (pads, value, places) = if node.opset() < 11 {
        (node.integers("pads")?, node.any_float("value")?.unwrap_or(0.0), None)
    } else {
        let pads = node.optional(1).map(|id| builder.integers(id, "pads").map(<[i64]>::to_vec)).transpose()?;
        let value = match node.optional(2) {
            Some(id) => builder.floats(id, "value")?.first().copied().unwrap_or(0.0),
            None => 0.0,
        };
        let places = node.optional(3).map(|id| builder.integers(id, "axes").map(<[i64]>::to_vec)).transpose()?;
        (pads, value, places)
    };
    let pads = pads.ok_or_else(|| Refusal::new("`pads` is missing"))?;
    let places = match places {
        Some(values) => axes(&values, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * places.len() {
        return Err(Refusal::new(format!("`pads` is {pads:?}; expected {} values", 2 * places.len())));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (at, &place) in places.iter().enumerate() {
        let amount = |value: i64| {
            usize::try_from(value).map_err(|_| {
                let refusal = Refusal::new(format!("`pads` is {pads:?}; cropping is not supported"));
                refusal.hint("cut off by a `Slice` what a negative value takes away, and pad by the others")
            })
        };
        before[place] = amount(pads[at])?;
        after[place] = amount(pads[at + places.len()])?;
    }
    if let Some(continuation) = continuation {
        let extension = Extension { before, after, continuation };
        let shape = extension.output_shape(builder.shape(x))?;
        return Ok(vec![builder.push(Operator::Extension(extension), vec![x], shape)?]);
    }
    let shape = padded_shape(builder.shape(x), &before, &after)?;
    Ok(vec![builder.push(Operator::Pad { before, after, value }, vec![x], shape)?])
}

/// Concat; inputs without elements are left out.
pub(crate) fn concat(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let wanted = node.integer("axis")?.ok_or_else(|| Refusal::new("`axis` is missing"))?;
    let all = (0..node.input_count()).map(|place| node.input(place)).collect::<Result<Vec<_>, _>>()?;
    let rank = all.first().map_or(0, |&first| builder.shape(first).len());
    let axis = axis(wanted, rank)?;
    let mut inputs: Vec<ValueId> = all.iter().copied().filter(|&id| !builder.shape(id).contains(&0)).collect();
    if inputs.is_empty() {
        inputs = all;
    }
    let data_type = |id: ValueId| builder.graph.value(id).data_type;
    if inputs.iter().any(|&id| data_type(id) != inputs.first().map_or(DataType::F32, |&first| data_type(first))) {
        return Err(Refusal::new("some inputs are floats and some integers"));
    }
    let shapes: Vec<&[usize]> = inputs.iter().map(|&id| builder.shape(id)).collect();
    let shape = joined_shape(&shapes, axis)?;
    if let &[only] = inputs.as_slice() {
        return Ok(vec![only]);
    }
    Ok(vec![builder.push(Operator::Concat { axis }, inputs, shape)?])
}

/// The block size and the shape `[N,C,H,W]` of a node that moves between channels and space.
fn blocks(node: &mut OnnxNode<'_>, x: ValueId, builder: &Builder) -> Result<(usize, [usize; 4]), Refusal> {
    let [height, width] = window::spatial(builder.shape(x))?;
    let block = node.integer("blocksize")?.and_then(|block| usize::try_from(block).ok()).filter(|&block| block > 0);
    let block = block.ok_or_else(|| Refusal::new("`blocksize` is missing or not positive"))?;
    Ok((block, [builder.shape(x)[0], builder.shape(x)[1], height, width]))
}

/// `DepthToSpace` as reshape, transpose, reshape.
pub(crate) fn depth_to_space(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let (block, [n, c, h, w]) = blocks(node, x, builder)?;
    let depth = block.checked_mul(block).filter(|&area| c % area == 0).map(|area| c / area);
    let depth = depth.ok_or_else(|| Refusal::new(format!("{c} channels are no blocks of {block}×{block}")))?;
    let mode = node.text("mode")?.unwrap_or_else(|| "DCR".to_owned());
    let (split, permutation) = match mode.as_str() {
        "DCR" => ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
        _ => return Err(Refusal::new(format!("`mode` is `{mode}`; expected DCR or CRD"))),
    };
    rearranged(x, &split, &permutation, vec![n, depth, h * block, w * block], builder)
}

/// `SpaceToDepth` as reshape, transpose, reshape.
pub(crate) fn space_to_depth(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let (block, [n, c, h, w]) = blocks(node, x, builder)?;
    if h % block != 0 || w % block != 0 {
        return Err(Refusal::new(format!("{h}×{w} elements are no blocks of {block}×{block}")));
    }
    let split = [n, c, h / block, block, w / block, block];
    rearranged(x, &split, &[0, 3, 5, 1, 2, 4], vec![n, c * block * block, h / block, w / block], builder)
}

fn rearranged(
    x: ValueId,
    split: &[usize],
    permutation: &[usize],
    shape: Vec<usize>,
    builder: &mut Builder,
) -> Imported {
    let parts = builder.push(Operator::Reshape, vec![x], split.to_vec())?;
    let moved = transposed_shape(split, permutation)?;
    let moved = builder.push(Operator::Transpose { permutation: permutation.to_vec() }, vec![parts], moved)?;
    Ok(vec![builder.push(Operator::Reshape, vec![moved], shape)?])
}

#[cfg(test)]
mod tests {
    use crate::compiler::onnx::sample::Case;
    use crate::compiler::onnx::sample::check;

    #[test]
    fn movement_is_read_at_every_opset() {
        check(&[
            Case("Transpose-7", "x[2,3,4]", "", Ok("[4, 3, 2] = transpose permutation=[2, 1, 0] (%0)")),
            Case("Transpose-7", "x[2,3,4]", "perm=[0,2,1]", Ok("[2, 4, 3] = transpose")),
            Case(
                "Pad-7",
                "x[2,3,4]",
                "pads=[0,1,0,0,0,2] value=1.5",
                Ok("[2, 4, 6] = pad before=[0, 1, 0] after=[0, 0, 2] value=1.5"),
            ),
            Case(
                "Pad-11",
                "x[2,3,4] i[0,1,0,0,0,2] f1.5",
                "mode=constant",
                Ok("before=[0, 1, 0] after=[0, 0, 2] value=1.5"),
            ),
            Case(
                "Pad-7",
                "x[2,3,4]",
                "mode=reflect pads=[0,1,0,0,0,2]",
                Ok("[2, 4, 6] = extend before=[0, 1, 0] after=[0, 0, 2] continuation=Reflect"),
            ),
            Case("Pad-13", "x[2,3,4] i[0,9,0,0,0,2]", "mode=edge", Ok("[2, 12, 6] = extend")),
            Case("Pad-18", "x[2,3,4] i[1,2] - i[-1]", "", Ok("before=[0, 0, 1] after=[0, 0, 2] value=0.0")),
            Case("Concat-7", "x[2,3,4] x[2,1,4]", "axis=-2", Ok("[2, 4, 4] = concat axis=1 (%0, %1)")),
            Case("DepthToSpace-11", "x[1,8,2,3]", "blocksize=2 mode=CRD", Ok("[1, 2, 4, 6] = reshape")),
            Case("SpaceToDepth-11", "x[1,2,4,6]", "blocksize=2", Ok("[1, 8, 2, 3] = reshape")),
        ]);
    }

    #[test]
    fn movement_that_does_not_fit_is_refused() {
        check(&[
            Case("Transpose-7", "x[2,3,4]", "perm=[0,1]", Err("is not a permutation of 3 axes")),
            Case("Transpose-7", "x[2,3,4]", "perm=[0,1,1]", Err("name the axis 1 twice")),
            Case("Pad-11", "x[2,3,4] i[0,1,0,0,0,2]", "mode=wrap", Err("`mode` is `wrap`")),
            Case("Pad-11", "x[2,3,4] i[0,3,0,0,0,2]", "mode=reflect", Err("an axis of 3 cannot be padded by 3 and 0")),
            Case("Pad-11", "x[2,3,4] i[0,-1,0,0,0,2]", "", Err("cropping is not supported")),
            Case("Pad-11", "x[2,3,4] i[0,1,0]", "", Err("expected 6 values")),
            Case("Concat-7", "x[2,3,4] x[2,1,5]", "axis=1", Err("cannot be joined")),
            Case("Concat-7", "x[2,3,4]", "", Err("`axis` is missing")),
            Case("DepthToSpace-11", "x[1,6,2,3]", "blocksize=2", Err("6 channels are no blocks")),
        ]);
    }
}
