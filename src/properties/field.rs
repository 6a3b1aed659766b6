//! How a field of [`super::CompilerConfig`] becomes a [`Value`] and back. The kind of a property follows from the type
//! of its field, so that the two cannot disagree.

use crate::base::Share;

use super::choices::{
    CompilerMode, ConstantsHome, DpuAllocationAlgorithm, GraphCleanerCondition, GraphCleanerNode, InstructionsHome,
    MemoryPool, MulticoreMode, ProfilingLevel, QuantizationScheme,
};
use super::property::Kind;
use super::value::Value;

/// A type that a field of the configuration may have.
pub(super) trait Field: Sized {
    /// The widest kind of value that fits the field.
    const KIND: Kind;
    /// Whether `null` fits too.
    const NULLABLE: bool = false;
    /// The field as a value.
    fn to_value(&self) -> Value;
    /// The field from a value of exactly its kind; `None` for any other.
    fn from_value(value: &Value) -> Option<Self>;
}

impl Field for bool {
    const KIND: Kind = Kind::Bool;

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(value) = value { Some(*value) } else { None }
    }
}

impl Field for i64 {
    const KIND: Kind = Kind::Int { min: i64::MIN, max: i64::MAX };

    fn to_value(&self) -> Value {
        Value::Int(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(value) = value { Some(*value) } else { None }
    }
}

impl Field for u32 {
    const KIND: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };

    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(value) = value { Self::try_from(*value).ok() } else { None }
    }
}

impl Field for f64 {
    const KIND: Kind = Kind::Float { min: Self::MIN, max: Self::MAX };

    fn to_value(&self) -> Value {
        Value::Float(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Float(value) = value { Some(*value) } else { None }
    }
}

impl Field for Share {
    const KIND: Kind = Kind::Share;

    fn to_value(&self) -> Value {
        Value::Float(self.decimal())
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Float(value) = value { Self::from_decimal(*value) } else { None }
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! word_fields {
    ($($name:ident)+) => {$(
        impl Field for $name {
            const KIND: Kind = Kind::Enum($name::WORDS);

            fn to_value(&self) -> Value {
                Value::Text(self.word().to_owned())
            }

            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Text(text) = value { Self::from_word(text) } else { None }
            }
        }
    )+};
}

word_fields! {
    CompilerMode ConstantsHome DpuAllocationAlgorithm GraphCleanerCondition GraphCleanerNode InstructionsHome
    MemoryPool MulticoreMode QuantizationScheme
}

impl Field for Vec<ProfilingLevel> {
    const KIND: Kind = Kind::List(ProfilingLevel::WORDS);

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(|level| Value::Text(level.word().to_owned())).collect())
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::List(items) = value else { return None };
        let level = |item: &Value| {
            if let Value::Text(text) = item { ProfilingLevel::from_word(text) } else { None }
        };
        items.iter().map(level).collect()
    }
}
