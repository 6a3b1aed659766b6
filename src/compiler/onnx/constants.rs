//! Operators that only constants go through (or that change nothing): how exporters write shapes and weights.

use crate::compiler::graph::Data;
use crate::compiler::graph::DataType;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::onnx::builder::check_size;
use crate::compiler::onnx::fold;
use crate::compiler::onnx::proto::data_type;
use crate::compiler::onnx::tensors;
use crate::compiler::operators::Arithmetic;

type Imported = Result<Vec<ValueId>, Refusal>;

fn run_time(what: &str) -> Refusal {
    Refusal::new(format!("{what} is computed at run time; this operator is only supported on constants"))
}

/// Constant: a tensor, or since opset 12 plain values.
pub(crate) fn constant(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let tensor = if let Some(proto) = node.tensor("value")? {
        Some(builder.tensor(proto)?)
    } else if let Some(value) = node.any_float("value_float")? {
        Tensor::from_f32(vec![], vec![value])
    } else if let Some(value) = node.integer("value_int")? {
        Tensor::from_i64(vec![], vec![value])
    } else if let Some(values) = node.floats("value_floats")? {
        Tensor::from_f32(vec![values.len()], values)
    } else if let Some(values) = node.integers("value_ints")? {
        Tensor::from_i64(vec![values.len()], values)
    } else {
        return Err(Refusal::new("it has no value that is a tensor or numbers"));
    };
    let tensor = tensor.ok_or_else(|| Refusal::new("its value is not as large as it says"))?;
    // The file holds these elements, so they are not taken off the budget.
    builder.allow(&tensor);
    let name = builder.unused_name("value");
    Ok(vec![builder.graph.add_constant(name, tensor)])
}

/// Identity: the same value under another name.
pub(crate) fn identity(node: &mut OnnxNode<'_>, _builder: &mut Builder) -> Imported {
    Ok(vec![node.input(0)?])
}

/// Dropout, which does nothing at inference; its mask output is not supported.
pub(crate) fn dropout(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    node.ignore(&["ratio", "seed", "is_test"]);
    if let Some(training) = node.optional(2)
        && builder.integers(training, "training_mode")? != [0]
    {
        return Err(Refusal::new("its `training_mode` is set; only inference is supported"));
    }
    Ok(vec![node.input(0)?])
}

/// Cast: of constants; of a computed tensor only between float types, which are one here.
pub(crate) fn cast(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let to = node.integer("to")?.ok_or_else(|| Refusal::new("`to` is missing"))?;
    node.ignore(&["saturate"]);
    let to = i32::try_from(to).unwrap_or(0);
    let is_float = matches!(to, data_type::FLOAT | data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16);
    let range = integer_range(to);
    if !is_float && range.is_none() {
        return Err(Refusal::new(format!("it casts to {}, which is not supported", data_type::name(to))));
    }
    let Some(tensor) = builder.constant(x) else {
        return if is_float { Ok(vec![x]) } else { Err(run_time("its input")) };
    };
    let tensor = tensor.clone();
    let shape = tensor.shape().to_vec();
    if tensor.data_type() != DataType::F32 || !is_float {
        // Before it is computed: a refused node is no reason for a survey to stop.
        builder.reserve(tensor.len(), DataType::I64)?;
    }
    let result = match (tensor.data(), range) {
        (Data::F32(_), None) => return Ok(vec![x]),
        (Data::I64(values), None) => {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Tensor::from_f32(shape, values)
        }
        (Data::F32(values), Some(_)) if to == data_type::BOOL => {
            let values: Vec<i64> = values.iter().map(|&value| i64::from(value != 0.0)).collect();
            Tensor::from_i64(shape, values)
        }
        (Data::I64(values), Some(_)) if to == data_type::BOOL => {
            let values: Vec<i64> = values.iter().map(|&value| i64::from(value != 0)).collect();
            Tensor::from_i64(shape, values)
        }
        (Data::F32(values), Some((low, high))) => {
            let values: Vec<i64> = values.iter().map(|&value| (value as i64).clamp(low, high)).collect();
            Tensor::from_i64(shape, values)
        }
        (Data::I64(values), Some((low, high))) => {
            if values.iter().any(|value| !(low..=high).contains(value)) {
                return Err(Refusal::new(format!("a value does not fit {}", data_type::name(to))));
            }
            Tensor::from_i64(shape, values.clone())
        }
    };
    Ok(vec![builder.constant_of(result, "cast")?])
}

