//! One entry under `models:`, validated.

use super::PathValue;
use super::Spanned;
use super::fields::Fields;
use super::keys;
use super::keys::names;
use super::paths;
use super::settings::ExtraSettings;
use crate::base::check_name;
use crate::diag::Place;
use crate::diag::Span;
use crate::imaging::ColorFormat;
use crate::imaging::Layout;
use crate::yaml::Node;

/// Keys of a model that are known; anything else belongs to a newer SDK, unless it is a near miss of one of these.
pub(super) const MODEL_KEYS: &[&str] = &names(&keys::MODEL);

/// Longest side, and most channels or batch, that an input may have.
pub(super) const DIMENSION_LIMIT: i64 = 65_536;

/// What a model needs of the device (`model_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// `DEEP_LEARNING`, the default: weights that are compiled.
    DeepLearning,
    /// `CLASSICAL_CV`: code on the host; no compilation, no cores.
    ClassicalCv,
}

impl ModelKind {
    /// The word in cards.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DeepLearning => "DEEP_LEARNING",
            Self::ClassicalCv => "CLASSICAL_CV",
        }
    }
}

/// A ready-made artifact that a card names: where it lies, where it comes from, and its md5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ready {
    /// `…_path`.
    pub path: Option<PathValue>,
    /// `…_url`.
    pub url: Option<Spanned<String>>,
    /// `…_md5`, 32 hexadecimal digits as written.
    pub md5: Option<Spanned<String>>,
}

impl Ready {
    /// Whether the card names a place to get it from.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        self.path.is_some() || self.url.is_some()
    }
}

/// One model of a card.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The key under `models:`; it becomes a folder of the build tree.
    pub name: Spanned<String>,
    /// `model_type`.
    pub kind: ModelKind,
    /// `weight_path`, where the file is or would be put (voyager-semantics 3.7).
    pub weights: Option<PathValue>,
    /// `weight_url`.
    pub weight_url: Option<Spanned<String>>,
    /// `weight_md5`, 32 hexadecimal digits as written.
    pub weight_md5: Option<Spanned<String>>,
    /// `prequantized_*`: an archive that stands in for cleaning and quantizing.
    pub prequantized: Ready,
    /// `precompiled_*`: an archive that stands in for compiling.
    pub precompiled: Ready,
    /// `input_tensor_shape` in the order of `layout`; three dimensions have gained a batch of 1. `None` only where a
    /// model needs none (`CLASSICAL_CV`, or nothing but a ready-made archive).
    pub input_shape: Option<[usize; 4]>,
    /// Where `input_tensor_shape` is written, or else the model's name.
    pub input_shape_span: Span,
    /// `input_tensor_layout`; NCHW when not given.
    pub layout: Layout,
    /// `input_color_format`; RGB when not given.
    pub color: ColorFormat,
    /// `num_classes`; 1 when not given.
    pub num_classes: u32,
    /// `dataset`: a name under `datasets:`.
    pub dataset: Option<Spanned<String>>,
    /// `task_category`, such as `Classification`.
    pub task_category: Option<Spanned<String>>,
    /// `class`: data here; an SDK would import it.
    pub class: Option<Spanned<String>>,
    /// `class_path`.
    pub class_path: Option<PathValue>,
    /// `version`.
    pub version: Option<Spanned<String>>,
    /// `extra_kwargs`.
    pub extra: ExtraSettings,
    /// The whole entry, for what a template may substitute and for keys of newer SDKs.
    pub node: Node,
}

impl Model {
    /// Width, height and channels of the input, in pixels.
    #[must_use]
    pub fn input_size(&self) -> Option<[usize; 3]> {
        let [_, channels, height, width] = self.layout.to_nchw(self.input_shape?);
        Some([width, height, channels])
    }

