//! Constants of a file: `TensorProto` to [`Tensor`].

use std::sync::Arc;

use crate::compiler::graph::DataType;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::ExternalData;
use crate::compiler::onnx::RANK_LIMIT;
use crate::compiler::onnx::builder::check_size;
use crate::compiler::onnx::locations;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::data_type;

/// `data_location` of a tensor whose values were left in the file ([`super::skim`]). The standard knows 0 and 1.
pub(super) const UNREAD: i32 = 2;

/// [`read`], or only shape and type of a tensor that a skimmed file does not hold.
pub(super) fn read_skimmed(proto: &TensorProto, external: &dyn ExternalData) -> Result<Tensor, String> {
    let is_float =
        matches!(proto.data_type, data_type::FLOAT | data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16);
    // Weights in another file are as large as any; integers there could be a shape.
    if proto.data_location != UNREAD && (proto.data_location != 1 || !is_float) {
        return read(proto, external);
    }
    let (shape, width) = extent(proto)?;
    if shape.contains(&0) {
        return read(&TensorProto { data_location: 0, ..proto.clone() }, external);
    }
    if proto.data_location == 1 {
        let (location, offset, length) = external_part(proto, element_count(&shape).unwrap_or(usize::MAX), width)?;
        external.check(location, offset, length)?;
    }
    Ok(Tensor::unread(shape, if is_float { DataType::F32 } else { DataType::I64 }))
}

/// The shape of a tensor and the bytes that an element takes.
fn extent(proto: &TensorProto) -> Result<(Vec<usize>, usize), String> {
    if proto.dims.len() > RANK_LIMIT {
        return Err(format!("it has {} dimensions; at most {RANK_LIMIT} are supported", proto.dims.len()));
    }
    let shape: Option<Vec<usize>> = proto.dims.iter().map(|&dimension| usize::try_from(dimension).ok()).collect();
    let shape = shape.ok_or_else(|| format!("its dimensions {:?} are negative", proto.dims))?;
    check_size(&shape).map_err(|refusal| refusal.message)?;
    let width = width(proto.data_type)
        .ok_or_else(|| format!("its type is {}, which is not supported", data_type::name(proto.data_type)))?;
    Ok((shape, width))
}

/// Where the values of a tensor are.
enum Source<'a> {
    Bytes(std::borrow::Cow<'a, [u8]>),
    Typed,
}

/// The tensor's values: floats of any width as 32-bit floats, integers and booleans widened. An error says what does
/// not fit; nothing is allocated for elements that the file does not have.
pub(super) fn read(proto: &TensorProto, external: &dyn ExternalData) -> Result<Tensor, String> {
    let (shape, width) = extent(proto)?;
    let count = element_count(&shape).unwrap_or(usize::MAX);
    let source = source(proto, count, width, external)?;
    let values = match source {
        Source::Bytes(bytes) => from_bytes(proto.data_type, &bytes, count, width)?,
        Source::Typed => from_fields(proto, count)?,
    };
    let tensor = match values {
        Values::Floats(values) => Tensor::from_f32(shape, values),
        Values::Integers(values) => Tensor::from_i64(shape, values),
    };
    tensor.ok_or_else(|| format!("it has another number of values than its dimensions {:?}", proto.dims))
}

enum Values {
    Floats(Arc<[f32]>),
    Integers(Arc<[i64]>),
}

/// Bytes an element takes in raw data; `None` for types that are not read.
fn width(number: i32) -> Option<usize> {
    Some(match number {
        data_type::UINT8 | data_type::INT8 | data_type::BOOL => 1,
        data_type::UINT16 | data_type::INT16 | data_type::FLOAT16 | data_type::BFLOAT16 => 2,
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => 4,
        data_type::INT64 | data_type::UINT64 | data_type::DOUBLE => 8,
        _ => return None,
    })
}

