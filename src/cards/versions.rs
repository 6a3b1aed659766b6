//! Scalars on which YAML 1.1 and 1.2 differ: read as the SDK reads them, with a warning (SPEC 3).

use super::fields::Fields;
use crate::diag::Diagnostic;
use crate::yaml::Kind;
use crate::yaml::Node;

/// Keys whose values are meant as strings: their text is taken as written, so there is nothing to warn about.
const TEXT_KEYS: &[&str] = &[
    "name",
    "description",
    "class",
    "task_category",
    "model_type",
    "model_name",
    "dataset",
    "version",
    "where",
    "source",
    "which",
    "data_dir_name",
    "cal_data",
    "val_data",
    "label_type",
    "compiler_config_file",
    "axelera-model-format",
    "dependencies",
];

/// Endings of keys whose values are meant as strings.
const TEXT_ENDINGS: &[&str] = &["_path", "_dir", "_root", "_url", "_md5", "_name", "_file", "_format", "_layout"];

pub(super) fn warn(fields: &mut Fields<'_>, card: &Node) {
    let mut found = Vec::new();
    walk(card, &mut found);
    for (node, difference) in found {
        let text = node.as_scalar().map_or("", |scalar| scalar.text.as_str());
        let alike = node.as_scalar().and_then(crate::yaml::Scalar::spelled_alike);
        let value = alike.map(|value| format!(", or `{value}` for the value")).unwrap_or_default();
        let problem = Diagnostic::warning("card/yaml-versions", difference)
            .at(fields.source, node.span)
            .hint(format!("write `\"{text}\"` for the text{value}"));
        fields.report(problem);
    }
}

fn walk<'n>(node: &'n Node, found: &mut Vec<(&'n Node, String)>) {
    match &node.kind {
        Kind::Scalar(scalar) => found.extend(scalar.differs_in_yaml_1_2().map(|difference| (node, difference))),
        Kind::Sequence(items) => items.iter().for_each(|item| walk(item, found)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                // The config room reads `compilation_config` and speaks of its values itself.
                let key = key.as_text().unwrap_or_default();
                let text = TEXT_KEYS.contains(&key) || TEXT_ENDINGS.iter().any(|ending| key.ends_with(ending));
                if !text && key != "compilation_config" {
                    walk(value, found);
                }
            }
        }
    }
}
