//! Reading ONNX pooling, and the reductions that are pooling.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::movement;
use crate::compiler::operators::pooling::global_output_shape;
use crate::compiler::operators::window;

type Imported = Result<Vec<ValueId>, Refusal>;

/// `MaxPool`; the indices output is not supported, and the storage order only concerns it.
pub(crate) fn max_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    node.ignore(&["storage_order"]);
    pool(PoolKind::Maximum, false, node, builder)
}

/// `AveragePool`.
pub(crate) fn average_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let count_include_pad = node.integer("count_include_pad")?.unwrap_or(0) != 0;
    pool(PoolKind::Average, count_include_pad, node, builder)
}

fn pool(kind: PoolKind, count_include_pad: bool, node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let size = window::spatial(builder.shape(x))?;
    let kernel = node.integers("kernel_shape")?.ok_or_else(|| Refusal::new("`kernel_shape` is missing"))?;
    let kernel = window::pair(Some(kernel), "kernel_shape", 1)?;
    let window = window::read_window(node, size, kernel)?;
    let ceil_mode = node.integer("ceil_mode")?.unwrap_or(0) != 0;
    let mut pool = Pool {
        kind,
        kernel,
        strides: window.strides,
        pads: window.pads,
        dilations: window.dilations,
        count_include_pad,
    };
    if kind == PoolKind::Average && pool.dilations != [1, 1] {
        return Err(Refusal::new("`dilations` of an average are not supported"));
    }
    if ceil_mode {
        let added = round_up(&mut pool, size)?;
        if added && kind == PoolKind::Average && count_include_pad {
            let message =
                "`ceil_mode` with `count_include_pad` makes windows whose divisor implementations disagree on";
            return Err(Refusal::new(message));
        }
    }
    let shape = pool.output_shape(builder.shape(x))?;
    Ok(vec![builder.push(Operator::Pool(pool), vec![x], shape)?])
}

/// Turns `ceil_mode` into padding after: the last window may stick out, but must begin inside the input or the padding
/// before it. Says whether padding was added.
fn round_up(pool: &mut Pool, size: [usize; 2]) -> Result<bool, Refusal> {
    let mut added = false;
    for (axis, &input) in size.iter().enumerate() {
        let (stride, pads) = (pool.strides[axis], [pool.pads[axis], pool.pads[axis + 2]]);
        let positions = window::positions(input, pool.kernel[axis], stride, pool.dilations[axis], pads)?;
        let extent = window::extent(pool.kernel[axis], pool.dilations[axis]).unwrap_or(1);
        // `positions` checked that none of these overflow.
        let covered = (positions - 1) * stride + extent;
        let padded = input + pads[0] + pads[1];
        let next_begins_inside = positions * stride < input + pads[0];
        if covered < padded && next_begins_inside {
            pool.pads[axis + 2] += covered + stride - padded;
            added = true;
        }
    }
    Ok(added)
}

/// `GlobalAveragePool`.
pub(crate) fn global_average_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    global(PoolKind::Average, node.input(0)?, builder).map(|id| vec![id])
}

/// `GlobalMaxPool`.
pub(crate) fn global_max_pool(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    global(PoolKind::Maximum, node.input(0)?, builder).map(|id| vec![id])
}

fn global(kind: PoolKind, x: ValueId, builder: &mut Builder) -> Result<ValueId, Refusal> {
    let shape = global_output_shape(builder.shape(x))?;
    builder.push(Operator::GlobalPool(kind), vec![x], shape)
}

/// `ReduceMean` over H and W.
pub(crate) fn reduce_mean(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    reduce(PoolKind::Average, node, builder)
}

/// `ReduceMax` over H and W.
pub(crate) fn reduce_max(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    reduce(PoolKind::Maximum, node, builder)
}

/// A reduction over exactly the two last axes of `[N,C,H,W]`, which is global pooling; axes are an attribute, or since
/// opset 18 an input.
fn reduce(kind: PoolKind, node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let keep = node.integer("keepdims")?.unwrap_or(1) != 0;
    node.ignore(&["noop_with_empty_axes"]);
    let axes = match (node.integers("axes")?, node.optional(1)) {
        (Some(axes), _) => axes,
        (None, Some(id)) => builder.integers(id, "axes")?.to_vec(),
        (None, None) => (0..builder.shape(x).len() as i64).collect(),
    };
    let rank = builder.shape(x).len();
    let mut resolved = movement::axes(&axes, rank)?;
    resolved.sort_unstable();
    if rank != 4 || resolved != [2, 3] {
        let shape = builder.shape(x);
        let message =
            format!("it reduces the axes {axes:?} of {shape:?}; only the H and W of [N, C, H, W] are supported");
        return Err(Refusal::new(message));
    }
    let pooled = global(kind, x, builder)?;
    if keep {
        return Ok(vec![pooled]);
    }
    let shape = builder.shape(pooled)[..2].to_vec();
    Ok(vec![builder.push(Operator::Reshape, vec![pooled], shape)?])
}