fn source<'a>(
    proto: &'a TensorProto,
    count: usize,
    width: usize,
    external: &dyn ExternalData,
) -> Result<Source<'a>, String> {
    if proto.data_location != 1 {
        return Ok(if proto.raw_data.is_empty() && count > 0 {
            Source::Typed
        } else {
            Source::Bytes(proto.raw_data.as_slice().into())
        });
    }
    let (location, offset, length) = external_part(proto, count, width)?;
    Ok(Source::Bytes(external.read(location, offset, length)?.into()))
}

/// Where the values of a tensor in another file are: the file, and the first byte and number of bytes there.
fn external_part(proto: &TensorProto, count: usize, width: usize) -> Result<(&str, u64, u64), String> {
    let entry = |key: &str| proto.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let number = |key: &str| match entry(key) {
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| format!("its external `{key}` is `{text}`")),
        None => Ok(None),
    };
    let location = locations::tidy(entry("location").ok_or("its external data has no `location`")?);
    let wanted = (count as u64).saturating_mul(width as u64);
    let length = number("length")?.unwrap_or(wanted);
    if length != wanted {
        return Err(format!("its external data has {length} bytes; its dimensions need {wanted}"));
    }
    Ok((location, number("offset")?.unwrap_or(0), length))
}

fn words<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Arc<[T]> {
    bytes.as_chunks::<N>().0.iter().map(|&word| convert(word)).collect()
}

fn from_bytes(number: i32, bytes: &[u8], count: usize, width: usize) -> Result<Values, String> {
    if count.checked_mul(width) != Some(bytes.len()) {
        return Err(format!("it has {} bytes; its dimensions need {count} times {width}", bytes.len()));
    }
    Ok(match number {
        data_type::FLOAT => Values::Floats(words(bytes, f32::from_le_bytes)),
        data_type::DOUBLE => Values::Floats(words(bytes, |word| f64::from_le_bytes(word) as f32)),
        data_type::FLOAT16 => Values::Floats(words(bytes, |word| half_to_float(u16::from_le_bytes(word)))),
        data_type::BFLOAT16 => Values::Floats(words(bytes, |word| bfloat_to_float(u16::from_le_bytes(word)))),
        data_type::INT8 => Values::Integers(words(bytes, |word| i64::from(i8::from_le_bytes(word)))),
        data_type::INT16 => Values::Integers(words(bytes, |word| i64::from(i16::from_le_bytes(word)))),
        data_type::UINT16 => Values::Integers(words(bytes, |word| i64::from(u16::from_le_bytes(word)))),
        data_type::INT32 => Values::Integers(words(bytes, |word| i64::from(i32::from_le_bytes(word)))),
        data_type::UINT32 => Values::Integers(words(bytes, |word| i64::from(u32::from_le_bytes(word)))),
        data_type::INT64 => Values::Integers(words(bytes, i64::from_le_bytes)),
        data_type::UINT64 => Values::Integers(words(bytes, |word| u64::from_le_bytes(word).cast_signed())),
        _ => Values::Integers(bytes.iter().map(|&byte| i64::from(byte)).collect()),
    })
}

fn from_fields(proto: &TensorProto, count: usize) -> Result<Values, String> {
    let values = match proto.data_type {
        data_type::FLOAT => Values::Floats(proto.float_data.as_slice().into()),
        data_type::DOUBLE => Values::Floats(proto.double_data.iter().map(|&value| value as f32).collect()),
        data_type::FLOAT16 => Values::Floats(proto.int32_data.iter().map(|&bits| half_to_float(bits as u16)).collect()),
        data_type::BFLOAT16 => {
            Values::Floats(proto.int32_data.iter().map(|&bits| bfloat_to_float(bits as u16)).collect())
        }
        data_type::INT64 => Values::Integers(proto.int64_data.as_slice().into()),
        data_type::UINT32 | data_type::UINT64 => {
            Values::Integers(proto.uint64_data.iter().map(|&value| value.cast_signed()).collect())
        }
        _ => Values::Integers(proto.int32_data.iter().map(|&value| i64::from(value)).collect()),
    };
    let found = match &values {
        Values::Floats(values) => values.len(),
        Values::Integers(values) => values.len(),
    };
    if found == count { Ok(values) } else { Err(format!("it has {found} values; its dimensions need {count}")) }
}