/// The values of an integer type; `None` for other types.
fn integer_range(number: i32) -> Option<(i64, i64)> {
    Some(match number {
        data_type::BOOL => (0, 1),
        data_type::INT8 => (-128, 127),
        data_type::UINT8 => (0, 255),
        data_type::INT16 => (-32_768, 32_767),
        data_type::UINT16 => (0, 65_535),
        data_type::INT32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        data_type::UINT32 => (0, i64::from(u32::MAX)),
        data_type::INT64 | data_type::UINT64 => (i64::MIN, i64::MAX),
        _ => return None,
    })
}

/// Floor of constants.
pub(crate) fn floor(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    rounded(node, builder, f32::floor)
}

/// Ceil of constants.
pub(crate) fn ceil(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    rounded(node, builder, f32::ceil)
}

fn rounded(node: &mut OnnxNode<'_>, builder: &mut Builder, round: fn(f32) -> f32) -> Imported {
    let x = node.input(0)?;
    let tensor = builder.constant(x).cloned().ok_or_else(|| run_time("its input"))?;
    builder.reserve(tensor.len(), DataType::F32)?;
    let values: Vec<f32> = builder.floats(x, "input")?.iter().map(|&value| round(value)).collect();
    let result = Tensor::from_f32(tensor.shape().to_vec(), values);
    Ok(vec![builder.constant_of(result, "rounded")?])
}

/// Shape: known for every value; `start` and `end` since opset 15.
pub(crate) fn shape(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let rank = builder.shape(x).len() as i64;
    let place = |value: i64| {
        let from_front = if value < 0 { value.saturating_add(rank) } else { value };
        from_front.clamp(0, rank) as usize
    };
    let start = place(node.integer("start")?.unwrap_or(0));
    let end = place(node.integer("end")?.unwrap_or(rank));
    let part = builder.shape(x).get(start..end.max(start)).unwrap_or_default();
    let values: Vec<i64> = part.iter().map(|&dimension| dimension as i64).collect();
    Ok(vec![builder.constant_of(Tensor::from_i64(vec![values.len()], values), "shape")?])
}

/// `ConstantOfShape`: one value, zero by default, of a shape that is known.
pub(crate) fn constant_of_shape(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let dimensions = builder.integers(node.input(0)?, "shape")?;
    let shape: Option<Vec<usize>> = dimensions.iter().map(|&dimension| usize::try_from(dimension).ok()).collect();
    let shape = shape.ok_or_else(|| Refusal::new(format!("the shape {dimensions:?} is negative")))?;
    let count = check_size(&shape)?;
    let value = match node.tensor("value")? {
        Some(proto) => tensors::read(proto, &NoExternalData)?,
        None => return filled(builder, shape, &Data::F32(vec![0.0].into()), count),
    };
    if value.len() != 1 {
        return Err(Refusal::new(format!("`value` has {} elements; expected one", value.len())));
    }
    filled(builder, shape, value.data(), count)
}

fn filled(builder: &mut Builder, shape: Vec<usize>, value: &Data, count: usize) -> Imported {
    // Off the budget before it is allocated; `constant_of` takes it off a second time, which only makes it stricter.
    let data_type = match value {
        Data::F32(_) => DataType::F32,
        Data::I64(_) => DataType::I64,
    };
    builder.reserve(count, data_type)?;
    let tensor = match value {
        Data::F32(values) => Tensor::from_f32(shape, vec![values.first().copied().unwrap_or(0.0); count]),
        Data::I64(values) => Tensor::from_i64(shape, vec![values.first().copied().unwrap_or(0); count]),
    };
    Ok(vec![builder.constant_of(tensor, "filled")?])
}

