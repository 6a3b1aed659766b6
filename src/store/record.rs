//! The one record that decides whether a step runs, and later explains why it did.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::plan::StepKind;

/// Version of the record's meaning. A bump voids all results.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// Everything that may change the bytes which a step writes (SPEC 6). Hashed to find a result, and stored beside it to
/// explain a miss: one record, so the two cannot disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// [`SCHEMA`] when it was made.
    pub schema: u32,
    /// The kind of work.
    pub step: StepKind,
    /// Identity and version of what does the work.
    pub tool: String,
    /// Exactly the settings that the step reads.
    pub settings: BTreeMap<String, String>,
    /// Contents of the inputs by role: never a path, a time or a host.
    pub inputs: BTreeMap<String, Digest>,
}

/// A file that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its path below the step's output folder, with `/` between the parts.
    pub name: String,
    /// Its contents.
    pub digest: Digest,
    /// Bytes.
    pub length: u64,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// A setting's name, `input ROLE`, `toolchain`, `schema`, or a file of the build tree.
    pub what: String,
    /// What it was; `None` when it was not there.
    pub old: Option<String>,
    /// What it is; `None` when it is not there any more.
    pub new: Option<String>,
    /// File and line where the new value is said.
    pub origin: Option<(String, usize)>,
    /// The source file that is read, where an input is one.
    pub source: Option<PathBuf>,
}

impl Difference {
    /// A difference whose origin is not known.
    #[must_use]
    pub fn new(what: impl Into<String>, old: Option<String>, new: Option<String>) -> Self {
        Self { what: what.into(), old, new, origin: None, source: None }
    }
}

impl KeyRecord {
    /// The key: BLAKE3 of the record as JSON without blanks, fields in the order of declaration, maps sorted by name.
    #[must_use]
    pub fn key(&self) -> Digest {
        Digest::of(self.json().as_bytes())
    }

    /// The text that is hashed.
    #[must_use]
    pub fn json(&self) -> String {
        // A struct of texts, numbers and maps with text keys has no value that JSON cannot write.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Every difference from an older record of the same step, in a fixed order: schema, toolchain, settings, inputs.
    #[must_use]
    pub fn diff(&self, old: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.schema != old.schema {
            found.push(Difference::new("schema", Some(old.schema.to_string()), Some(self.schema.to_string())));
        }
        if self.tool != old.tool {
            found.push(Difference::new("toolchain", Some(old.tool.clone()), Some(self.tool.clone())));
        }
        compare(&self.settings, &old.settings, |what, old, new| {
            found.push(Difference::new(what, old.cloned(), new.cloned()));
        });
        compare(&self.inputs, &old.inputs, |what, old, new| {
            found.push(Difference::new(format!("input {what}"), old.map(Digest::short), new.map(Digest::short)));
        });
        found
    }
}

/// Calls `differ(name, old, new)` for every name whose value differs, in the order of names.
fn compare<V: PartialEq>(
    new: &BTreeMap<String, V>,
    old: &BTreeMap<String, V>,
    mut differ: impl FnMut(&str, Option<&V>, Option<&V>),
) {
    let mut names: Vec<&String> = new.keys().chain(old.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (before, after) = (old.get(name), new.get(name));
        if before != after {
            differ(name, before, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> KeyRecord {
        KeyRecord {
            schema: 1,
            step: StepKind::Quantize,
            tool: "host/quantize/1".into(),
            settings: [("quantization_scheme", "per_tensor_histogram"), ("num_cal_images", "200")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            inputs: [("model".to_owned(), Digest::of(b"onnx")), ("images/0001.png".to_owned(), Digest::of(b"png"))]
                .into(),
        }
    }

    /// A change here voids every result that users have; it is only right together with a bump of [`SCHEMA`].
    #[test]
    fn the_key_of_a_record_is_pinned() {
        assert_eq!(
            record().json(),
            "{\"schema\":1,\"step\":\"quantize\",\"tool\":\"host/quantize/1\",\"settings\":{\"num_cal_images\":\"200\",\
             \"quantization_scheme\":\"per_tensor_histogram\"},\"inputs\":{\"images/0001.png\":\
             \"bad7c9a32d645d0eb45be765104af05c7a16c3c28f5ef95ed66e1fd10c12798d\",\"model\":\
             \"e43baf9c0efe97991ee39d77e88d87ab8a8200495d72540769b100c3994cadf6\"}}"
        );
        assert_eq!(record().key().hex(), "211649f21c5b9f088763539a4677cac6c3c8e9f36b3ca5e77d2d9012ab1614f4");
    }

    #[test]
    fn every_difference_is_named_not_only_the_first() {
        let old = record();
        let mut new = record();
        new.tool = "host/quantize/2".into();
        new.settings.insert("num_cal_images".into(), "100".into());
        new.settings.insert("cal_seed".into(), "7".into());
        new.inputs.remove("images/0001.png");
        let found: Vec<String> = new
            .diff(&old)
            .into_iter()
            .map(|d| format!("{}: {} → {}", d.what, d.old.unwrap_or("-".into()), d.new.unwrap_or("-".into())))
            .collect();
        let image = Digest::of(b"png").short();
        let expected = [
            "toolchain: host/quantize/1 → host/quantize/2".to_owned(),
            "cal_seed: - → 7".to_owned(),
            "num_cal_images: 200 → 100".to_owned(),
            format!("input images/0001.png: {image} → -"),
        ];
        assert_eq!(found, expected);
        assert!(old.diff(&old).is_empty());
    }

    fn any_record() -> impl Strategy<Value = KeyRecord> {
        let settings = proptest::collection::btree_map("[a-z]{1,3}", "[a-z0-9\"\\\\]{0,3}", 0..4);
        let inputs = proptest::collection::btree_map("[a-z/]{1,3}", any::<[u8; 2]>(), 0..4);
        (0..2_u32, 0..6_usize, "[a-b]{1,2}", settings, inputs).prop_map(|(schema, step, tool, settings, inputs)| {
            KeyRecord {
                schema,
                step: StepKind::ALL[step],
                tool,
                settings,
                inputs: inputs.into_iter().map(|(role, bytes)| (role, Digest::of(&bytes))).collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn two_records_have_one_key_exactly_when_they_are_equal(a in any_record(), b in any_record()) {
            prop_assert_eq!(a.key() == b.key(), a == b);
            if a.step == b.step {
                prop_assert_eq!(a.diff(&b).is_empty(), a == b);
            }
            let read: KeyRecord = serde_json::from_str(&a.json()).expect("a record reads back");
            prop_assert_eq!(read.key(), a.key());
        }
    }
}