/// IEEE 754 half precision to single; exact.
fn half_to_float(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    match exponent {
        // Subnormal: the fraction counts units of 2⁻²⁴.
        0 => {
            let magnitude = fraction as f32 / 16_777_216.0;
            f32::from_bits(magnitude.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

/// The upper half of a single; exact.
fn bfloat_to_float(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::onnx::NoExternalData;

    #[test]
    fn halves_are_exact() {
        struct Case(u16, f32);
        let cases = [
            Case(0x3c00, 1.0),
            Case(0xc000, -2.0),
            Case(0x7bff, 65504.0),
            Case(0x0001, 5.960_464_5e-8),
            Case(0x03ff, 6.097_555e-5),
            Case(0x0400, 6.103_515_6e-5),
            Case(0x8000, -0.0),
            Case(0x7c00, f32::INFINITY),
        ];
        for Case(bits, expected) in cases {
            assert_eq!(half_to_float(bits).to_bits(), expected.to_bits(), "{bits:#x}");
        }
        assert!(half_to_float(0x7e00).is_nan());
    }

    #[test]
    fn every_way_to_store_values_is_read() {
        let base = TensorProto { dims: vec![2], ..TensorProto::default() };
        let floats = |proto: TensorProto| read(&proto, &NoExternalData).map(|t| t.as_f32().map(<[f32]>::to_vec));
        let integers = |proto: TensorProto| read(&proto, &NoExternalData).map(|t| t.as_i64().map(<[i64]>::to_vec));
        let proto = TensorProto { data_type: data_type::FLOAT, float_data: vec![1.0, 2.0], ..base.clone() };
        assert_eq!(floats(proto), Ok(Some(vec![1.0, 2.0])));
        let proto = TensorProto { data_type: data_type::FLOAT16, int32_data: vec![0x3c00, 0x4000], ..base.clone() };
        assert_eq!(floats(proto), Ok(Some(vec![1.0, 2.0])));
        let proto = TensorProto { data_type: data_type::BFLOAT16, raw_data: vec![0x80, 0x3f, 0, 0x40], ..base.clone() };
        assert_eq!(floats(proto), Ok(Some(vec![1.0, 2.0])));
        let proto = TensorProto { data_type: data_type::DOUBLE, double_data: vec![1.0, 2.0], ..base.clone() };
        assert_eq!(floats(proto), Ok(Some(vec![1.0, 2.0])));
        let proto = TensorProto { data_type: data_type::INT8, raw_data: vec![0xff, 1], ..base.clone() };
        assert_eq!(integers(proto), Ok(Some(vec![-1, 1])));
        let proto = TensorProto { data_type: data_type::INT32, int32_data: vec![-5, 1], ..base.clone() };
        assert_eq!(integers(proto), Ok(Some(vec![-5, 1])));
        let proto = TensorProto { data_type: data_type::INT64, int64_data: vec![-5, 1], ..base.clone() };
        assert_eq!(integers(proto), Ok(Some(vec![-5, 1])));
        let proto = TensorProto { data_type: data_type::UINT64, uint64_data: vec![5, 1], ..base };
        assert_eq!(integers(proto), Ok(Some(vec![5, 1])));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_allocated() {
        let float = |dims: Vec<i64>, raw_data: Vec<u8>| TensorProto {
            dims,
            raw_data,
            data_type: data_type::FLOAT,
            ..TensorProto::default()
        };
        let cases = [
            float(vec![-1], vec![]),
            float(vec![1 << 60], vec![]),
            float(vec![1 << 40, 1 << 40], vec![]),
            float(vec![i64::MAX, 0], vec![]),
            float(vec![2], vec![0; 7]),
            float(vec![2], vec![]),
            TensorProto { data_type: data_type::STRING, ..float(vec![0], vec![]) },
            TensorProto { data_location: 1, ..float(vec![1], vec![]) },
        ];
        for proto in cases {
            assert!(read(&proto, &NoExternalData).is_err(), "{:?} of {:?}", proto.data_type, proto.dims);
        }
    }
}