/// Range of constant integers.
pub(crate) fn range(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let read = |place: usize, what: &str| -> Result<i64, Refusal> {
        match builder.integers(node.input(place)?, what)? {
            &[value] => Ok(value),
            other => Err(Refusal::new(format!("`{what}` has {} values; expected one", other.len()))),
        }
    };
    let (start, limit, step) = (read(0, "start")?, read(1, "limit")?, read(2, "delta")?);
    let distance = if step > 0 { i128::from(limit) - i128::from(start) } else { i128::from(start) - i128::from(limit) };
    if step == 0 {
        return Err(Refusal::new("`delta` is 0"));
    }
    let step_size = i128::from(step.unsigned_abs());
    let count = usize::try_from((distance.max(0) + step_size - 1) / step_size)
        .map_err(|_| Refusal::new("it has too many values"))?;
    check_size(&[count])?;
    builder.reserve(count, DataType::I64)?;
    // No value passes `limit`, which is an i64.
    let values: Vec<i64> = (0..count as i64).map(|at| start.wrapping_add(at.wrapping_mul(step))).collect();
    Ok(vec![builder.constant_of(Tensor::from_i64(vec![count], values), "range")?])
}

/// Two or three constants broadcast to each other.
fn broadcast(inputs: &[ValueId], builder: &mut Builder) -> Result<(Vec<usize>, Vec<Tensor>), Refusal> {
    let mut shape = vec![];
    for &id in inputs {
        shape = Arithmetic::output_shape(&shape, builder.shape(id))?;
    }
    let count = check_size(&shape)?;
    let mut tensors = Vec::with_capacity(inputs.len());
    for &id in inputs {
        let data_type = builder.constant(id).ok_or_else(|| run_time("an input"))?.data_type();
        builder.reserve(count, data_type)?;
        let tensor = builder.constant(id).ok_or_else(|| run_time("an input"))?;
        let repeated = fold::repeated(tensor, &shape);
        tensors.push(repeated.ok_or_else(|| Refusal::new("an input cannot be broadcast"))?);
    }
    Ok((shape, tensors))
}

/// Equal of constants.
pub(crate) fn equal(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (shape, tensors) = broadcast(&[node.input(0)?, node.input(1)?], builder)?;
    let values: Vec<i64> = match (tensors[0].data(), tensors[1].data()) {
        (Data::I64(a), Data::I64(b)) => a.iter().zip(b.iter()).map(|(a, b)| i64::from(a == b)).collect(),
        #[expect(clippy::float_cmp, reason = "ONNX Equal on floats is exact")]
        (Data::F32(a), Data::F32(b)) => a.iter().zip(b.iter()).map(|(a, b)| i64::from(a == b)).collect(),
        _ => return Err(Refusal::new("one operand is a float and the other an integer")),
    };
    Ok(vec![builder.constant_of(Tensor::from_i64(shape, values), "equal")?])
}

/// Where of constants.
pub(crate) fn select(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (shape, tensors) = broadcast(&[node.input(0)?, node.input(1)?, node.input(2)?], builder)?;
    let condition = tensors[0].as_i64().ok_or_else(|| Refusal::new("its condition is not boolean"))?;
    let result = match (tensors[1].data(), tensors[2].data()) {
        (Data::I64(a), Data::I64(b)) => {
            let pairs = a.iter().zip(b.iter()).zip(condition);
            Tensor::from_i64(shape, pairs.map(|((a, b), c)| if *c != 0 { *a } else { *b }).collect::<Vec<_>>())
        }
        (Data::F32(a), Data::F32(b)) => {
            let pairs = a.iter().zip(b.iter()).zip(condition);
            Tensor::from_f32(shape, pairs.map(|((a, b), c)| if *c != 0 { *a } else { *b }).collect::<Vec<_>>())
        }
        _ => return Err(Refusal::new("one operand is a float and the other an integer")),
    };
    Ok(vec![builder.constant_of(result, "selected")?])
}
