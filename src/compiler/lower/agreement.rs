//! Whether a manifest, the files beside it and the model in them say the same. What one of them says otherwise is refused by
//! name: a model that is half of one and half of another would run, and be wrong.

use std::fmt;

use serde_json::Value;

use crate::base::Digest;
use crate::compiler::error::shortened;
use crate::compiler::lower::HostGraph;
use crate::compiler::lower::Manifest;
use crate::compiler::lower::manifest::SAID_HERE_ALONE;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;

/// A key of a manifest with another value than it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    key: String,
    expected: String,
    found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: expected {}, found {}", self.key, self.expected, self.found)
    }
}

/// Several differences of a file, in one sentence.
pub(super) fn told(file: &str, differences: &[Difference]) -> String {
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    format!("`{file}` does not agree with the model: {}", told.join("; "))
}

/// The places in which two values differ.
fn compare(key: &str, expected: &Value, found: &Value, differences: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{key}[{place}]"), expected, found, differences);
            }
        }
        _ if expected == found => (),
        _ => differences.push(Difference {
            key: key.to_owned(),
            expected: shortened(expected.to_string()),
            found: shortened(found.to_string()),
        }),
    }
}

impl Manifest {
    /// Where this says other than the manifest that the model would be given: `expected` has the same files.
    pub(super) fn differences(&self, expected: &Self) -> Vec<Difference> {
        let entries = |manifest: &Self| match serde_json::to_value(manifest) {
            Ok(Value::Object(entries)) => entries,
            _ => serde_json::Map::new(),
        };
        let (expected, found) = (entries(expected), entries(self));
        let mut differences = Vec::new();
        let more = found.keys().filter(|key| !expected.contains_key(*key));
        for key in expected.keys().chain(more).filter(|key| *key != "digests") {
            let of = |entries: &serde_json::Map<String, Value>| entries.get(key).cloned().unwrap_or(Value::Null);
            compare(key, &of(&expected), &of(&found), &mut differences);
        }
        differences
    }

    /// Whether there is a digest of each of these files, and of no others but those that may have one.
    pub(super) fn digest_gaps(&self, needed: &[&str], allowed: &[&str]) -> Vec<Difference> {
        let difference = |name: &str, expected: &str, found: &str| Difference {
            key: format!("digests.{name}"),
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let missing = needed.iter().filter(|name| !self.digests.contains_key(**name));
        let whose = |name: &str| if SAID_HERE_ALONE.contains(&name) { "the key's digest" } else { "the file's digest" };
        let mut gaps: Vec<Difference> = missing.map(|name| difference(name, whose(name), "none")).collect();
        let known = |name: &String| needed.contains(&name.as_str()) || allowed.contains(&name.as_str());
        let more = self.digests.iter().filter(|(name, _)| !known(name));
        gaps.extend(more.map(|(name, digest)| {
            difference(name, "none, as no other key of the manifest names the file", &shortened(digest.clone()))
        }));
        gaps
    }

    /// Whether what the manifest alone says is what it said when it was written. The error has the key and both digests.
    pub(super) fn check_own(&self, file: &str) -> Result<(), String> {
        for key in SAID_HERE_ALONE {
            let (found, expected) = (self.own_digest(key), self.digests.get(key).cloned().unwrap_or_default());
            if found != expected {
                let expected = shortened(expected);
                return Err(format!(
                    "`digests.{key}`: `{key}` of `{file}` is not what was written: expected the digest {expected}, found {found}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a file is what it was when the manifest was written; also where nothing is known of it. The error has both
    /// digests.
    pub(super) fn check_digest(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let found = Digest::of(bytes).to_string();
        match self.digests.get(name) {
            Some(digest) if *digest != found => {
                let digest = shortened(digest.clone());
                Err(format!(
                    "`digests.{name}`: `{name}` is not what the manifest says: expected the digest {digest}, found {found}"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Name and shape of a tensor.
type Port = (String, Vec<usize>);

/// Whether the host's graphs meet the model: what goes before it makes its inputs, what goes behind it reads its outputs.
pub(super) fn check_host(
    graph: &QuantizedGraph,
    before: Option<&HostGraph>,
    after: Option<&HostGraph>,
) -> Result<(), String> {
    let ports = |ids: &[TensorId]| -> Vec<Port> {
        let values = ids.iter().map(|&id| graph.value(id));
        values.map(|value| (value.name.clone(), value.shape.clone())).collect()
    };
    let told = |ports: &[Port]| {
        let told: Vec<String> = ports.iter().map(|(name, shape)| format!("`{name}` {shape:?}")).collect();
        shortened(told.join(", "))
    };
    let sides = [
        (before.map(|it| (it, &it.outputs)), ports(&graph.inputs), "makes", "the model reads"),
        (after.map(|it| (it, &it.inputs)), ports(&graph.outputs), "reads", "the model makes"),
    ];
    for (host, core, does, model) in sides {
        if let Some((host, found)) = host
            && !found.starts_with(&core)
        {
            return Err(format!("`{}` {does} {}, and {model} {}", host.file, told(found), told(&core)));
        }
    }
    Ok(())
}