    /// Why no toolchain of this version builds the model from its weights; `None` where they are ONNX, or cannot be told
    /// since their path has an unset variable.
    #[must_use]
    pub fn weights_not_supported(&self) -> Option<String> {
        let Some(weights) = &self.weights else {
            return Some(format!(
                "`{}` names no `weight_path`; this version builds ONNX weights only",
                self.name.value
            ));
        };
        let path = weights.resolved.as_ref().ok()?;
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
            return None;
        }
        let what = path.extension().map_or_else(|| "no extension".to_owned(), |e| format!("`.{}`", e.display()));
        Some(format!("the weights `{}` are not ONNX ({what})", weights.written))
    }

    pub(super) fn read(fields: &mut Fields<'_>, key: &Node, node: &Node) -> Option<Self> {
        let name = key.as_text()?.to_owned();
        fields.model = Some(name.clone());
        if let Err(error) = check_name(&name) {
            let hint = "a model's name becomes a folder below `build/`";
            fields.error("card/name", key.span, format!("the model `{}`: {error}", printable(&name)), Some(hint));
        }
        if !node.is_mapping() {
            let message = format!("the model `{name}`: expected a mapping, found {}", node.describe());
            fields.error("card/type", key.span, message, Some("indent the model's keys below its name"));
            return None;
        }
        fields.near_misses(node, MODEL_KEYS, &format!("the model `{name}`"));
        let kind = model_kind(fields, node);
        let weights = fields.text(node, "weight_path").map(|text| {
            let place = Place::new(fields.source, text.span);
            paths::weights(&text.value, place, fields.folder, &name, fields.variables)
        });
        let weight_url = fields.text(node, "weight_url");
        let weight_md5 = fields.md5(node, "weight_md5");
        let mut ready = |path: &str, url: &str, md5: &str| Ready {
            path: fields.path(node, path),
            url: fields.text(node, url),
            md5: fields.md5(node, md5),
        };
        let prequantized = ready("prequantized_path", "prequantized_url", "prequantized_md5");
        let precompiled = ready("precompiled_path", "precompiled_url", "precompiled_md5");
        let shape_needed = kind == ModelKind::DeepLearning
            && (weights.is_some() || !(prequantized.is_given() || precompiled.is_given()));
        let input_shape = input_shape(fields, key, node, shape_needed);
        Some(Self {
            kind,
            weights,
            weight_url,
            weight_md5,
            prequantized,
            precompiled,
            input_shape,
            input_shape_span: node.get("input_tensor_shape").map_or(key.span, |shape| shape.span),
            layout: fields.parsed(node, "input_tensor_layout").map_or(Layout::Nchw, |layout| layout.value),
            color: fields.parsed(node, "input_color_format").map_or(ColorFormat::Rgb, |color| color.value),
            num_classes: fields.count(node, "num_classes", 0).map_or(1, |count| count.value),
            dataset: fields.text(node, "dataset"),
            task_category: fields.text(node, "task_category"),
            class: fields.text(node, "class"),
            class_path: fields.path(node, "class_path"),
            version: fields.text(node, "version"),
            extra: ExtraSettings::read(fields, node),
            name: Spanned::new(name, key.span),
            node: node.clone(),
        })
    }
}

/// The first 80 characters, for messages.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(80).collect()
}

fn model_kind(fields: &mut Fields<'_>, node: &Node) -> ModelKind {
    let Some(text) = fields.text(node, "model_type") else { return ModelKind::DeepLearning };
    let known = [ModelKind::DeepLearning, ModelKind::ClassicalCv].into_iter().find(|kind| kind.word() == text.value);
    known.unwrap_or_else(|| {
        let found = printable(&text.value);
        let message = format!("`model_type`: expected `DEEP_LEARNING` or `CLASSICAL_CV`, found `{found}`");
        fields.error("card/value", text.span, message, None);
        ModelKind::DeepLearning
    })
}

/// Three or four whole numbers above zero; three gain a batch of 1 in front.
fn input_shape(fields: &mut Fields<'_>, key: &Node, node: &Node, needed: bool) -> Option<[usize; 4]> {
    let expected = "three or four whole numbers above 0, such as `[1, 3, 224, 224]`";
    let Some(shape) = Fields::value(node, "input_tensor_shape") else {
        if needed {
            let message = format!("the model `{}` has no `input_tensor_shape`", key.as_text().unwrap_or_default());
            fields.error("card/missing-key", key.span, message, Some(&format!("give {expected}")));
        }
        return None;
    };
    let dimensions: Option<Vec<usize>> = shape
        .items()
        .iter()
        .map(|item| item.as_int().filter(|value| (1..=DIMENSION_LIMIT).contains(value)).map(|value| value as usize))
        .collect();
    match dimensions.as_deref() {
        Some(&[c, h, w]) => Some([1, c, h, w]),
        Some(&[n, c, h, w]) => Some([n, c, h, w]),
        _ => {
            let found = fields.source.text().get(shape.span.start..shape.span.end).unwrap_or_default();
            let message = format!("`input_tensor_shape`: expected {expected}, found `{}`", printable(found));
            let hint =
                "write numbers only; a dimension that is free in the ONNX file has one size here, a batch mostly 1";
            fields.error("card/input-shape", shape.span, message, Some(hint));
            None
        }
    }
}
